"""The kit's commands, as they are typed on a board: all green, and the board's own overlay is right after them."""

import json
from pathlib import Path

import pytest

from base_overlay import STOCK
from board import HOME_KIT
from conftest import base

LIMIT = 300  # seconds for a command


@pytest.mark.timeout(4 * LIMIT)
def test_the_commands(power_up, base_overlay):
    """On memory that is not zero. `make test` executes all notebooks and compares what they put out with what is stored; it knows
    nothing of the base overlay, so with one of them the other commands are enough."""
    board = power_up("operating", leftover=0xA5)
    expected = base(board)
    if base_overlay == STOCK["v3"].parent:
        said = board.output("make", "test", folder=HOME_KIT, timeout=LIMIT)
        assert "6_safety.ipynb::Cell" in said and " failed" not in said and "skipped: " not in said
    else:
        board.output("make", "executed", folder=HOME_KIT, timeout=LIMIT)
        notebooks = sorted(Path(board.path(HOME_KIT), "executed").glob("*.ipynb"))
        assert [path.name[0] for path in notebooks] == list("123456")
        for path in notebooks:
            outputs = [output for cell in json.loads(path.read_text())["cells"] for output in cell.get("outputs", [])]
            assert outputs and not [output for output in outputs if output["output_type"] == "error"], path.name
    assert base(board) == expected
    board.output("make", "doctor", folder=HOME_KIT)
    assert "write_to_buffer, 10 words" in board.output("make", "bench", "QUICK=1", folder=HOME_KIT, timeout=LIMIT)
    board.power_up("operating")
    assert base(board) == expected
