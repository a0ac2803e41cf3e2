"""What virtual boards cost while nothing happens: time of the processor, and memory."""

import contextlib
import os
import subprocess
import sys
import threading
import time

import virtual_board

from .measure import ON_BOARD, OVERLAY, ROOT, Skipped

BOARDS = 1, 20
WAIT = 120  # seconds for all processes of a sample, after which they are ended
# Says so when it has imported pynq, and waits; then starts a board, gives its QEMU's number, and
# stays until its input ends.
STUDENT = f"""
import sys, pynq
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


@contextlib.contextmanager
def students(number):
    """Starts processes with pynq imported; they end with the block, whatever way it ends."""
    processes = []
    alarm = threading.Timer(WAIT, lambda: [process.kill() for process in processes])
    alarm.start()
    try:
        for _ in range(number):
            pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
            command = [sys.executable, "-c", STUDENT]
            processes.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes))
        yield processes
    finally:
        for process in processes:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for process in processes:
            process.stdout.close()
            process.wait()
        alarm.cancel()


def answers(processes):
    """A line of each process. RuntimeError if one has ended."""
    lines = [process.stdout.readline() for process in processes]
    if "" in lines:
        raise RuntimeError(f"{lines.count('')} of {len(lines)} processes did not start")
    return lines


def memory_of(number):
    """Bytes of so many processes with a virtual board each, and what they had with pynq alone."""
    with students(number) as processes:
        answers(processes)
        before = sum(memory(process.pid) for process in processes)
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        qemus = [int(line) for line in answers(processes)]
        return sum(memory(process.pid) for process in processes) + sum(map(memory, qemus)), before


def cpu_seconds(pid):
    """What Linux has charged to a process so far, to the nanosecond: /proc counts in hundredths of
    a second."""
    # how Linux numbers the clock of a process: clock_getcpuclockid(3)
    return time.clock_gettime(~pid << 3 | 2)


def idle(quick):
    """The ways of a virtual board with its program waiting, and of the same one kept awake."""
    from pynq import Overlay, allocate

    from iop.pynq_tutorial import Pynq_Tutorial

    board = virtual_board.activate()
    iop, buffer = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info), allocate((1,))
    window = 0.5 if quick else 2  # seconds

    def share(keep_awake):
        pids = os.getpid(), board.microblaze.pid
        began, used = time.monotonic(), sum(map(cpu_seconds, pids))
        while time.monotonic() < began + window:
            if keep_awake:
                iop.write_to_buffer(buffer, 1, 0)
            time.sleep(window / 25)  # less than it takes to fall asleep
        return (sum(map(cpu_seconds, pids)) - used) / (time.monotonic() - began)

    def asleep():
        deadline = time.monotonic() + 5
        while not board.microblaze.is_asleep:
            if time.monotonic() > deadline:
                raise RuntimeError("the virtual board did not fall asleep within 5 s")
            time.sleep(0.01)
        return share(keep_awake=False)

    return {"asleep, as it is when idle": asleep, "kept awake": lambda: share(keep_awake=True)}


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    if ON_BOARD:
        raise Skipped("only a PC has virtual boards")
    board = virtual_board.activate()
    try:
        yield "idle virtual board", "cores", idle(quick), 2 if quick else 7
    finally:
        board.close()
    for number in BOARDS:
        pairs = [memory_of(number) for _ in range(1 if quick else 3)]
        used, before = zip(*pairs)
        ways = {
            "Python and QEMU": iter(used).__next__,
            "the same processes with pynq alone": iter(before).__next__,
        }
        yield f"memory of virtual boards: {number}", "bytes", ways, len(pairs)
