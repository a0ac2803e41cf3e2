"""5_performance's checks: plausible wrong answers are told what is wrong with them, in one line."""

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
        buffer[start:start + 1000][:words - start] = np.arange(start, min(start + 1000, words))


def whole_blocks_alone(buffer, words):
    for start in range(0, words // 1000 * 1000, 1000):
        buffer[start:start + 1000] = np.arange(start + 1, start + 1001)


def too_much(buffer, words):
    for start in range(0, words, 1000):
        buffer[start:start + 1000] = np.arange(start + 1, start + 1001)


def crossing(a, b):
    return (b[0] - a[0]) / (1 / a[1] - 1 / b[1])


WRONG = [  # check, answer, and what it says then
    (check.tweak, ..., "fill in the cell above"),
    (check.tweak, lambda words, instructions: "0.2 s", "'0.2 s', and should be a number"),
    (check.tweak, lambda words, instructions: words * 2.375 * 1e-8, r"of \S+ instructions each"),
    (check.tweak, lambda words, instructions: words * instructions * 1e-5, "the result is"),
    (check.tweak, lambda words, instructions: words * round(instructions) * 1e-8, "the result is"),
    (check.change, whole, "asked for 1,001 words, it wrote 1,001 in one go"),
    (check.change, loop, "it wrote 999 times"),
    (check.change, from_zero, "word 0 is 0"),
    (check.change, whole_blocks_alone, "word 0 is 7"),
    (check.change, too_much, "wrote more of them"),
    (check.change, lambda buffer: buffer.sum(), "TypeError"),
    (check.write, crossing, "the result is"),
    (check.write, lambda a, b: max(0, crossing(a, b)), "the result is"),
    (check.write, lambda a, b: None if crossing(a, b) < 0 else crossing(a, b), "None, but there b is faster"),
    (check.write, lambda a, b: a[0] * a[1], "the result is"),
    (check.write, lambda a, b: "never", "'never', and should be a number"),
]


@pytest.mark.parametrize("function, answer, says", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(function, answer, says, capsys):
    function(answer)
    said = capsys.readouterr().out
    assert re.fullmatch("Not yet: .*{}.*\n".format(says), said), said
