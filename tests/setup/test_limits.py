"""No test waits for ever, and after its limit nothing of it is left running."""

import subprocess
import sys

import pytest

from helpers.kit import OVERLAY, ROOT
from helpers.processes import soon

HANGS = """
import subprocess, sys, threading, time
import virtual_board

def test_waits_for_an_iop():
    from pynq import Overlay
    board = virtual_board.activate()
    Overlay({overlay!r})
    with open({pids!r}, "a") as file:
        print(board.microblaze.pid, file=file)
    while True:
        pass

def test_waits_for_a_program():
    subprocess.run(["sh", "-c", "echo $$ >> " + {pids!r} + "; exec sleep 1000"])

def test_waits_for_a_thread():
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    threading.enumerate()[-1].join()
"""

WAITS_IN_A_CELL = """{{"cells": [{{"cell_type": "code", "execution_count": 1, "metadata": {{}}, "outputs": [], "source": [
 "import os, time, virtual_board\\n", "from pynq import Overlay\\n", "Overlay({overlay!r})\\n",
 "board = virtual_board.activate()\\n", "open({pids!r}, 'a').write('%d\\\\n%d\\\\n' % (os.getpid(), board.microblaze.pid))\\n",
 "time.sleep(1000)"]}}], "metadata": {{"kernelspec": {{"display_name": "", "language": "python", "name": "python3"}}}},
 "nbformat": 4, "nbformat_minor": 4}}"""


@pytest.mark.long
def test_a_test_that_hangs_ends_and_leaves_nothing(tmp_path):
    pids = str(tmp_path / "pids")
    (tmp_path / "test_hangs.py").write_text(HANGS.format(overlay=OVERLAY, pids=pids))
    (tmp_path / "waits.ipynb").write_text(WAITS_IN_A_CELL.format(overlay=OVERLAY, pids=pids))
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(ROOT / "pyproject.toml"),
            "--rootdir",
            str(tmp_path),
            "-p",
            "no:xdist",
            "--timeout=5",
            str(tmp_path),
        ],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=300,
    )
    assert run.returncode == 1 and "4 failed" in run.stdout, run.stdout
    with open(pids) as file:
        started = [int(line) for line in file]
    assert len(set(started)) == 4  # two QEMUs, a program and a kernel
    assert all(soon(pid, "ZX", 10) for pid in started)


def test_every_test_has_a_limit(pytestconfig):
    assert 0 < float(pytestconfig.getini("timeout")) <= 600
