"""What lies in the kit's folders and is a student's: no command deletes it, no test writes it, and
no board gets it."""

import json
import os
import shutil
import signal
import subprocess
import sys

import nbformat
import pytest

from helpers.kit import ROOT, make
from helpers.waiting import soon

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
bench/bench.json"""
STUDENTS = """notebooks/lab/mine.ipynb
notebooks/lab 2/.ipynb_checkpoints/mine-checkpoint.ipynb
notebooks/executed/1_memory.ipynb
notebooks/build/mine.c
notebooks/my_firmware/build/mine.c
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
import os, time
os.makedirs("my_firmware", exist_ok=True)
with open("my_firmware/square.c", "w") as file:
    file.write("a test's")
open({!r}, "w").close()
while not os.path.exists({!r}):
    time.sleep(0.02)
"""


def put_notebook(path, source):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(notebook, str(path))


@pytest.fixture
def long_run(kit, tmp_path):
    """A function that starts pytest on a notebook that writes what notebook 4 does, and then waits:
    (process, go on)."""
    put(kit, "notebooks/my_firmware/mine.c", "notebooks/my_firmware/square.c")
    processes = []

    def start():
        started, go_on = (tmp_path / f"{word}{len(processes)}" for word in ("started", "go_on"))
        source = WRITES.format(str(started), str(go_on))
        put_notebook(kit / "notebooks" / "9_writes.ipynb", source)
        process = pytest_in(kit, "notebooks/9_writes.ipynb")
        processes.append(process)
        assert soon(lambda: started.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        return process, go_on.touch

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def pytest_in(kit, *arguments):
    # In the kit, and not here: the environment's own path to a kit comes later than PYTHONPATH.
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=str(kit),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=str(kit)),
    )


def students(kit):
    return {path.name: path.read_text() for path in (kit / "notebooks" / "my_firmware").iterdir()}


MINE = {name: "notebooks/my_firmware/" + name for name in ("mine.c", "square.c")}


def runs_in(kit):
    return [path.name for path in (kit / ".pytest_tmp").iterdir()]


def test_runs_that_overlap_disturb_neither_each_other_nor_a_student(kit, long_run):
    put(kit, "tests/test_uses_tmp_path.py")
    (kit / "tests/test_uses_tmp_path.py").write_text(
        "def test(tmp_path):\n    assert tmp_path.exists()\n"
    )
    first, go_on = long_run()
    assert students(kit) == MINE and len(runs_in(kit)) == 1
    # an IDE's, a student's
    collects = "--collect-only", "tests/setup/test_links.py"
    for second in collects, ["tests/test_uses_tmp_path.py"]:
        other = pytest_in(kit, *second)
        assert "error" not in other.communicate(timeout=300)[0] and other.returncode == 0
    (kit / "notebooks/my_firmware/mine.c").write_text("saved during a run")
    go_on()
    said = first.communicate(timeout=300)[0]
    assert first.returncode == 0 and "1 passed" in said, said
    assert students(kit) == dict(MINE, **{"mine.c": "saved during a run"}) and runs_in(kit) == []


@pytest.mark.long
def test_a_run_that_is_cut_off_costs_a_student_nothing(kit, long_run):
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        run, _ = long_run()
        run.send_signal(number)
        said = run.communicate(timeout=300)[0]
        assert (
            run.returncode not in (0, -number) and students(kit) == MINE and runs_in(kit) == []
        ), said
    run, _ = long_run()
    run.kill()
    run.communicate()
    assert students(kit) == MINE and len(runs_in(kit)) == 1
    # the next run removes what is left of it
    assert pytest_in(kit, "--collect-only", "tests/setup/test_links.py").wait(60) == 0
    assert runs_in(kit) == []


def test_executed_leaves_a_students_programs_alone(kit, tmp_path):
    put(kit, "notebooks/my_firmware/square.c")
    for path in (kit / "notebooks").glob("[0-9]_*.ipynb"):
        path.unlink()
    source = """
import os
os.makedirs('my_firmware', exist_ok=True)
open('my_firmware/square.c', 'w').close()
"""
    put_notebook(kit / "notebooks/9_my own.ipynb", source)
    (kit / "setup.sh").write_text("")
    (kit / ".venv").symlink_to(os.path.dirname(os.path.dirname(sys.executable)))
    run = make("executed", cwd=str(kit), TMPDIR=str(tmp_path))
    assert run.returncode == 0, run.stdout
    outputs = json.loads((kit / "executed/9_my own.ipynb").read_text())["cells"][0]["outputs"]
    assert not [output for output in outputs if output["output_type"] == "error"], outputs
    assert students(kit) == {"square.c": MINE["square.c"]}
    assert sorted(os.listdir(str(tmp_path))) == ["kit"]
