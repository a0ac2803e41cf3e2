"""For tests that start processes of their own, and look whether these end."""

import os

from helpers import waiting
from helpers.kit import OVERLAY

PROGRAM_THAT = f"""
import os, sys, time, virtual_board
board = virtual_board.activate()
from pynq import Overlay, allocate
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(Overlay({OVERLAY!r}).iop1.mb_info)
buffer = allocate((10,))
iop.write_to_buffer(buffer, 10, 1)
assert buffer.tolist() == list(range(1, 11))
print(board.microblaze.pid, flush=True)
"""


def _stat(pid):
    """(name, state, parent) of a process. Linux's states: Z and X have ended, T is stopped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            name, columns = stat.read().split("(", 1)[1].rsplit(")", 1)
    except OSError:
        return "", "X", 0
    return name, columns.split()[0], int(columns.split()[1])


def soon(pid, states, seconds=60):
    """Whether a process comes to one of these states."""
    return waiting.soon(lambda: _stat(pid)[1] in states, seconds, pause=0.01)


def children(pid):
    """The processes that a process has started, and those that they have started."""
    direct = [int(other) for other in os.listdir("/proc") if other.isdigit()]
    direct = [other for other in direct if _stat(other)[2] == pid]
    return direct + [other for child in direct for other in children(child)]


def qemus():
    """The processes of QEMU that this one has started and that live."""
    stats = map(_stat, children(os.getpid()))
    return [name for name, state, _ in stats if name.startswith("qemu-system") and state != "Z"]


def sleeps_within(board, seconds=60):
    """Whether the virtual MicroBlaze comes to sleep."""
    return waiting.soon(lambda: board.microblaze.is_asleep, seconds, pause=0.01)
