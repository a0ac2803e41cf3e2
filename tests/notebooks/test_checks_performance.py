"""5_performance's checks: plausible wrong answers are told what is wrong with them, in one line."""

import fractions
import math
import re

import numpy as np
import pytest
from checks import performance as check


def whole(buffer, words):
    buffer[:words] = np.arange(1, words + 1)


def loop(buffer, words):
    for i in range(words):
        buffer[i] = 1 + i


def from_zero(buffer, words):
    for start in range(0, words, 1000):
        buffer[start : start + 1000][: words - start] = np.arange(start, min(start + 1000, words))


def whole_blocks_alone(buffer, words):
    for start in range(0, words // 1000 * 1000, 1000):
        buffer[start : start + 1000] = np.arange(start + 1, start + 1001)


def too_much(buffer, words):
    for start in range(0, words, 1000):
        buffer[start : start + 1000] = np.arange(start + 1, start + 1001)


def crossing(a, b):
    return (b[0] - a[0]) / (1 / a[1] - 1 / b[1])


def all_made_at_once(buffer, words):
    numbers = np.arange(1, words + 1, dtype=np.uint32)
    for start in range(0, words, 1000):
        end = min(start + 1000, words)
        buffer[start:end] = numbers[start:end]


def in_small_blocks(buffer, words):
    for start in range(0, words, 500):
        buffer[start : min(start + 500, words)] = np.arange(start, min(start + 500, words)) + 1


def by_another_name(buffer, words):
    np.asarray(buffer)[:words] = np.arange(1, words + 1)


# What was tried, what came, what was expected, and the rule that it follows from
FOUR_PARTS = r"Not yet: [^\n]+: [^\n]+\. Expected: [^\n]+\. [^\n]+\.\n"
WRONG = [  # check, answer, and what it says then
    (check.tweak, lambda words, instructions: "0.2 s", "'0.2 s', and should be a number"),
    (
        check.tweak,
        lambda words, instructions: words * 2.375 * 1e-8,
        r"word of \S+ instructions each: the result is",
    ),
    (check.tweak, lambda words, instructions: words * instructions * 1e-5, "the result is"),
    (check.tweak, lambda words, instructions: words * round(instructions) * 1e-8, "the result is"),
    # nanoseconds
    (check.tweak, lambda words, instructions: words * instructions * 10, "the result is"),
    (check.change, all_made_at_once, "bytes of memory"),
    (check.change, in_small_blocks, "it made 2 assignments"),
    (check.change, by_another_name, "in another way"),
    (check.change, whole, r"fill_in_blocks\(buffer, 1001\): it wrote 1,001 in one go"),
    (check.change, loop, "it made 999 assignments"),
    (check.change, from_zero, "word 0 is 0"),
    (check.change, whole_blocks_alone, "word 0 is 7"),
    (check.change, too_much, "wrote more words than that"),
    (check.change, lambda buffer: buffer.sum(), "TypeError"),
    (check.write, crossing, "the result is"),
    (check.write, lambda a, b: max(0, crossing(a, b)), "the result is"),
    (
        check.write,
        lambda a, b: None if crossing(a, b) < 0 else crossing(a, b),
        "the result is None. Expected: 0",
    ),
    (check.write, lambda a, b: a[0] * a[1], "the result is"),
    (check.write, lambda a, b: solution(a, b) or None, "the result is None. Expected: 0"),
    (
        check.write,
        lambda a, b: 0 if b[0] < a[0] else solution(a, b),
        "the result is 0. Expected: None",
    ),
    (check.write, lambda a, b: 1e6 * (solution(a, b) or 0), "the result is"),
    (check.write, lambda a, b: "never", "'never', and should be a number"),
]


def solution(a, b):
    if b[1] > a[1]:
        return max(0, crossing(a, b))
    return 0 if b[1] == a[1] and b[0] < a[0] else None


def by_pieces(buffer, words):
    base = np.arange(1, 1001, dtype=np.uint32)
    while words > 0:
        here = min(words, 1000)
        buffer[:here] = base[:here]
        buffer, words = buffer[here:], words - here
        base += 1000


def by_lists(buffer, words):
    for start in range(0, words + 1, 1000):  # the last block may have no words
        buffer[start : min(start + 1000, words)] = list(
            range(start + 1, min(start + 1000, words) + 1)
        )


def by_views(buffer, words):
    for block in np.split(buffer[:words], range(1000, words, 1000)):
        block[:] = np.arange(block.size) + (by_views.done + 1)
        by_views.done = 0 if by_views.done + block.size == words else by_views.done + block.size


by_views.done = 0

RIGHT = [
    (check.tweak, lambda words, instructions: words * instructions / 100e6),
    (check.tweak, lambda words, instructions: np.float64(words) * instructions * 10 / 1e9),
    (
        check.tweak,
        lambda words, instructions: (
            fractions.Fraction(words) * fractions.Fraction(instructions) / 10**8
        ),
    ),
    (check.change, by_pieces),
    (check.change, by_lists),
    (check.change, by_views),
    (check.write, solution),
    (check.write, lambda a, b: None if solution(a, b) is None else math.ceil(solution(a, b))),
    (check.write, lambda a, b: None if solution(a, b) is None else np.float32(solution(a, b))),
]


@pytest.mark.parametrize("function, answer, says", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(function, answer, says, capsys):
    function(answer)
    said = capsys.readouterr().out
    assert re.fullmatch(FOUR_PARTS, said) and not re.search(r"(\d+,? ){9}", said), said
    assert re.search(says, said), said


@pytest.mark.parametrize("function, answer", RIGHT)
def test_a_right_answer_is_right(function, answer, capsys):
    function(answer)
    said = capsys.readouterr().out
    assert said.startswith("Right: "), said
