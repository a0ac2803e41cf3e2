"""What lies in the kit's folders and is a student's: no command deletes it, no test writes it, and
no board gets it."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from helpers.kit import ROOT, make, run_program

pytestmark = pytest.mark.slow

TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=str(ROOT), stdout=subprocess.PIPE, universal_newlines=True
).stdout.split("\0")[:-1]


@pytest.fixture
def kit(tmp_path):
    """A kit of its own, as git has it, without an environment."""
    kit = tmp_path / "kit"
    for name in TRACKED:
        if os.path.lexists(str(ROOT / name)):
            (kit / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(ROOT / name), str(kit / name), follow_symlinks=False)
    return kit


def put(kit, *names):
    for name in names:
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_text(name)


def everything(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


MADE = """.venv/bin/python
.pytest_tmp/run-1/x
executed/1_memory.ipynb
mb_src/build/pynq_tutorial.elf
build/lib/pynq_tutorial/install.py
pynq_tutorial.egg-info/PKG-INFO
iop/__pycache__/xlnk.cpython-311.pyc
notebooks/checks/__pycache__/memory.cpython-311.pyc
__pycache__/conftest.cpython-311.pyc
sheets/teacher/slides_notes.html
bench/bench.json"""
STUDENTS = """notebooks/lab/mine.ipynb
notebooks/lab 2/.ipynb_checkpoints/mine-checkpoint.ipynb
notebooks/executed/1_memory.ipynb
notebooks/build/mine.c
notebooks/my_firmware/build/mine.c
pynq_tutorial/1_memory.ipynb
build/mine.c
executed/mine.ipynb
mb_src/build/mine.elf
notebooks/__pycache__/mine.cpython-311.pyc
iop/__pycache__/notes
mine.egg-info/PKG-INFO
x.ipynb
executed/7_my
notebooks/7_my x.ipynb
notebooks/lab 2/*/mine"""


def test_clean_removes_what_the_kit_made_by_name(kit):
    put(kit, *STUDENTS.splitlines())
    before = everything(kit)
    put(kit, *MADE.splitlines())
    run = make("clean", cwd=str(kit))
    assert run.returncode == 0, run.stdout
    assert everything(kit) == before


WRITES = """
import os
os.makedirs('my_firmware', exist_ok=True)
open('my_firmware/square.c', 'w').close()
"""
MINE = {name: "notebooks/my_firmware/" + name for name in ("mine.c", "square.c")}


def put_notebook(path, source):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(notebook, str(path))


def students(kit):
    return {path.name: path.read_text() for path in (kit / "notebooks" / "my_firmware").iterdir()}


def test_a_test_run_leaves_a_students_programs_alone(kit):
    put(kit, *MINE.values())
    put_notebook(kit / "notebooks" / "9_writes.ipynb", WRITES)
    # In the kit, and not here: the environment's own path to a kit comes later than PYTHONPATH.
    words = sys.executable, "-m", "pytest", "-q", "notebooks/9_writes.ipynb"
    run = run_program(*words, cwd=str(kit), PYTHONPATH=str(kit))
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout
    assert students(kit) == MINE and list((kit / ".pytest_tmp").iterdir()) == []


def test_executed_leaves_a_students_programs_alone(kit, tmp_path):
    put(kit, "notebooks/my_firmware/square.c")
    for path in (kit / "notebooks").glob("[0-9]_*.ipynb"):
        path.unlink()
    put_notebook(kit / "notebooks/9_my own.ipynb", WRITES)
    (kit / "setup.sh").write_text("")
    (kit / ".venv").symlink_to(os.path.dirname(os.path.dirname(sys.executable)))
    run = make("executed", cwd=str(kit), TMPDIR=str(tmp_path))
    assert run.returncode == 0, run.stdout
    outputs = json.loads((kit / "executed/9_my own.ipynb").read_text())["cells"][0]["outputs"]
    assert not [output for output in outputs if output["output_type"] == "error"], outputs
    assert students(kit) == {"square.c": MINE["square.c"]}
    assert sorted(os.listdir(str(tmp_path))) == ["kit"]
