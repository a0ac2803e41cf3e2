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


def state(pid):
    """A process's state as Linux names it: Z and X are ended, T is stopped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def soon(pid, states, seconds=60):
    """Whether a process comes to one of these states."""
    return waiting.soon(lambda: state(pid) in states, seconds, pause=0.01)


def qemus():
    """The processes of QEMU that this one has started."""
    found = []
    for process in os.listdir("/proc"):
        try:
            with open(f"/proc/{process}/stat") as stat:
                name, columns = stat.read().split("(", 1)[1].rsplit(")", 1)
        except (OSError, IndexError):
            continue
        if (
            name.startswith("qemu-system")
            and columns.split()[1] == str(os.getpid())
            and columns.split()[0] != "Z"
        ):
            found.append(int(process))
    return found


def sleeps_within(board, seconds=60):
    """Whether the virtual MicroBlaze comes to sleep."""
    return waiting.soon(lambda: board.microblaze.is_asleep, seconds, pause=0.01)
