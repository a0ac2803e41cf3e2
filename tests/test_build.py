"""Programs of the student's own: what iop.firmware makes of C, and what it says where that does not go."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
from nbval.plugin import pytest_collect_file

from conftest import ROOT
from iop import firmware, pynq_tutorial
from iop.firmware import BuildError, build
from iop.pynq_tutorial import PROGRAM, Pynq_Tutorial

KIT = (ROOT / "mb_src" / "pynq_tutorial.c").read_text()
needs_compiler = pytest.mark.skipif(firmware.compiler() is None, reason=firmware.NO_COMPILER)


@pytest.fixture
def source(tmp_path):
    """A function that writes the kit's C, one text in it replaced by another, into a folder with an inconvenient name."""
    folder = tmp_path / "Ann's $HOME folder"
    folder.mkdir()

    def write(old="", new=""):
        assert old in KIT
        (folder / "mine.c").write_text(KIT.replace(old, new) if old else new + KIT)
        return str(folder / "mine.c")
    return write


@pytest.mark.skipif(firmware.compiler() is None or shutil.which("mb-gcc"), reason="no pinned compiler, or another before it")
def test_the_kits_c_becomes_the_kits_program(source):
    program = build(source())
    assert program == source().replace("mine.c", "mine.bin")
    assert open(program, "rb").read() == open(PROGRAM, "rb").read()


@needs_compiler
@pytest.mark.parametrize("old, new, says", [
    ("i < length", "i < lenght", "mine.c:28:26: error: 'lenght' undeclared"),
    ("data + i", "printf(i)", "mine.c:29:25: error: implicit declaration of function 'printf'"),
    ("", "extern int missing;\nint reads(void);\nint reads(void) { return missing; }\n", "undefined reference to `missing'"),
    ("", "char big[0xF000];\n", "ld: program too large"),
    ("", "char big[0xEC00];\n", "ld: program too large: less than 1 KB is left for the stack"),
    ("", "const char big[0xF000] = {1};\n", "ld: program too large"),
])
def test_the_compilers_message_and_no_more(source, tmp_path, old, new, says):
    path = source(old, new)
    with pytest.raises(BuildError) as error:
        build(path)
    text = str(error.value)
    assert says in text
    assert error.value._render_traceback_() == text.splitlines()  # what IPython prints
    for noise in ("make", "collect2", "cc1", str(tmp_path), "/tmp"):
        assert noise not in text
    assert os.listdir(os.path.dirname(path)) == ["mine.c"]


@needs_compiler
def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(BuildError, match="none.c is not there: run the cell"):
        build(str(tmp_path / "none.c"))


@needs_compiler
def test_programs_follow_one_another_and_each_knows_its_own(source, overlay, iop, buffer):
    info = overlay.iop1.mb_info
    twice = Pynq_Tutorial(info, build(source("data + i", "data + 2 * i")))
    twice.write_to_buffer(buffer, 3, 1)
    assert buffer[:4].tolist() == [1, 3, 5, 0]
    with pytest.raises(RuntimeError, match=r"runs another program now.*reset\(\)"):
        iop.write_to_buffer(buffer, 3, 1)
    Pynq_Tutorial(info).write_to_buffer(buffer, 3, 1)
    iop.write_to_buffer(buffer, 1, 7)
    assert buffer[:4].tolist() == [7, 2, 3, 0]
    twice.reset()
    twice.write_to_buffer(buffer, 3, 1)
    assert buffer[:4].tolist() == [1, 3, 5, 0]


@needs_compiler
def test_a_rebuilt_program_is_the_new_one(source, overlay, buffer):
    for step in (2, 3):
        iop = Pynq_Tutorial(overlay.iop1.mb_info, build(source("data + i", "data + {} * i".format(step))))
        iop.write_to_buffer(buffer, 3, 0)
        assert buffer[:3].tolist() == [0, step, 2 * step]


@needs_compiler
def test_a_result_in_a_free_word_of_the_mailbox(source, overlay, buffer):
    iop = Pynq_Tutorial(overlay.iop1.mb_info, build(source("data + i;", "MAILBOX_DATA(4) = data;")))
    iop.write_to_buffer(buffer, 3, 123)
    assert iop.read_mailbox(4) == 123 and iop.read_mailbox(1) == 3


