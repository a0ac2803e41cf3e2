"""Programs of the student's own: what iop.firmware makes of C, and its error messages."""

import importlib.util
import os
import random
import sys

import numpy as np
import pytest
from nbval.plugin import pytest_collect_file
from pynq import MMIO

from helpers.kit import ROOT, run_program
from helpers.processes import soon
from helpers.programs import path_without, programs
from iop import firmware, pynq_tutorial
from iop.firmware import BuildError, build
from iop.pynq_tutorial import PROGRAM, Pynq_Tutorial

pytestmark = pytest.mark.slow

MISSING = "extern int missing;\nint read(void);\nint read(void) { return missing; }\n"
KIT = (ROOT / "mb_src" / "pynq_tutorial.c").read_text()
needs_compiler = pytest.mark.skipif(firmware.compiler() is None, reason=firmware.NO_COMPILER)


@pytest.fixture
def source(tmp_path):
    """A function that writes the kit's C, one text in it replaced by another, into a folder with an
    inconvenient name."""
    folder = tmp_path / "Ann's $HOME folder"
    folder.mkdir()

    def write(old="", new=""):
        assert old in KIT
        (folder / "mine.c").write_text(KIT.replace(old, new) if old else new + KIT)
        return str(folder / "mine.c")

    return write


@needs_compiler
@pytest.mark.parametrize(
    "old, new, says",
    [
        ("i < length", "i < lenght", "mine.c:28:26: error: 'lenght' undeclared"),
        ("data + i", "printf(i)", "mine.c:29:25: error: implicit declaration of function 'printf'"),
        ("", MISSING, "undefined reference to `missing'"),
        ("", "char big[0xF000];\n", "ld: program too large"),
        ("", "char big[0xEC00];\n", "ld: program too large: less than 1 KB is left for the stack"),
    ],
)
def test_the_compilers_message_and_no_more(source, tmp_path, old, new, says):
    path = source(old, new)
    with pytest.raises(BuildError) as error:
        build(path)
    text = str(error.value)
    assert says in text
    assert error.value._render_traceback_() == text.splitlines()  # what IPython prints
    for noise in ("make", "collect2", "cc1:", str(tmp_path), "/tmp"):
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


# A request has the IOP call one of the functions that GCC calls by itself; what it is given lies in
# free words of the mailbox.
CALLS = """
#include <stddef.h>
#include "mailbox.h"
void *memset(void *to, int value, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);

int main(void)
{
   MAILBOX_DATA(BUFFER_ADDR) = 0;
   MAILBOX_DATA(STATUS) = STATUS_READY;
   while (1) {
      unsigned address;
      while ((address = MAILBOX_DATA(BUFFER_ADDR)) == 0);
      char *to = (char *)(address | 0x20000000u) + MAILBOX_DATA(5);
      char *from = (char *)(address | 0x20000000u) + MAILBOX_DATA(6);
      unsigned bytes = MAILBOX_DATA(7);
      switch (MAILBOX_DATA(4)) {
      case 0: MAILBOX_DATA(8) = memset(to, (int)MAILBOX_DATA(6), bytes) == to; break;
      case 1: MAILBOX_DATA(8) = memcpy(to, from, bytes) == to; break;
      case 2: MAILBOX_DATA(8) = memmove(to, from, bytes) == to; break;
      case 3: MAILBOX_DATA(8) = (unsigned)memcmp(to, from, bytes); break;
      }
      MAILBOX_DATA(BUFFER_ADDR) = 0;
   }
}
"""


@needs_compiler
def test_what_gcc_calls_by_itself_does_what_c_says(tmp_path, overlay, buffer):
    (tmp_path / "calls.c").write_text(CALLS)
    iop = Pynq_Tutorial(overlay.iop1.mb_info, build(str(tmp_path / "calls.c")))
    mailbox, chance = MMIO(0x4000F000, 64), random.Random(1)

    def call(function, *arguments):
        for word, value in enumerate((function,) + arguments, 4):
            mailbox.write(4 * word, value)
        iop.write_to_buffer(buffer, 1, 0)
        return mailbox.read(32)

    memory = buffer.view("u1")
    for _ in range(100):
        memory[:] = before = np.array([chance.randrange(256) for _ in range(400)], "u1")
        size = chance.choice([0, 1, 2, 3, 4, 5, chance.randrange(200)])
        to, other = (chance.randrange(401 - size) for _ in range(2))
        assert call(0, to, 0x100 + other, size) == 1
        before[to : to + size] = (0x100 + other) % 256
        assert (memory == before).all()
        assert call(2, to, other, size) == 1
        before[to : to + size] = before[other : other + size].copy()
        assert (memory == before).all()
        for at in to, chance.randrange(401 - size):  # the same bytes, and probably others
            one, two = (bytes(memory[start : start + size]) for start in (to, at))
            result = call(3, to, at, size)
            assert (result > 0) - 2 * (result >= 2**31) == (one > two) - (one < two)
        to = chance.randrange(201 - size)
        assert call(1, to, to + 200, size) == 1
        assert (memory[to : to + size] == memory[to + 200 : to + 200 + size]).all()


