"""A class on one machine: twenty kernels, a virtual board each, all run the IOP example at the same
time."""

import os
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from helpers.kit import ROOT

STUDENTS = 20
STUDENT = """
import os, sys, nbformat
from nbclient import NotebookClient
from traitlets.config import Config
notebook = nbformat.read("notebooks/2_iop_example.ipynb", as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(
    "import os, virtual_board; print(os.getpid(), virtual_board.activate().microblaze.pid)"))
# Kernels of one server take ports in turn; those of twenty servers would guess, and now and then guess the same.
sockets = Config(KernelManager={"transport": "ipc", "ip": os.environ["JUPYTER_RUNTIME_DIR"] + "/" + str(os.getpid())})
client = NotebookClient(notebook, timeout=300, startup_timeout=300, resources={"metadata": {"path": "notebooks"}},
                        config=sockets)
with client.setup_kernel():
    for index, cell in enumerate(notebook.cells):
        client.execute_cell(cell, index)
    print("".join(output["text"] for output in notebook.cells[-1].outputs).strip(), flush=True)
    sys.stdin.read()  # the kernel stays until the whole class is done
"""


def memory_kb(pid):
    """A process's share of memory in KB: pages that several use count in parts."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        columns = stat.read().rpartition(")")[2].split()
    return int(columns[11]) + int(columns[12])


@pytest.mark.long
def test_twenty_students_at_once():
    start = time.monotonic()
    runtime = tempfile.TemporaryDirectory()  # a socket's whole path may have 107 characters
    students = [
        subprocess.Popen(
            [sys.executable, "-c", STUDENT],
            cwd=str(ROOT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, JUPYTER_RUNTIME_DIR=runtime.name),
        )
        for _ in range(STUDENTS)
    ]
    alarm = threading.Timer(300, lambda: [student.kill() for student in students])
    alarm.start()
    try:
        pids = [tuple(map(int, student.stdout.readline().split())) for student in students]
        seconds = time.monotonic() - start
        assert all(len(pair) == 2 for pair in pids)
        time.sleep(2)
        everyone = [pid for pair in pids for pid in pair]
        ticks, start = sum(map(cpu_ticks, everyone)), time.monotonic()
        time.sleep(3)
        idle = (
            (sum(map(cpu_ticks, everyone)) - ticks)
            / os.sysconf("SC_CLK_TCK")
            / (time.monotonic() - start)
        )
        print(
            f"\n{STUDENTS} students: {seconds:.0f} s; per board"
            f" {sum(memory_kb(qemu) for _, qemu in pids) / 1024 / STUDENTS:.0f} MB for QEMU and"
            f" {sum(memory_kb(kernel) for kernel, _ in pids) / 1024 / STUDENTS:.0f} MB for the"
            f" kernel; idle, {100 * idle / STUDENTS:.1f} % of a core per board"
        )
    finally:
        for student in students:
            student.communicate()
        alarm.cancel()
        runtime.cleanup()
    assert [student.returncode for student in students] == [0] * STUDENTS
