"""What virtual boards cost while nothing happens: time of the processor, and memory. On a PC
alone."""

import contextlib
import functools
import os
import subprocess
import sys
import threading
import time

import virtual_board

from .measure import ON_BOARD, OVERLAY, ROOT, Skipped, in_turn, row

BOARDS = (1, 5, 20)
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
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", STUDENT],
                    cwd=ROOT,
                    start_new_session=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    universal_newlines=True,
                )
            )
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
        raise RuntimeError("{} of {} processes did not start".format(lines.count(""), len(lines)))
    return lines


def memory_of(number):
    """(bytes of so many processes with a virtual board each, bytes that the same processes had
    before, with pynq alone)."""
    with students(number) as processes:
        answers(processes)
        before = sum(memory(process.pid) for process in processes)
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        qemus = [int(line) for line in answers(processes)]
        return sum(memory(process.pid) for process in processes) + sum(map(memory, qemus)), before


def cpu_seconds(pid):
    """What Linux has charged to a process so far, to the nanosecond: /proc/PID/stat counts in
    hundredths of a second."""
    # how Linux numbers the clock of a process: clock_getcpuclockid(3)
    return time.clock_gettime(~pid << 3 | 2)


def idle(quick):
    """The row of a virtual board with its program waiting, beside the same board kept awake."""
    board = virtual_board.activate()
    try:
        from pynq import Overlay, allocate

        from iop.pynq_tutorial import Pynq_Tutorial

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

        return row(
            "cores",
            in_turn(
                {
                    "asleep, as it is when idle": asleep,
                    "kept awake": lambda: share(keep_awake=True),
                },
                2 if quick else 7,
            ),
        )
    finally:
        board.close()


def rows(quick):
    """Yields (name, function that returns the row) of each."""

    def on_pc(measure):
        def measured():
            if ON_BOARD:
                raise Skipped("only a PC has virtual boards")
            return measure()

        return measured

    def boards(number):
        bytes_used, before = zip(*[memory_of(number) for _ in range(1 if quick else 3)])
        return row(
            "bytes", {"Python and QEMU": bytes_used, "the same processes with pynq alone": before}
        )

    yield "idle virtual board", on_pc(lambda: idle(quick))
    for number in BOARDS:
        yield (
            "memory of {} virtual board{}".format(number, "s" if number > 1 else ""),
            on_pc(functools.partial(boards, number)),
        )
