"""What runs on a board, on a tree that looks like one: make doctor, make test, and what the
installer gives its Python."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from deploy.install import NBVAL, add_nbval
from helpers import base_overlay, checkout
from helpers.kit import ROOT

pytestmark = pytest.mark.deploy

VENV = "usr/local/share/pynq-venv"
PYTHON = VENV + "/bin/python3"
FILES = {
    "etc/profile.d/boardname.sh": "export BOARD=Pynq-Z2\n",
    "proc/meminfo": "CmaTotal:  131072 kB\nCmaFree:  120000 kB\n",
    PYTHON: f'#!/bin/sh\nexec {sys.executable} "$@"\n',
}


@pytest.fixture
def root(tmp_path):
    """A tree like an image's root with the tutorial installed. Its Python is the kit's own, with
    the stock pynq."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / PYTHON).chmod(0o755)
    base_overlay.write(tmp_path / VENV / "lib/python3.10/site-packages/pynq/overlays/base")
    run("-m", "deploy.install", "--destdir", tmp_path)
    # What stands for the hardware here is made from the description, and the installed one leaves
    # out what is inside the IOP.
    bitstream = "home/xilinx/jupyter_notebooks/pynq_tutorial/bitstream/"
    shutil.copy(str(ROOT / "bitstream/pynq_tutorial.hwh"), str(tmp_path / bitstream))
    return tmp_path


def run(*words):
    words = [sys.executable] + [str(word) for word in words]
    options = {"stderr": subprocess.STDOUT, "universal_newlines": True, "timeout": 550}
    return subprocess.run(words, cwd=str(ROOT), stdout=subprocess.PIPE, **options)


def doctor(root):
    """{what was looked at: (ok, optional or MISSING, the line's text)}, and how it ended."""
    finished = run("-m", "deploy.doctor", root)
    lines = re.findall(r"^(ok|optional|MISSING) +(\S+(?: \S+)?) +(.*)$", finished.stdout, re.M)
    assert len(lines) == len(finished.stdout.splitlines()) == 8, finished.stdout
    return {name: (fine, text) for fine, name, text in lines}, finished.returncode


def test_the_doctor_finds_nothing_missing_on_a_whole_board(root):
    lines, code = doctor(root)
    assert {fine for fine, _ in lines.values()} == {"ok"} and code == 0
    assert lines["BOARD"][1] == "Pynq-Z2" and lines["CMA"][1] == "117 MB free"


BASE_HWH = VENV + "/lib/python3.10/site-packages/pynq/overlays/base/base.hwh"
MANIFEST = "home/xilinx/jupyter_notebooks/pynq_tutorial/.pynq_tutorial.json"
CUT_OFF = '{"files": {}, "coming": {"1_memory.ipynb": "0"}}'
MISSING = [  # what the doctor looks at, a file, its new text, and what the doctor says
    ("BOARD", "etc/profile.d/boardname.sh", "export BOARD=Ultra96", "Ultra96, and the tutorial"),
    ("CMA", "proc/meminfo", "CmaFree: 4096 kB\n", "4 MB free, and the largest buffer needs 40"),
    ("base overlay", BASE_HWH, "", "is not a hardware description"),
    ("tutorial", MANIFEST, None, "sudo make install"),
    ("tutorial", MANIFEST, CUT_OFF, "an installation was cut off: sudo make install"),
    ("pynq", PYTHON, "#!/bin/sh\nexit 1\n", "write the SD card with an image up to v3.1"),
    ("pynq", PYTHON, "#!/bin/sh\necho 4.0.0\n", "4.0.0 in "),
    ("pycparser", PYTHON, "#!/bin/sh\necho 3.0\n", "pip install 'pycparser<3'"),
    ("nbval", PYTHON, "#!/bin/sh\nexit 1\n", "sudo make install gets it"),
]


@pytest.mark.parametrize("line, name, text, remedy", MISSING)
def test_the_doctor_names_what_is_wrong_and_the_remedy(root, line, name, text, remedy):
    (root / name).unlink() if text is None else (root / name).write_text(text)
    lines, code = doctor(root)
    assert code == 1 and lines[line][0] == "MISSING" and remedy in lines[line][1], lines[line]


def test_the_doctor_looks_at_an_sd_card_too(root):
    (root / "proc/meminfo").unlink()
    assert doctor(root)[0]["CMA"] == ("optional", "unknown, because this board is not running")


def on_board(root, kit=ROOT):
    tested = run(kit / "tests/notebooks/on_board.py", root)
    return tested.returncode, tested.stdout


def test_the_installed_notebooks_pass_and_changed_ones_are_skipped_aloud(root):
    target = root / "home/xilinx/jupyter_notebooks/pynq_tutorial"
    (target / "mine.ipynb").symlink_to("nowhere")
    code, said = on_board(root)
    assert code == 0 and re.search("2_iop_example.*Cell 0 PASSED", said), said
    assert "test_views_in_one_piece" in said
    (target / "2_iop_example.ipynb").write_text("a student's")
    assert "skipped: 2_iop_example.ipynb, which is not as it was installed" in on_board(root)[1]


def test_what_the_installed_notebooks_show_is_compared_with_the_kits(root, tmp_path):
    """They have no outputs themselves."""
    checkout.copy(ROOT, tmp_path / "kit")
    bad = tmp_path / "kit" / "notebooks" / "2_iop_example.ipynb"
    stored = r'(?<!\\)"State of buffer after IOP write'  # and not the source that prints it
    bad.write_text(re.sub(stored, '"Another state', bad.read_text()))
    code, said = on_board(root, tmp_path / "kit")
    assert code == 1 and re.search("2_iop_example.* FAILED", said), said
    bad.write_text(bad.read_text().replace("# 2 IOP example", "# 2 In another edition"))
    code, said = on_board(root, tmp_path / "kit")
    assert code == 1 and "is of another edition than" in said and "sudo make install" in said, said


def test_without_an_installation_or_nbval_the_remedy_is_named(root, tmp_path_factory):
    code, said = on_board(tmp_path_factory.mktemp("empty"))
    assert code == 1 and "There is no tutorial in" in said and "sudo make install" in said
    (root / PYTHON).write_text("#!/bin/sh\nexit 1\n")
    code, said = on_board(root)
    assert code == 1 and "There is no nbval in" in said and "sudo make install" in said


@pytest.fixture
def python(tmp_path):
    """An image's Python."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "image")], check=True)
    return str(tmp_path / "image/bin/python3")


def test_nbval_is_added_and_nothing_else_is_changed(python, capsys):
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run(pip + ["attrs==22.2.0"], check=True, stderr=subprocess.PIPE)
    add_nbval(python)
    assert capsys.readouterr().out == f"{NBVAL} is now in the image's Python, for `make test`.\n"
    there = subprocess.check_output([python, "-c", "import attr, nbval; print(attr.__version__)"])
    assert there == b"22.2.0\n"
    add_nbval(python)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("reason", ["ERROR.*", ".*No module named pip"])
def test_without_a_network_or_pip_the_installation_goes_on(python, capsys, monkeypatch, reason):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    if "No module" in reason:
        subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "pip"], check=True)
    add_nbval(python)
    said = capsys.readouterr().out
    assert re.match(rf"nbval could not be installed \({reason}\)\. The notebooks", said), said


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the linter needs Python 3.11")
def test_the_ci_workflow_is_in_order():
    zizmor = [str(ROOT / ".deploy/bin/zizmor"), "--offline", str(ROOT / ".github")]
    found = subprocess.run(zizmor, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert found.returncode == 0, found.stdout.decode()