@needs_compiler
def test_a_program_in_which_gcc_calls_functions_links(source):
    """A copy of a struct calls memcpy, and an error that GCC has seen calls abort."""
    path = source("", "struct { unsigned words[40]; } one, two;\n")
    text = open(path).read().replace("while (1) {", "while (1) { one = two; __builtin_trap();")
    with open(path, "w") as file:
        file.write(text)
    build(path)


def compiler_that(does, folder, monkeypatch):
    """An mb-gcc that comes first, in a folder with an inconvenient name."""
    tools = folder / 'Ada\'s  "tools" & more'
    programs(tools, **dict.fromkeys(("mb-gcc", "mb-ar", "mb-objcopy"), does))
    monkeypatch.setenv("PATH", str(tools) + os.pathsep + os.environ["PATH"])


@pytest.mark.parametrize(
    "does, says",
    [
        ("exit 3", "tools.* failed and did not say why .make: .*Error 3"),
        ("printf 'x.c:1:1: error: \\377 is no text\\n'; exit 1", "error: \ufffd is no text"),
    ],
)
def test_a_compiler_that_says_little(source, tmp_path, monkeypatch, does, says):
    compiler_that(does, tmp_path, monkeypatch)
    with pytest.raises(BuildError, match=says) as raised:
        build(source())
    assert str(raised.value).strip() and raised.value._render_traceback_()
    assert os.listdir(os.path.dirname(source())) == ["mine.c"]


def test_a_build_that_does_not_end(source, tmp_path, monkeypatch):
    monkeypatch.setattr(firmware, "LONGEST", 0.5)
    does = f"echo $$ > '{tmp_path}/pid'; sleep 100 & sleep 100"
    compiler_that(does, tmp_path, monkeypatch)
    with pytest.raises(BuildError, match="had not ended after 0.5 s"):
        build(source())
    assert soon(int((tmp_path / "pid").read_text()), "ZX")


def test_without_make(source, tmp_path, monkeypatch):
    compiler_that("", tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", os.environ["PATH"].split(os.pathsep)[0])
    with pytest.raises(BuildError, match="no make here.*apt-get install make"):
        build(source())


@needs_compiler
def test_a_place_that_cannot_be_written(source, tmp_path):
    says = "/nowhere/x.bin cannot be written .No such file.*give another path"
    with pytest.raises(BuildError, match=says):
        build(source(), str(tmp_path / "nowhere/x.bin"))


@needs_compiler
def test_a_program_that_is_never_ready(source, overlay, buffer, monkeypatch):
    monkeypatch.setattr(pynq_tutorial, "START_TIMEOUT", 0.1)
    program = build(source("MAILBOX_DATA(STATUS) = STATUS_READY; /*", "/*"))
    says = "did not start within 0.1 s.*must set STATUS to STATUS_READY"
    with pytest.raises(TimeoutError, match=says):
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
    (there / "mb-g++-12.2.0").symlink_to(os.path.dirname(firmware.compiler()))
    found = there / "mb-g++-12.2.0" / "bin"
    on_the_path = f"{found}:{os.environ['PATH']}"
    for name, value in ("XDG_CACHE_HOME", str(there.parent)), ("PATH", on_the_path):
        monkeypatch.setenv(name, value)
        assert firmware.compiler() == str(found)
        new = build(str(ROOT / "mb_src" / "pynq_tutorial.c"), str(tmp_path / "new.bin"))
        assert open(new, "rb").read() == open(PROGRAM, "rb").read()
        os.remove(new)


def test_where_the_pinned_compiler_cannot_be_built(tmp_path):
    folder = programs(tmp_path / "bin", "sh", "dpkg", **{"g++": "", "apt-get": "[ $1 = update ]"})
    compiler = str(ROOT / "mb_src" / "compiler.py")
    run = run_program(sys.executable, compiler, PATH=folder, XDG_CACHE_HOME=str(tmp_path))
    assert run.returncode == 1 and "apt-get finds no binutils-source" in run.stdout
    assert "binutils-source (2.40 or 2.44), gcc-12-source" in run.stdout
    assert "put any mb-gcc on the PATH" in run.stdout


@pytest.fixture
def no_compiler(tmp_path, monkeypatch):
    """As on a PC where nobody built one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", path_without("mb-gcc"))


def test_without_a_compiler_the_remedy_is_one_sentence(no_compiler, tmp_path):
    with pytest.raises(BuildError, match="no mb-gcc here: type `make compiler`.*six minutes"):
        build(str(ROOT / "mb_src" / "pynq_tutorial.c"), str(tmp_path / "new.bin"))
    assert os.listdir(str(tmp_path)) == []


def test_without_a_compiler_its_notebooks_are_skipped_aloud(no_compiler, request):
    cells = []
    for notebook in sorted((ROOT / "notebooks").rglob("[24789]_*.ipynb")):
        cells += pytest_collect_file(notebook, request.session).collect()
    spec = importlib.util.spec_from_file_location("root_conftest", str(ROOT / "conftest.py"))
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    hooks.pytest_collection_modifyitems(cells)
    skipped = {cell.path.name for cell in cells if list(cell.iter_markers("skip"))}
    names = "4_firmware", "7_pins", "8_c_in_a_cell", "9_leds_and_buttons"
    assert skipped == {f"{name}.ipynb" for name in names}