@needs_compiler
def test_a_program_that_is_never_ready(source, overlay, buffer, monkeypatch):
    monkeypatch.setattr(pynq_tutorial, "START_TIMEOUT", 0.1)
    program = build(source("MAILBOX_DATA(STATUS) = STATUS_READY; /*", "/*"))
    with pytest.raises(TimeoutError, match="did not start within 0.1 s.*must set STATUS to STATUS_READY"):
        Pynq_Tutorial(overlay.iop1.mb_info, program)
    Pynq_Tutorial(overlay.iop1.mb_info).write_to_buffer(buffer, 1, 1)
    assert buffer[0] == 1


def test_what_is_no_program_is_not_loaded(overlay, iop, buffer, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(b"\0" * 100)
    with pytest.raises(RuntimeError, match=r"other.bin has 100 bytes.*iop.firmware.build\(\)"):
        Pynq_Tutorial(overlay.iop1.mb_info, str(other))
    iop.write_to_buffer(buffer, 1, 1)
    assert buffer[0] == 1


@needs_compiler
def test_a_compiler_in_a_folder_with_a_space(tmp_path, monkeypatch):
    """As in the home of somebody whose name has one; found there, and on the PATH too."""
    there = tmp_path / "Ada Byron's cache" / "pynq-tutorial"
    there.mkdir(parents=True)
    (there / "mb-gcc-12.2.0").symlink_to(os.path.dirname(firmware.compiler()))
    for name, value in (("XDG_CACHE_HOME", str(there.parent)),
                        ("PATH", "{}:{}".format(there / "mb-gcc-12.2.0" / "bin", os.environ["PATH"]))):
        monkeypatch.setenv(name, value)
        assert firmware.compiler() == str(there / "mb-gcc-12.2.0" / "bin")
        build(str(ROOT / "mb_src" / "pynq_tutorial.c"), str(tmp_path / "new.bin"))
        assert (tmp_path / "new.bin").read_bytes() == (ROOT / "iop" / "pynq_tutorial.bin").read_bytes()
        (tmp_path / "new.bin").unlink()


@pytest.mark.parametrize("apt_get, why", [("exit 100", "apt-get finds no binutils-source"), (None, "there is no apt-get here")])
def test_where_the_pinned_compiler_cannot_be_built(tmp_path, apt_get, why):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dpkg", "g++"):
        (programs / name).symlink_to(shutil.which("sh"))
    if apt_get:
        (programs / "apt-get").write_text("#!{}\n[ $1 = update ] || {}\n".format(shutil.which("sh"), apt_get))
        (programs / "apt-get").chmod(0o755)
    run = subprocess.run([sys.executable, str(ROOT / "mb_src" / "compiler.py")], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                         env={"PATH": str(programs), "XDG_CACHE_HOME": str(tmp_path)})
    assert run.returncode == 1
    for told in (why, "binutils-source (2.40 or 2.44) and gcc-12-source", "put any mb-gcc on the PATH"):
        assert told in run.stderr
    assert not list((tmp_path / "pynq-tutorial").glob("build*"))


@pytest.fixture
def no_compiler(tmp_path, monkeypatch):
    """As on a PC where nobody built one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep)
                                               if not os.path.exists(os.path.join(folder, "mb-gcc"))))


def test_without_a_compiler_the_remedy_is_one_sentence(no_compiler, tmp_path):
    with pytest.raises(BuildError, match="no mb-gcc here: type `make compiler`.*four minutes"):
        build(str(ROOT / "mb_src" / "pynq_tutorial.c"), str(tmp_path / "new.bin"))
    assert os.listdir(str(tmp_path)) == []


def test_without_a_compiler_the_notebook_is_skipped_aloud(no_compiler, request):
    cells = []
    for notebook in sorted((ROOT / "notebooks").rglob("[24]_*.ipynb")):
        cells += pytest_collect_file(notebook, request.session).collect()
    spec = importlib.util.spec_from_file_location("root_conftest", str(ROOT / "conftest.py"))
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    hooks.pytest_collection_modifyitems(cells)
    reasons = {(cell.path.name, mark.kwargs["reason"]) for cell in cells for mark in cell.iter_markers("skip")}
    assert reasons == {("4_firmware.ipynb", firmware.NO_COMPILER)}
