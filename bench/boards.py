"""What virtual boards cost while nothing happens: time of the processor, and memory."""

import contextlib
import os
import subprocess
import sys
import time

import virtual_board
from virtual_board.microblaze.qemu import cpu_seconds

from .measure import ON_BOARD, OVERLAY, ROOT, Skipped

BOARDS = 20
# Says so when it has imported pynq, and waits; then starts a board, gives its QEMU's number, and
# stays until its input ends, at most two minutes.
STUDENT = f"""
import signal, sys, pynq
signal.alarm(120)
print(flush=True)
sys.stdin.readline()
import virtual_board
board = virtual_board.activate()
from pynq import Overlay
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(Overlay({OVERLAY!r}).iop1.mb_info)
print(board.microblaze.pid, flush=True)
sys.stdin.read()
board.close()
"""


def memory(pid):
    """A process's share of memory, in bytes: a page that several use counts in parts."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(1024 * int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def memory_of(number):
    """Bytes of so many processes with a virtual board each, and what they had with pynq alone."""
    command = [sys.executable, "-c", STUDENT]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
    with contextlib.ExitStack() as stack:
        students = [
            stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes)) for _ in range(number)
        ]
        for student in students:
            student.stdout.readline()
        before = sum(memory(student.pid) for student in students)
        for student in students:
            print(file=student.stdin, flush=True)
        qemus = [int(student.stdout.readline()) for student in students]
        return sum(memory(student.pid) for student in students) + sum(map(memory, qemus)), before


def asleep(iops):
    """Waits until the programs of these IOPs are. RuntimeError if that does not come."""
    deadline = time.monotonic() + 30
    while not all(iop.microblaze.is_asleep for iop in iops):
        if time.monotonic() > deadline:
            raise RuntimeError("the virtual board did not fall asleep within 30 s")
        time.sleep(0.01)
    return [iop.microblaze.pid for iop in iops]


def idle(qemus):
    """The part of a core that this process and its QEMUs take."""
    pids = os.getpid(), *qemus
    began, used = time.monotonic(), sum(map(cpu_seconds, pids))
    time.sleep(1)
    return (sum(map(cpu_seconds, pids)) - used) / (time.monotonic() - began)


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    if ON_BOARD:
        raise Skipped("only a PC has virtual boards")
    board = virtual_board.activate()
    try:
        from pynq import Overlay

        from iop.pynq_tutorial import Pynq_Tutorial

        Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
        qemus = asleep([board.iop])
        ways = {"asleep, as it is when idle": lambda: idle(qemus), "a core": 1}
        yield "idle virtual board", "cores", ways, 2 if quick else 7
    finally:
        board.close()
    used, before = memory_of(BOARDS)
    ways = {"Python and QEMU": used, "the same processes with pynq alone": before}
    yield f"memory of {BOARDS} virtual boards", "bytes", ways, 1
