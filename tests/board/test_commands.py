"""The kit's commands, as they are typed on a board: all green, and the board's own overlay is right
after them."""

import json
import re

import pytest

from board import HOME_KIT

LIMIT = 900  # seconds for a command


@pytest.mark.timeout(LIMIT)
def test_make_test(board):
    """It executes all notebooks, and compares what they put out with what is stored."""
    board.power_up("operating")
    said = board.output("make", "test", timeout=LIMIT)
    assert re.search(r"6_safety\S*::Cell", said), said
    assert " failed" not in said and "skipped: " not in said, said
    board.python("base.py")


@pytest.mark.timeout(LIMIT)
def test_the_other_commands(board):
    board.power_up("operating")
    board.output("make", "executed", timeout=LIMIT)
    notebooks = sorted(board.path(HOME_KIT + "/executed").glob("*.ipynb"))
    assert [path.name[0] for path in notebooks] == list("0123456789")
    for path in notebooks[:-1]:  # the last one needs LEDs, buttons and their interrupts
        cells = json.loads(path.read_text())["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", [])]
        assert outputs, path.name
        assert not [out for out in outputs if out["output_type"] == "error"], path.name
    assert "pynq_tutorial" in board.output("make", "doctor")
    bench = board.output("make", "bench", "QUICK=1", timeout=LIMIT)
    assert "write_to_buffer, 10 words" in bench and "failed: " not in bench
