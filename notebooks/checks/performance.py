"""The checks of 5_performance's exercises, which call functions with numbers of their own."""

import math
import numbers
import random
import sys
import tracemalloc

import numpy as np

from . import Case, compare, count, says, shown
from .limit import names_of

BLOCK = 1000  # words
MEMORY = 100000  # bytes for a block and its numbers: twelve times 1000 numbers of 8 bytes
RATE = 100e6  # instructions a second


@says("the least time follows from the length and the loop.")
def tweak(board_at_least):
    rule = "A board's MicroBlaze runs at 100 MHz: at best one instruction in a cycle of 10 ns."
    any_other = random.randrange(1, 10**7), random.uniform(2, 20)
    for words, instructions in (1, 1), (10**6, 5), any_other:
        tried = f"{count(words, 'word')} of {instructions:.3g} instructions each"
        expected = words * instructions / RATE
        case = Case(tried, f"{expected:.4g} s", rule)
        seconds = _number(case, case.of(board_at_least, words, instructions))
        right = math.isclose(seconds, expected, rel_tol=1e-6)
        case.holds(right, f"the result is {float(seconds):.4g} s")


@says(f"no more than {BLOCK:,} words at a time, in little memory, and every word has its value.")
def change(fill_in_blocks):
    many = random.randrange(5 * BLOCK, 9 * BLOCK)
    for words in 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, many, 200 * BLOCK:
        _fills(fill_in_blocks, words)


def _fills(fill_in_blocks, words):
    buffer = np.full(words + BLOCK, 7, np.uint32)
    tried = f"fill_in_blocks(buffer, {words})"
    wanted = f"1, 2, 3, ... in the first {count(words, 'word')}, and all others as they were"
    rule = "The last block has only the words that are left."
    case = Case(tried, wanted, rule)
    tracemalloc.start()
    try:
        case.of(fill_in_blocks, buffer, words)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    compare(tried, buffer[:words], np.arange(1, words + 1), rule)
    case.holds((buffer[words:] == 7).all(), "it wrote more words than that")

    buffer[:] = 0
    writes = _writes(case, fill_in_blocks, buffer, words)
    fewest = -(-words // BLOCK)
    wanted = f"{count(fewest, 'assignment')}, each of at most {BLOCK:,} words"
    rule = "Each assignment takes its time whatever its length, and what it assigns takes memory."
    case = Case(tried, wanted, rule)
    case.holds(max(writes) <= BLOCK, f"it wrote {max(writes):,} in one go")
    case.holds(len(writes) <= fewest, f"it made {count(len(writes), 'assignment')}")
    rule = "Make a block's numbers when it is written: all at once they take as much as the whole."
    case = Case(tried, f"less than {MEMORY:,} bytes", rule)
    case.holds(memory <= MEMORY, f"it took up to {memory:,} bytes of memory")


@says("your function finds the length from which on one way is faster than the other.")
def write(break_even):
    slow, fast = sorted(random.uniform(1e6, 1e9) for _ in range(2))
    early, late = sorted(random.uniform(1e-6, 1e-4) for _ in range(2))
    cross = (late - early) / (1 / slow - 1 / fast)
    same = "That is where latency + words / throughput is the same for both."
    never = "From some length on a is as fast or faster."
    always = "b is faster from the first word on."
    for a, b, expected, rule in (
        ((1e-6, 1e6), (11e-6, 2e6), 20, "At 20 words both take 21 microseconds."),
        ((early, slow), (late, fast), cross, same),
        ((early, fast), (late, slow), None, never),
        ((late, slow), (early, fast), 0, always),
        ((late, fast), (early, fast), 0, always),
        ((early, fast), (late, fast), None, never),
        ((early, slow), (early, fast), 0, always),
        ((late, fast), (early, slow), None, never),
    ):
        tried = "break_even(({:.3g}, {:.3g}), ({:.3g}, {:.3g}))".format(*a + b)
        case = Case(tried, f"{expected:.6g}" if expected else expected, rule)
        words = case.of(break_even, a, b)
        right = words is expected is None
        if None not in (words, expected):
            right = abs(_number(case, words) - expected) <= (1 if expected else 1e-6)
        came = f"{words:.6g}" if isinstance(words, float) else shown(words)
        case.holds(right, f"the result is {came}")


def _writes(case, function, buffer, words):
    """How many words of an array of zeros a line of the function changed, for each time that it ran
    and changed any. It does not matter how it changes them."""
    before, writes, students = buffer.copy(), [], names_of([function])

    def look(frame, event, argument):
        if not any(frame.f_globals is names for names in students):
            return None
        changed = np.count_nonzero(before != buffer)
        if changed:
            writes.append(changed)
            before[:] = buffer
        return look

    tracing = sys.gettrace()
    sys.settrace(look)
    try:
        case.of(function, buffer, words)
    finally:
        sys.settrace(tracing)
    return writes


def _number(case, value):
    """The value. Wrong if it is not a number."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    case.holds(number, f"the result is {shown(value)}, and should be a number")
    return value
