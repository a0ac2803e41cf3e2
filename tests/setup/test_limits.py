"""No test waits for ever, and after its limit nothing of it is left running."""

import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.kit import OVERLAY, ROOT, run_program
from helpers.processes import soon

WAITS = """
import os, time, virtual_board
from pynq import Overlay
Overlay(os.environ["OVERLAY"])
with open(os.environ["PIDS"], "a") as file:
    print(os.getpid(), virtual_board.activate().microblaze.pid, sep="\\n", file=file)
time.sleep(1000)
"""


@pytest.mark.long
def test_a_test_that_hangs_ends_and_leaves_nothing(tmp_path):
    programs = Path(__file__).parent / "programs"
    shutil.copy(str(programs / "hangs.py"), str(tmp_path / "test_hangs.py"))
    nbformat.write(new_notebook(cells=[new_code_cell(WAITS)]), str(tmp_path / "waits.ipynb"))
    pytest = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    options = ["--rootdir", str(tmp_path), "-p", "no:xdist", "--timeout=5", str(tmp_path)]
    run = run_program(*pytest, *options, OVERLAY=OVERLAY, PIDS=str(tmp_path / "pids"))
    assert run.returncode == 1 and "4 failed" in run.stdout, run.stdout
    started = {int(line) for line in (tmp_path / "pids").read_text().splitlines()}
    assert len(started) == 4  # two QEMUs, a program and a kernel
    assert all(soon(pid, "ZX", 10) for pid in started)


def test_every_test_has_a_limit(pytestconfig):
    assert 0 < float(pytestconfig.getini("timeout")) <= 600
