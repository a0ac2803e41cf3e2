"""What the tests share: a board, the overlay on it and a fresh IOP. On a PC the board is the
virtual one."""

import sys

import numpy as np
import pytest

import virtual_board
from helpers.kit import OVERLAY, ROOT

# for the exercises' checks; last, for iop is there too, as a link
sys.path.append(str(ROOT / "notebooks"))


@pytest.fixture
def any_board():
    """The virtual board, opened anew for each test; None on a board."""
    board = virtual_board.activate()
    yield board
    if board:
        board.close()


@pytest.fixture
def board(any_board):
    """The virtual board, for tests that look behind the scenes."""
    if any_board is None:
        pytest.skip("only the virtual board can tell")
    return any_board


@pytest.fixture
def overlay(any_board):
    from pynq import Overlay

    return Overlay(OVERLAY)


@pytest.fixture
def mb_info(board, overlay):
    """What pynq's drivers are made with."""
    return overlay.iop1.mb_info


@pytest.fixture
def load(overlay, tmp_path):
    """A function that has pynq itself load and start a program of these words, and returns its
    PynqMicroblaze."""
    from pynq.lib import PynqMicroblaze

    def load_words(words):
        program = tmp_path / f"program_{words[-1]}.bin"
        program.write_bytes(np.array(words, "u4").tobytes())
        return PynqMicroblaze(overlay.iop1.mb_info, str(program), force=True)

    return load_words


@pytest.fixture
def iop(overlay):
    from iop.pynq_tutorial import Pynq_Tutorial

    return Pynq_Tutorial(overlay.iop1.mb_info)


@pytest.fixture
def by_hand(iop):
    """pynq's own object for this IOP, to do what Pynq_Tutorial never does: leave the IOP in reset,
    write over its program."""
    return iop._microblaze


@pytest.fixture
def unchecked(iop):
    """A function (address, length, data) that makes a request which write_to_buffer refuses, as one
    outside every buffer."""
    return lambda *request: iop._request(*request, timeout=300)


@pytest.fixture
def xlnk(any_board):
    from iop.xlnk import Xlnk

    return Xlnk()


@pytest.fixture
def buffer(xlnk):
    """100 words of int32, all zero. CMA memory need not be when it is handed out."""
    buffer = xlnk.cma_array((100,), dtype="i4")
    buffer[:] = 0
    return buffer
