"""Checks of 4_firmware. Each builds the student's C, has the IOP run it on words of its own, and
loads the kit's program again."""

import contextlib
import os
import random
import re
import tempfile

import numpy as np

from iop.firmware import BuildError, build
from iop.pynq_tutorial import Pynq_Tutorial

from . import Case, Wrong, allocated, count, says

RESULT = 4  # the word of the mailbox where the exercises' programs put their result
AROUND = 8  # words before and after those that a program is asked for, which it must leave alone
LIMIT = 2**32  # which no word reaches


@says("the IOP writes three words high and one word low, for any length and value.")
def tweak(source, mb_info):
    with running(source, mb_info) as request:
        for length, data in (
            (4, 1),
            (random.randrange(9, 40), random.randrange(2, LIMIT)),
            (7, LIMIT - 1),
        ):
            tried = "{} and the value {}".format(count(length, "word"), data)
            after, _ = request(tried, np.full(length, 9, np.uint32), data)
            for i, word in enumerate(after):
                expected = 0 if i % 4 == 3 else data
                if word != expected:
                    raise Case(
                        tried,
                        expected,
                        "Of each four words the first three are data, and the last is 0.",
                    ).wrong(f"the IOP left {word} in word {i}")


@says("the IOP finds the largest word, above 2147483647 too.")
def change(source, mb_info):
    with running(source, mb_info) as request:
        for length, limit in ((1, 100), (20, 100), (20, LIMIT), (random.randrange(21, 40), LIMIT)):
            words = some_words(length, limit)
            words[-1] = limit - 1 if length == 20 else 0  # the last word counts too
            tried = "{}, of which number {} is the largest".format(
                count(length, "word"), words.argmax()
            )
            after, result = request(tried, words, 0)
            only_read(tried, words, after)
            if result != words.max():
                raise Case(
                    tried,
                    words.max(),
                    "Words are compared by value, as unsigned numbers, from the first to the last.",
                ).wrong(
                    "RESULT is {}{}".format(
                        result,
                        (
                            f", which is word {np.flatnonzero(words == result)[0]}"
                            if result in words
                            else ""
                        ),
                    )
                )


@says("the IOP finds the first match, and says the length where there is none.")
def write(source, mb_info):
    with running(source, mb_info) as request:
        for length, place in (
            (1, 0),
            (20, 0),
            (20, 19),
            (random.randrange(21, 40), random.randrange(1, 19)),
            (20, 20),
        ):
            words = some_words(length, LIMIT // 2)
            data = random.randrange(LIMIT // 2, LIMIT)
            # more than one, if there is room; behind the last word there is none
            words[place::3] = data
            tried = "{}, {}".format(
                count(length, "word"),
                (
                    "and none is equal to data"
                    if place == length
                    else f"of which number {place} is the first that is equal to data"
                ),
            )
            after, result = request(tried, words, data)
            only_read(tried, words, after)
            if result != place:
                raise Case(
                    tried,
                    place,
                    "RESULT is the number of the first match, counted from 0, or the length.",
                ).wrong(f"RESULT is {result}")


def some_words(length, limit):
    return np.array([random.randrange(limit) for _ in range(length)], np.uint32)


def only_read(tried, before, after):
    if (before != after).any():
        raise Case(
            tried, "the words as they were", "The program is only to read the buffer."
        ).wrong(f"it changed word {np.flatnonzero(before != after)[0]}")


def is_filled_in(source):
    """Wrong if the C file is missing, or still has the three dots that the notebook came with."""
    try:
        file = open(source)
    except OSError as error:
        raise Case(source, "a file", "The cell above writes it: run that one first.").wrong(
            error.strerror
        ) from None
    with file:
        # a comment may well have three dots
        if "..." in re.sub(r"(?s)/\*.*?\*/|//[^\n]*", "", file.read()):
            raise Wrong("fill in the cell above, then run both again.")


def built(source, folder):
    """The path of the program that is built of a C file, in a folder. Wrong, with what the compiler
    said, if there is none."""
    try:
        return build(source, os.path.join(folder, "program.bin"))
    except BuildError as error:
        raise Case(
            f"building {os.path.basename(source)}",
            "a program",
            "A message names file, line and column; begin with the "
            "first, for later ones often follow from it.",
        ).wrong(
            next((line for line in str(error).splitlines() if "error: " in line), str(error))
        ) from None


@contextlib.contextmanager
def running(source, mb_info):
    """Builds and loads a program; gives a function that has it serve a request: request(tried,
    words, data) returns the words as they are afterwards, and RESULT. tried: the request, as a
    clause"""
    is_filled_in(source)
    with allocated((100,), np.uint32) as memory, tempfile.TemporaryDirectory() as folder:

        def request(tried, words, data):
            # around the words, where a program has no business
            memory[:] = outside = data ^ (LIMIT - 1)
            part = memory[AROUND : AROUND + len(words)]
            part[:] = words
            now[0] = tried
            iop.write_to_buffer(part, len(words), data, timeout=1)
            if (memory[:AROUND] != outside).any() or (
                memory[AROUND + len(words) :] != outside
            ).any():
                raise Case(
                    tried,
                    "they stay as they were",
                    "The last word is buffer[length - 1]: behind it may be Linux.",
                ).wrong("the program wrote words before or behind them")
            return part.copy(), iop.read_mailbox(RESULT)

        now = ["its start"]  # what is tried
        try:
            iop = Pynq_Tutorial(mb_info, built(source, folder))
            yield request
        except TimeoutError:
            raise Case(
                now[0],
                "an answer within a second",
                "The program sets STATUS first, ends its loops, and sets BUFFER_ADDR to 0 "
                "when all is done.",
            ).wrong("the IOP did not answer") from None
        finally:
            Pynq_Tutorial(mb_info)
