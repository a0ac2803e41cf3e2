"""For tests that start processes of their own, and look whether these end."""

import waiting

from conftest import OVERLAY

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
