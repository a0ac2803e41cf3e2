"""The bench: what it makes of samples, and that it says so when a row is missing. `make bench
QUICK=1` runs all of it."""

import json
import re
import sys

import numpy as np
import pytest

from bench import __main__ as command, firmware, measure
from bench.measure import Skipped, row
from helpers.kit import ROOT


def test_each_is_measured_once_a_run_in_changing_order():
    order = []
    row("s", {name: lambda name=name: order.append(name) or 1 for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"


def test_the_ratio_is_the_median_of_the_ratios_of_each_run():
    ours, theirs = iter([1, 20, 3]), iter([2, 10, 1])
    result = row("s", {"ours": ours.__next__, "theirs": theirs.__next__, "constant": 2}, 3)
    assert [result[name] for name in ("of", "median", "low", "high", "runs")] == [
        *("ours", 3, 2, 11.5, 3)
    ]
    # of the medians, they would be 1.5 and 1.5
    assert [other["ratio"] for other in result["compared_with"]] == [2, 1.5]


@pytest.mark.parametrize(
    "unit, figures, text",
    [
        ("s", (1.234e-5, 1.2e-5, 1.5e-5), "12.3 us (12 - 15)"),
        ("bytes", (488, 488, 488), "488 B"),
        ("cores", (0.011, 0.0095, 0.012), "1.10 % (0.95 - 1.20)"),
    ],
)
def test_a_figure_has_its_spread_and_a_scale_that_suits(unit, figures, text):
    assert command.figure(unit, dict(zip(("median", "low", "high"), figures))) == text


def test_a_section_that_fails_is_named_and_others_measured(monkeypatch, tmp_path, capsys):
    def good(quick):
        assert quick
        yield "good", "s", {"a": 1e-3, "b": 2e-3}, 2
        raise OSError("no more")

    def left_out(quick):
        raise Skipped("not here")
        yield

    monkeypatch.setattr(command, "SECTIONS", [("Some", good), ("None", left_out)])
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--json", str(tmp_path / "b.json")])
    with pytest.raises(SystemExit, match="1 of 2 sections failed"):
        command.main()
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [(r["name"], r.get("failed"), r.get("skipped")) for r in rows] == [
        ("good", None, None),
        ("Some", "OSError: no more", None),
        ("None", None, "not here"),
    ]
    assert re.search(r"good +1 ms +b +2 ms +0\.5\n", capsys.readouterr().out)


def test_a_child_that_fails_says_what_it_said():
    assert measure.run("-c", "print('fine')") == "fine\n"
    with pytest.raises(RuntimeError, match="it is broken"):
        measure.run("-c", "raise SystemExit('it is broken')")


def test_the_emulator_counts_each_instruction_of_a_loop():
    """By hand: 5 instructions a word, one of them in the delay slot of the jump back."""
    loop = [
        *(0xB0000000, 0xE860F000),  # imm; lwi r3, r0, BUFFER_ADDR
        0xBC03FFF8,  # beqi r3, back to the imm
        *(0xB0000000, 0xE880F004),  # imm; lwi r4, r0, ARRAY_LENGTH
        0x80A00000,  # or r5, r0, r0            i = 0
        *(0xB0002000, 0xF8A30000),  # imm; swi r5, r3, 0x20000000
        0x3084FFFF,  # addik r4, r4, -1
        0xBE24FFF4,  # bneid r4, back by 12 bytes, to the imm before the swi
        0x30A50001,  # addik r5, r5, 1          in its delay slot
        *(0xB0000000, 0xF800F000),  # imm; swi r0, r0, BUFFER_ADDR
        0xB8000000 | -52 & 0xFFFF,  # bri to the first imm
    ]
    start = [0x30600001, 0xB0000000, 0xF860F00C]  # addik r3, r0, 1; imm; swi r3, r0, STATUS: READY
    assert firmware.instructions_a_word(np.array(start + loop, "<u4").tobytes()) == 5


def test_the_fill_loop_keeps_its_budget_as_the_notebook_says():
    instructions = firmware.instructions_a_word()
    assert 2 <= instructions <= 3
    said = f" stores: {instructions} instructions a word"
    assert said in (ROOT / "notebooks" / "5_performance.ipynb").read_text()
