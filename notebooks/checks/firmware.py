"""Checks of 4_firmware. Each builds the student's C, has the IOP run it on words of its own, and loads the kit's program
again."""

import contextlib
import os
import random
import re
import tempfile

import numpy as np

from iop.firmware import BuildError, build
from iop.pynq_tutorial import Pynq_Tutorial

from . import Wrong, allocated, says

RESULT = 4  # the word of the mailbox where the exercises' programs put their result
AROUND = 8  # words before and after those that a program is asked for, which it must leave alone
LIMIT = 2**32  # which no word reaches
NO_ANSWER = ("the IOP did not answer: does the program set STATUS first, end its loops, and set BUFFER_ADDR to 0 when all is "
             "done?")


@says("the IOP writes three words high and one word low, for any length and value.")
def tweak(source, mb_info):
    with running(source, mb_info) as request:
        for length, data in ((4, 1), (random.randrange(9, 40), random.randrange(2, LIMIT)), (7, LIMIT - 1)):
            after, _ = request(np.full(length, 9, np.uint32), data)
            for i, word in enumerate(after):
                if word != (0 if i % 4 == 3 else data):
                    raise Wrong("asked for {} words and the value {}, the IOP left {} in word {}.".format(
                        length, data, word, i))


@says("the IOP finds the largest word, above 2147483647 too.")
def change(source, mb_info):
    with running(source, mb_info) as request:
        for length, limit in ((1, 100), (20, 100), (20, LIMIT), (random.randrange(21, 40), LIMIT)):
            words = some_words(length, limit)
            words[-1] = limit - 1 if length == 20 else 0  # the last word counts too
            after, result = request(words, 0)
            only_read(words, after)
            if result != words.max():
                raise Wrong("the words are {}, and RESULT is {}.".format(words.tolist(), result))


@says("the IOP finds the first match, and says the length where there is none.")
def write(source, mb_info):
    with running(source, mb_info) as request:
        for length, place in ((1, 0), (20, 0), (20, 19), (random.randrange(21, 40), random.randrange(1, 19)), (20, 20)):
            words = some_words(length, LIMIT // 2)
            data = random.randrange(LIMIT // 2, LIMIT)
            words[place::3] = data  # more than one, if there is room; behind the last word there is none
            after, result = request(words, data)
            only_read(words, after)
            if result != place:
                raise Wrong("{} is looked for in the words {}, and RESULT is {}.".format(data, words.tolist(), result))


def some_words(length, limit):
    return np.array([random.randrange(limit) for _ in range(length)], np.uint32)


def only_read(before, after):
    if (before != after).any():
        raise Wrong("the program is only to read the buffer, and it changed word {}.".format(
            np.flatnonzero(before != after)[0]))


def is_filled_in(source):
    with open(source) as file:
        if "..." in re.sub(r"(?s)/\*.*?\*/|//[^\n]*", "", file.read()):  # a comment may well have three dots
            raise Wrong("fill in the cell above, then run both again.")


@contextlib.contextmanager
def running(source, mb_info):
    """Builds and loads a program; gives a function that has it serve a request: request(words, data) returns the words
    as they are afterwards, and RESULT."""
    is_filled_in(source)
    with allocated((100,), np.uint32) as memory, tempfile.TemporaryDirectory() as folder:
        def request(words, data):
            memory[:] = outside = data ^ (LIMIT - 1)  # around the words, where a program has no business
            part = memory[AROUND:AROUND + len(words)]
            part[:] = words
            iop.write_to_buffer(part, len(words), data, timeout=1)
            if (memory[:AROUND] != outside).any() or (memory[AROUND + len(words):] != outside).any():
                raise Wrong("asked for {} words, the program wrote before or behind them.".format(len(words)))
            return part.copy(), iop.read_mailbox(RESULT)

        try:
            iop = Pynq_Tutorial(mb_info, build(source, os.path.join(folder, "program.bin")))
            yield request
        except BuildError as error:
            raise Wrong(next((line for line in str(error).splitlines() if "error: " in line), str(error)))
        except TimeoutError:
            raise Wrong(NO_ANSWER)
        finally:
            Pynq_Tutorial(mb_info)
