"""The driver of the tests of the exercises' checks."""

import re

import pytest

from iop.pynq_tutorial import PROGRAM
from iop.xlnk import Xlnk

# What was tried, what came, what was expected, and the rule that it follows from
FOUR_PARTS = r"Not yet: .+: .+\. Expected: .+\. .+\."


@pytest.fixture
def told(capsys):
    """A function that has a check judge answers: it prints one line, and says what is given.

    says: a pattern. One that begins with a verdict fits from the line's beginning; any other one
    is part of a line of four parts, in which there is no list of numbers. Below a line about a
    program that does not compile is the compiler's whole message."""

    def run(says, check, *answers):
        check(*answers)
        out = capsys.readouterr().out
        line, _, details = out.rstrip("\n").partition("\n")
        assert out.endswith("\n") and (not details or ": error: " in details)
        if says.startswith(("Right: ", "Not yet: ")):
            assert re.match(says, line), line
        else:
            assert re.search(says, line) and re.fullmatch(FOUR_PARTS, line), line
            assert not re.search(r"(\d+,? ){9}", line), line
        return out

    return run


@pytest.fixture
def no_buffer_stays(any_board):
    free = Xlnk().cma_stats()["CMA Memory Available"]
    yield
    assert Xlnk().cma_stats()["CMA Memory Available"] == free


@pytest.fixture
def kits_program_stays(board):
    """The IOP has the kit's program afterwards."""
    yield
    with open(PROGRAM, "rb") as file:
        program = file.read()
    assert board.iop.memory.bram[: len(program)].tobytes() == program
