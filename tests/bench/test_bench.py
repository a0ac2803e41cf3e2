"""The bench: what it makes of samples, and that it says so when a row is missing. `make bench
QUICK=1` runs all of it."""

import gc
import json
import sys

import numpy as np
import pytest

from bench import __main__ as command, calls, firmware, measure, suite, table
from bench.measure import Skipped, in_turn, row
from helpers.kit import ROOT


def test_each_is_measured_once_a_run_and_another_one_first_each_time():
    order = []
    ways = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    samples = in_turn(ways, 3)
    assert "".join(order) == "abcbcacab"
    assert samples == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_the_ratio_is_the_median_of_the_ratios_of_each_run():
    result = row(
        "s", {"ours": [1, 20, 3], "theirs": [2, 10, 1], "constant": 2, "none": "no such thing here"}
    )
    assert (result["of"], result["median"], result["low"], result["high"], result["runs"]) == (
        "ours",
        3,
        2,
        11.5,
        3,
    )
    theirs, constant, none = result["compared_with"]
    # of the medians, they would be 1.5 and 1.5
    assert theirs["ratio"] == 2 and constant["ratio"] == 1.5
    assert none == {"name": "none", "skipped": "no such thing here"}


def test_a_figure_has_its_spread_and_a_scale_that_suits():
    assert (
        table.figure("s", {"median": 1.234e-5, "low": 1.2e-5, "high": 1.5e-5})
        == "12.3 us (12 - 15)"
    )
    assert table.figure("bytes", {"median": 488, "low": 488, "high": 488}) == "488 B"
    assert (
        table.figure("cores", {"median": 0.011, "low": 0.0095, "high": 0.012})
        == "1.10 % (0.95 - 1.20)"
    )


def test_a_row_that_fails_is_named_and_the_others_are_measured(monkeypatch, tmp_path, capsys):
    class Section:
        @staticmethod
        def rows(quick):
            assert quick
            yield "good", lambda: row("s", {"a": [1e-3], "b": [2e-3]})
            yield "bad", lambda: 1 / 0
            yield "left out", lambda: row("s", {"a": in_turn({"a": skip}, 2)["a"]})
            raise OSError("no more")

    def skip():
        raise Skipped("not here")

    monkeypatch.setattr(command, "SECTIONS", [("Some rows", Section)])
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--json", str(tmp_path / "b.json")])
    with pytest.raises(SystemExit, match="2 of 4 rows failed"):
        command.main()
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [(r["name"], r.get("failed"), r.get("skipped")) for r in rows] == [
        ("good", None, None),
        ("bad", "ZeroDivisionError: division by zero", None),
        ("left out", None, "not here"),
        ("Some rows", "OSError: no more", None),
    ]
    printed = capsys.readouterr().out
    assert "Measured on: virtual board" in printed and "1 ms" in printed and "0.5\n" in printed


def test_a_child_that_fails_says_what_it_said():
    assert measure.run("-c", "print('fine')") == "fine\n"
    with pytest.raises(RuntimeError, match="it is broken"):
        measure.run("-c", "raise SystemExit('it is broken')")


def test_a_call_has_a_row_by_address_and_one_by_buffer_from_the_same_samples():
    measured = []

    def samples():
        measured.append(1)
        return {calls.BY_ADDRESS: [3, 3], calls.BY_BUFFER: [2, 2], "by hand": [1, 1]}

    (first, by_address), (second, by_buffer) = [
        (name, measure_it()) for name, measure_it in calls.both("ten", samples)
    ]
    assert (first, second) == ("ten, by address", "ten, by buffer") and measured == [1]
    assert by_address["of"] == calls.BY_ADDRESS and by_buffer["of"] == calls.BY_BUFFER
    assert [(other["name"], other["ratio"]) for other in by_address["compared_with"]] == [
        (calls.BY_BUFFER, 1.5),
        ("by hand", 3),
    ]
    assert [(other["name"], other["ratio"]) for other in by_buffer["compared_with"]] == [
        ("by hand", 2)
    ]


def test_calls_are_measured_among_as_many_objects_as_a_notebook_has(monkeypatch):
    monkeypatch.setattr(measure, "MODULES", ("no_such_module",))
    gc.collect()  # else a collection meanwhile takes away what other tests have left
    before = len(gc.get_objects())
    monkeypatch.setattr(measure, "OBJECTS", before + 50000)
    kept = measure.like_a_notebook()
    assert 0 < len(kept) <= 50000 and len(gc.get_objects()) > before + 40000


def test_the_slowest_tests_are_named_each_with_its_part_of_all(monkeypatch):
    monkeypatch.setattr(
        suite,
        "run",
        lambda *arguments, **options: (
            """
============================= slowest 10 durations =============================
12.50s call     tests/test_a.py::test_one_with_a_name_that_is_longer_than_the_room[x-1]
0.25s setup    notebooks/2_iop_example.ipynb::Cell 3

2 passed in 20.00s
"""
        ),
    )
    (one, longest), (other, short) = [
        (name, measure_it()) for name, measure_it in suite.rows(quick=False)
    ]
    assert (
        one == "test_a.py::test_one_with_a_name_that_is_" and other == "2_iop_example.ipynb::Cell 3"
    )
    assert longest["median"] == 12.5 and short["median"] == 0.25
    assert (
        longest["of"] == "tests/test_a.py::test_one_with_a_name_that_is_longer_than_the_room[x-1]"
    )


def test_the_emulator_counts_each_instruction_of_a_loop():
    """By hand: 5 instructions a word, one of them in the delay slot of the jump back."""
    loop = [
        0xB0000000,
        0xE860F000,  # imm; lwi r3, r0, BUFFER_ADDR
        0xBC03FFF8,  # beqi r3, back to the imm
        0xB0000000,
        0xE880F004,  # imm; lwi r4, r0, ARRAY_LENGTH
        0x80A00000,  # or r5, r0, r0            i = 0
        0xB0002000,
        0xF8A30000,  # imm; swi r5, r3, 0x20000000
        0x3084FFFF,  # addik r4, r4, -1
        0xBE24FFF4,  # bneid r4, back by 12 bytes, to the imm before the swi
        0x30A50001,  # addik r5, r5, 1          in its delay slot
        0xB0000000,
        0xF800F000,  # imm; swi r0, r0, BUFFER_ADDR
        0xB8000000 | -52 & 0xFFFF,
    ]  # bri to the first imm
    start = [0x30600001, 0xB0000000, 0xF860F00C]  # addik r3, r0, 1; imm; swi r3, r0, STATUS: READY
    assert firmware.instructions_a_word(np.array(start + loop, "<u4").tobytes()) == 5


def test_the_fill_loop_keeps_its_budget_and_the_notebook_counts_the_same():
    instructions = firmware.instructions_a_word()
    assert 2 <= instructions <= 3
    assert (
        f" stores: {instructions} instructions a word"
        in (ROOT / "notebooks" / "5_performance.ipynb").read_text()
    )
