"""The kit's commands, as they are typed on a board: all green, and the board's own overlay is right
after them."""

import json
import re
from pathlib import Path

import pytest

from board import HOME_KIT
from conftest import base

LIMIT = 900  # seconds for a command


@pytest.mark.timeout(LIMIT)
def test_make_test(power_up, untouched):
    """It executes all notebooks, on memory that is not zero, and compares what they put out with
    what is stored."""
    expected = untouched("operating")
    board = power_up("operating", leftover=0xA5)
    said = board.output("make", "test", folder=HOME_KIT, timeout=LIMIT)
    assert (
        re.search(r"6_safety\S*::Cell", said) and " failed" not in said and "skipped: " not in said
    )
    assert base(board) == expected
    board.power_up("operating")
    assert base(board) == expected


@pytest.mark.timeout(LIMIT)
def test_the_other_commands(power_up):
    board = power_up("operating", leftover=0xA5)
    board.output("make", "executed", folder=HOME_KIT, timeout=LIMIT)
    notebooks = sorted(Path(board.path(HOME_KIT), "executed").glob("*.ipynb"))
    assert [path.name[0] for path in notebooks] == list("12345678")
    for path in notebooks:
        outputs = [
            output
            for cell in json.loads(path.read_text())["cells"]
            for output in cell.get("outputs", [])
        ]
        assert outputs and not [output for output in outputs if output["output_type"] == "error"], (
            path.name
        )
    board.output("make", "doctor", folder=HOME_KIT)
    bench = board.output("make", "bench", "QUICK=1", folder=HOME_KIT, timeout=LIMIT)
    assert "write_to_buffer, 10 words" in bench and "failed: " not in bench
