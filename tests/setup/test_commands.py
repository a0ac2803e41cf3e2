"""The commands of the Makefile, as a user types them."""

import json
import os
import re
import subprocess
import sys

import pytest

from helpers.kit import ROOT
from virtual_board import qemu as emulator

pytestmark = pytest.mark.slow
DOCTOR = sys.executable, "-m", "deploy.doctor"


def command(*words, **options):
    # As typed into a new terminal: a make inside of a make would announce the folders it enters.
    options.setdefault(
        "env", {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    )
    return subprocess.run(
        words,
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=300,
        **options,
    )


def test_run_prints_what_the_iop_wrote():
    run = command("make", "run")
    assert run.returncode == 0, run.stdout
    assert (
        "State of buffer after IOP write\n" + "".join(f"{i}\n" for i in range(1, 11)) in run.stdout
    )


def test_run_ends_quietly_when_its_reader_has_enough():
    run = command(
        "sh", "-c", ".venv/bin/python -m deploy.run notebooks/2_iop_example.ipynb | head -1"
    )
    assert (
        run.returncode == 0 and "Traceback" not in run.stdout and len(run.stdout.splitlines()) < 3
    ), run.stdout


def test_run_ends_with_an_error_when_a_cell_does(tmp_path):
    import nbformat

    path = tmp_path / "bad.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('one')\n1/0")]), str(path)
    )
    run = command(".venv/bin/python", "-m", "deploy.run", str(path))
    assert run.returncode == 1 and "one" in run.stdout and "ZeroDivisionError" in run.stdout


def test_doctor_finds_nothing_missing_here():
    run = command("make", "doctor")
    assert run.returncode == 0, run.stdout
    assert len(re.findall("^(ok|optional) ", run.stdout, re.M)) == len(run.stdout.splitlines())


def test_doctor_names_what_is_missing_and_the_remedy(tmp_path):
    (tmp_path / "apt-get").symlink_to("/bin/true")  # a Debian that has no QEMU
    run = command(*DOCTOR, env=dict(os.environ, PATH=str(tmp_path)))
    assert run.returncode == 1
    assert re.search("^MISSING .*QEMU.*apt-get install qemu-system-misc$", run.stdout, re.M)
    assert re.search("^MISSING .*virtual board.*does not start", run.stdout, re.M)


def test_doctor_does_not_call_a_qemu_that_cannot_start_old(tmp_path):
    """Another version would not help: what it said does."""
    for name in emulator.NAMES:
        (tmp_path / name).write_text(
            "#!/bin/sh\necho 'libpixman-1.so.0: cannot open shared object file' >&2; exit 127\n"
        )
        (tmp_path / name).chmod(0o755)
    said = command(*DOCTOR, env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")).stdout
    for row in "QEMU", "virtual board":
        (line,) = re.findall(f"^MISSING  {row} .*", said, re.M)
        assert (
            "libpixman-1.so.0: cannot open shared object file" in line
            and "older" not in line
            and "install" not in line
        )


def test_help_lists_every_command():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(re.findall(r"^\.PHONY: (.*)", makefile, re.M)).split())
    assert set(re.findall(r"make ([a-z-]+)", command("make", "help").stdout)) == targets


def test_what_a_board_runs_is_python_3_6(tmp_path):
    for notebook in (ROOT / "notebooks").rglob("[0-9]_*.ipynb"):
        cells = [
            "".join(cell["source"])
            for cell in json.loads(notebook.read_text())["cells"]
            if cell["cell_type"] == "code"
        ]
        file = tmp_path / f"{notebook.parent.name}_{notebook.stem}.py"
        file.write_text("\n".join(cell for cell in cells if not cell.startswith("%")))
    run = command(
        os.path.join(os.path.dirname(sys.executable), "vermin"),
        "-t=3.6-",
        "--no-tips",
        "--violations",
        "iop",
        "virtual_board",
        "notebooks/checks",
        "bitstream",
        "bench",
        "mb_src",
        "tests/notebooks/on_board.py",
        str(tmp_path),
        *map(str, (ROOT / "deploy").glob("*.py")),
    )
    assert run.returncode == 0, run.stdout


def test_the_fault_table_names_tests_that_exist():
    tests = "\n".join(
        path.name + "\n" + path.read_text() for path in (ROOT / "tests").glob("**/test_*.py")
    )
    for name in re.findall(
        r"`(test_\w+?)(?:_?\.\.\.|\.py)?`", (ROOT / "tests" / "FAULTS.md").read_text()
    ):
        assert name in tests, name
