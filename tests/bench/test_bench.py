"""The bench: what it makes of samples. `make bench QUICK=1` runs all of it."""

import pytest

from bench import __main__ as command, firmware
from bench.measure import row
from helpers.kit import ROOT


def test_each_is_measured_once_a_run_and_a_ratio_is_the_median_of_each_runs():
    order = []
    row({name: lambda name=name: order.append(name) or 1 for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    ours, theirs = iter([1, 20, 3]), iter([2, 10, 1])
    result = row({"ours": ours.__next__, "theirs": theirs.__next__, "constant": 2}, 3)
    assert result[0][1].tolist() == [2, 3, 11.5]
    # of the medians, they would be 1.5 and 1.5
    assert [(name, ratio) for name, _, ratio in result[1:]] == [("theirs", 2), ("constant", 1.5)]


@pytest.mark.parametrize(
    "unit, figures, text",
    [
        ("s", (1.2e-5, 1.234e-5, 1.5e-5), "12.3 us (12 - 15)"),
        ("bytes", (488, 488, 488), "488 B"),
        ("cores", (0.0095, 0.011, 0.012), "1.1 % (0.95 - 1.2)"),
        ("instructions", (1234, 1234, 1234), "1230"),
    ],
)
def test_a_figure_has_its_spread_and_a_scale_that_suits(unit, figures, text):
    assert command.figure(unit, *figures) == text


def test_the_fill_loop_keeps_its_budget_as_the_notebook_says():
    instructions = firmware.instructions_a_word()
    assert 2 <= instructions <= 3
    said = f" stores: {instructions} instructions a word"
    assert said in (ROOT / "notebooks" / "5_performance.ipynb").read_text()
