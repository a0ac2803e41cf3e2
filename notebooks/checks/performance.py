"""Checks of 5_performance: each calls the student's function with numbers of its own."""

import math
import numbers
import random
import tracemalloc

import numpy as np

from . import Case, count, says, shown

BLOCK = 1000  # words
# bytes that a block and what is computed for it may take: twelve times what 1000 numbers of 8 bytes
# do
MEMORY = 100000


@says("the least time follows from the length and the loop.")
def tweak(board_at_least):
    for words, instructions in (
        (1, 1),
        (10**6, 5),
        (random.randrange(1, 10**7), random.uniform(2, 20)),
    ):
        case = Case(
            "{} of {:.3g} instructions each".format(count(words, "word"), instructions),
            f"{words * instructions / 100e6:.4g} s",
            "A board's MicroBlaze runs at 100 MHz and finishes one instruction in a cycle of 10 ns"
            " at best.",
        )
        seconds = _number(case, case.of(board_at_least, words, instructions))
        if not math.isclose(seconds, words * instructions / 100e6, rel_tol=1e-6):
            raise case.wrong(f"the result is {seconds:.4g} s")


@says(f"no more than {BLOCK:,} words at a time, in little memory, and every word has its value.")
def change(fill_in_blocks):
    for words in (
        1,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        5 * BLOCK,
        random.randrange(5 * BLOCK, 9 * BLOCK),
        200 * BLOCK,
    ):
        buffer = np.full(words + BLOCK, 7, np.uint32).view(Watched)
        Watched.writes = []
        tried = f"fill_in_blocks(buffer, {words})"
        values = Case(
            tried,
            "1, 2, 3, ... in the first {}, and all others as they were".format(
                count(words, "word")
            ),
            "The last block has only the words that are left.",
        )
        tracemalloc.start()
        try:
            values.of(fill_in_blocks, buffer, words)
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        wrong = np.flatnonzero(np.asarray(buffer)[:words] != np.arange(1, words + 1))
        if wrong.size:
            raise values.wrong(f"word {wrong[0]} is {np.asarray(buffer)[wrong[0]]}")
        if (np.asarray(buffer)[words:] != 7).any():
            raise values.wrong("it wrote more words than that")
        most, fewest = max(Watched.writes, default=0), -(-words // BLOCK)
        blocks = Case(
            tried,
            "{} like buffer[a:b] = ..., of at most {:,} words".format(
                count(fewest, "assignment"), BLOCK
            ),
            "Each assignment takes its time whatever its length, and what it assigns takes memory.",
        )
        if sum(Watched.writes) < words:
            raise blocks.wrong("words were written in another way, which cannot be counted here")
        if most > BLOCK:
            raise blocks.wrong(f"it wrote {most:,} in one go")
        if len(list(filter(None, Watched.writes))) > fewest:  # one of no words at all does no harm
            raise blocks.wrong("it made {}".format(count(len(Watched.writes), "assignment")))
        if memory > MEMORY:
            raise Case(
                tried,
                f"less than {MEMORY:,} bytes",
                "A block's numbers are made when the block is written: all at "
                "once they take as much memory as the whole.",
            ).wrong(f"it took up to {memory:,} bytes of memory")


@says("from the latencies and throughputs of two ways follows where one overtakes the other.")
def write(break_even):
    slow, fast = sorted(random.uniform(1e6, 1e9) for _ in range(2))
    early, late = sorted(random.uniform(1e-6, 1e-4) for _ in range(2))
    never, always = (
        "From some length on a is as fast or faster.",
        "b is faster from the first word on.",
    )
    for a, b, expected, rule in (
        ((1e-6, 1e6), (11e-6, 2e6), 20, "At 20 words both take 21 microseconds."),
        (
            (early, slow),
            (late, fast),
            (late - early) / (1 / slow - 1 / fast),
            "That is where latency + words / throughput is the same for both.",
        ),
        ((early, fast), (late, slow), None, never),
        ((late, slow), (early, fast), 0, always),
        ((late, fast), (early, fast), 0, always),
        ((early, fast), (late, fast), None, never),
        ((early, slow), (early, fast), 0, always),
        ((late, fast), (early, slow), None, never),
    ):
        case = Case(
            "break_even(({:.3g}, {:.3g}), ({:.3g}, {:.3g}))".format(*(a + b)),
            expected if not expected else f"{expected:.6g}",
            rule,
        )
        words = case.of(break_even, a, b)
        if words is None and expected is None:
            continue
        if (
            words is None
            or expected is None
            or not abs(_number(case, words) - expected) <= (1 if expected else 1e-6)
        ):
            raise case.wrong(
                "the result is {}".format(
                    f"{words:.6g}" if isinstance(words, float) else shown(words)
                )
            )


class Watched(np.ndarray):
    """An array that notes how many elements each assignment writes."""

    writes = []

    def __setitem__(self, key, value):
        self.writes.append(np.asarray(self)[key].size)
        super().__setitem__(key, value)


def _number(case, value):
    """The value. Wrong if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise case.wrong(f"the result is {shown(value)}, and should be a number")
    return value
