"""Checks of 5_performance: each calls the student's function with numbers of its own."""

import math
import random

import numpy as np

from . import Wrong, says

BLOCK = 1000  # words


@says("the least time follows from the length and the loop.")
def tweak(board_at_least):
    for words, instructions in ((1, 1), (10**6, 5), (random.randrange(1, 10**7), random.uniform(2, 20))):
        seconds = number(board_at_least(words, instructions))
        if not math.isclose(seconds, words * instructions / 100e6, rel_tol=1e-6):
            raise Wrong("for {:,} words of {:.3g} instructions each the result is {:.3g} s.".format(
                words, instructions, seconds))


@says("no more than {:,} words at a time, and every word has its value.".format(BLOCK))
def change(fill_in_blocks):
    for words in (1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, random.randrange(5 * BLOCK, 9 * BLOCK)):
        Watched.writes = []
        buffer = np.full(10 * BLOCK, 7, np.uint32).view(Watched)
        fill_in_blocks(buffer, words)
        wrong = np.flatnonzero(np.asarray(buffer)[:words] != np.arange(1, words + 1))
        if wrong.size:
            raise Wrong("asked for {:,} words, word {} is {}.".format(words, wrong[0], buffer[wrong[0]]))
        if (buffer[words:] != 7).any():
            raise Wrong("asked for {:,} words, it wrote more of them.".format(words))
        if max(Watched.writes, default=0) > BLOCK:
            raise Wrong("asked for {:,} words, it wrote {:,} in one go.".format(words, max(Watched.writes)))
        if len(Watched.writes) > words // BLOCK + 1:
            raise Wrong("asked for {:,} words, it wrote {:,} times.".format(words, len(Watched.writes)))


@says("from the latencies and throughputs of two ways follows where one overtakes the other.")
def write(break_even):
    slow, fast = sorted(random.uniform(1e6, 1e9) for _ in range(2))
    early, late = sorted(random.uniform(1e-6, 1e-4) for _ in range(2))
    for a, b, expected in (((1e-6, 1e6), (11e-6, 2e6), 20),
                           ((early, slow), (late, fast), (late - early) / (1 / slow - 1 / fast)),
                           ((early, fast), (late, slow), None),
                           ((late, slow), (early, fast), 0)):
        words = break_even(a, b)
        given = "a = ({:.3g}, {:.3g}), b = ({:.3g}, {:.3g}): ".format(*(a + b))
        if words is None and expected is not None:
            raise Wrong(given + "the result is None, but there b is faster from some length on.")
        if words is not None and (expected is None or not abs(number(words) - expected) <= 1):
            raise Wrong(given + "the result is {:.6g}.".format(words))


class Watched(np.ndarray):
    """An array that notes how many elements each assignment writes."""

    writes = []

    def __setitem__(self, key, value):
        self.writes.append(np.asarray(self)[key].size)
        super().__setitem__(key, value)


def number(value):
    """The value. Wrong if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise Wrong("the result is {!r}, and should be a number.".format(value))
    return value
