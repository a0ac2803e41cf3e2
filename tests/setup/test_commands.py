"""The commands of the Makefile, as a user types them."""

import json
import os
import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.kit import ROOT, make, run_program
from helpers.programs import programs
from virtual_board.microblaze import qemu as emulator

pytestmark = pytest.mark.slow

ON_A_BOARD = ["iop", "virtual_board", "notebooks/checks", "bitstream", "bench", "mb_src"]
ON_A_BOARD += ["tests/notebooks/on_board.py"]


def test_run_prints_what_the_iop_wrote():
    run = make("run")
    words = "".join(f"{i}\n" for i in range(1, 11))
    assert run.returncode == 0 and f"State of buffer after IOP write\n{words}" in run.stdout


def test_run_ends_quietly_when_its_reader_has_enough():
    run = run_program("sh", "-c", "make run | head -1")
    assert run.returncode == 0 and len(run.stdout.splitlines()) < 3, run.stdout


def test_run_ends_with_an_error_when_a_cell_does(tmp_path):
    in_two_pieces = "import time\nprint('o', end='', flush=True)\ntime.sleep(0.5)\nprint('ne')\n"
    notebook = new_notebook(cells=[new_code_cell(in_two_pieces + "1/0")])
    nbformat.write(notebook, str(tmp_path / "2_iop_example.ipynb"))
    run = make("run", f"NOTEBOOKS={tmp_path}")
    assert run.returncode != 0 and "one" in run.stdout and "ZeroDivisionError" in run.stdout


def test_doctor_finds_nothing_missing_here():
    run = make("doctor")
    assert run.returncode == 0, run.stdout
    assert len(re.findall("^(ok|optional) ", run.stdout, re.M)) == len(run.stdout.splitlines())


def doctor(folder, *links, path="", **scripts):
    """How `make doctor` ends if these programs are first on the PATH, and what is missing then."""
    run = make("doctor", PATH=programs(folder / "bin", *links, **scripts) + path)
    return run.returncode, dict(re.findall(r"^MISSING  (\S+(?: \S+)?) +(.*)$", run.stdout, re.M))


def test_doctor_names_what_is_missing_and_the_remedy(tmp_path):
    code, missing = doctor(tmp_path, "make", python3=f'exec {sys.executable} "$@"')
    assert code != 0 and missing.keys() == {"QEMU", "virtual board"}
    assert "not installed: install it: on Debian and Ubuntu sudo apt-get" in missing["QEMU"]
    assert "does not start" in missing["virtual board"]


def test_doctor_does_not_call_a_qemu_that_cannot_start_old(tmp_path):
    """Another version would not help: what it said does."""
    says = "libpixman-1.so.0: cannot open shared object file"
    broken = dict.fromkeys(emulator.NAMES, f"echo '{says}' >&2; exit 127")
    _, missing = doctor(tmp_path, path=f":{os.environ['PATH']}", **broken)
    for text in missing["QEMU"], missing["virtual board"]:
        assert says in text and "older than" not in text and "install" not in text


def test_help_lists_every_command():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(re.findall(r"^\.PHONY: (.*)", makefile, re.M)).split())
    assert set(re.findall(r"(?m)^  make ([a-z-]+)", make("help").stdout)) == targets


def test_what_a_board_runs_is_python_3_6(tmp_path):
    for notebook in (ROOT / "notebooks").rglob("[0-9]_*.ipynb"):
        cells = json.loads(notebook.read_text())["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        file = tmp_path / f"{notebook.parent.name}_{notebook.stem}.py"
        file.write_text("\n".join(source for source in sources if not source.startswith("%")))
    only_on_a_pc = "os.memfd_create", "os.register_at_fork", "queue.SimpleQueue"
    newer = [word for name in only_on_a_pc for word in ("--exclude", name)]
    vermin = os.path.join(os.path.dirname(sys.executable), "vermin")
    command = [vermin, "-t=3.6-", "--no-tips", "--violations", *newer]
    files = [*(ROOT / "deploy").glob("*.py"), *ROOT.glob("*.py"), tmp_path]
    run = run_program(*command, *ON_A_BOARD, *map(str, files))
    assert run.returncode == 0, run.stdout


def test_the_fault_table_names_tests_that_exist():
    files = (ROOT / "tests").glob("**/test_*.py")
    tests = "\n".join(f"{path.name}\n{path.read_text()}" for path in files)
    lines = "\n".join(path.read_text() for path in ROOT.glob("*/*.md")).splitlines()
    tables = "\n".join(line for line in lines if line.startswith("| "))
    names = set(re.findall(r"`(test_\w+?)(?:_?\.\.\.|\.py)?`", tables))
    assert len(names) > 100
    assert [name for name in names if name not in tests] == []
