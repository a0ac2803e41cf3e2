"""The checks of 4_firmware's exercises.

Each builds the student's C, has the IOP run it, and loads the kit's program again."""

import contextlib
import os
import random
import re
import tempfile

import numpy as np

from iop.firmware import BuildError, build
from iop.pynq_tutorial import Pynq_Tutorial

from . import Case, Untouched, allocated, compare, count, says

RESULT = 4  # the word of the mailbox where the exercises' programs put their result
ANSWERS_WITHIN = 5  # seconds; of a busy machine, too
AROUND = 8  # words before and after those that a program is asked for, which it must leave alone
OUTSIDE = 0xA5A5A5A5  # what these words hold; no program has a reason to write just this
LIMIT = 2**32  # which no word reaches
ONLY_READ = "The program is only to read the buffer."


@says("the IOP writes three words high and one word low, for any length and value.")
def tweak(source, mb_info):
    rule = "Of each four words the first three are data, and the last is 0."
    any_other = random.randrange(9, 40), random.randrange(2, LIMIT)
    with running(source, mb_info) as request:
        for length, data in (4, 1), any_other, (7, LIMIT - 1):
            tried = f"{count(length, 'word')} and the value {data}"
            after, _ = request(tried, np.full(length, 9, np.uint32), data)
            compare(tried, after, np.where(np.arange(length) % 4 == 3, 0, data), rule)


@says("the IOP finds the largest word, above 2147483647 too.")
def change(source, mb_info):
    rule = "Words are compared by value, as unsigned numbers, from the first to the last."
    with running(source, mb_info) as request:
        for length, limit in (1, 100), (20, 100), (20, LIMIT), (random.randrange(21, 40), LIMIT):
            words = some_words(length, limit)
            words[-1] = limit - 1 if length == 20 else 0  # the last word counts too
            largest = words.argmax()
            tried = f"{count(length, 'word')}, of which number {largest} is the largest"
            after, result = request(tried, words, 0)
            compare(tried, after, words, ONLY_READ)
            found = [f", which is word {place}" for place in np.flatnonzero(words == result)]
            came = f"RESULT is {result}{''.join(found[:1])}"
            Case(tried, words[largest], rule).holds(result == words[largest], came)


@says("the IOP finds the first match, and says the length where there is none.")
def write(source, mb_info):
    rule = "RESULT is the number of the first match, counted from 0, or the length."
    any_other = random.randrange(21, 40), random.randrange(1, 19)
    only_reads(source)
    with running(source, mb_info) as request:
        for length, place in (1, 0), (20, 0), (20, 19), any_other, (20, 20):
            words = some_words(length, LIMIT // 2)
            data = random.randrange(LIMIT // 2, LIMIT)
            # more than one, if there is room; behind the last word there is none
            words[place::3] = data
            match = f"and number {place} is the first that is equal to data"
            match = match if place < length else "and none is equal to data"
            tried = f"{count(length, 'word')}, {match}"
            after, result = request(tried, words, data)
            compare(tried, after, words, ONLY_READ)
            Case(tried, place, rule).holds(result == place, f"RESULT is {result}")


def only_reads(source):
    """Wrong if the compiler finds that a C file writes into the buffer, if only for a moment."""
    is_filled_in(source)
    with open(source) as file, tempfile.TemporaryDirectory() as folder:
        constant = os.path.join(folder, os.path.basename(source))
        with open(constant, "w") as copy:
            copy.write(re.sub(r"(volatile unsigned \*\s*buffer\b)", r"const \1", file.read()))
        try:
            build(constant, os.path.join(folder, "program.bin"))
        except BuildError as error:
            line = re.search(r"(?m)^.*error: .* of read-only .*$", str(error))
            case = Case("the program", "it only reads the buffer", ONLY_READ)
            case.holds(not line, f"it writes into the buffer ({line and line.group()})")


def some_words(length, limit):
    return np.array([random.randrange(limit) for _ in range(length)], np.uint32)


def is_filled_in(source):
    """Wrong if the C file is missing, or still has the three dots that the notebook came with."""
    try:
        with open(source) as file:
            code = file.read()
    except OSError as error:
        case = Case(source, "a file", "The cell above writes it: run that one first.")
        raise case.wrong(error.strerror) from None
    if "..." in re.sub(r"(?s)/\*.*?\*/|//[^\n]*", "", code):  # a comment may well have them
        raise Untouched


def built(source, folder):
    """The path of the program that is built of a C file. Wrong, with the compiler's message."""
    try:
        return build(source, os.path.join(folder, "program.bin"))
    except BuildError as error:
        text = str(error)
        rule = "A message names file, line and column. Later ones often follow from the first."
        case = Case(f"building {os.path.basename(source)}", "a program", rule)
        errors = [line for line in text.splitlines() if "error: " in line]
        wrong = case.wrong((errors or [text])[0])
        wrong.details = text
        raise wrong from None


def is_intact(tried, memory, length):
    """Wrong if a word changed before or behind those that a program was asked for."""
    rule = "The last word is number length - 1: behind it may be Linux, and nobody checks in C."
    case = Case(tried, "they stay as they were", rule)
    around = np.concatenate([memory[:AROUND], memory[AROUND + length :]])
    came = f"it wrote words before or behind the {count(length, 'word')}"
    case.holds((around == OUTSIDE).all(), came)


@contextlib.contextmanager
def running(source, mb_info):
    """Builds and loads a program. Gives a function that has it serve a request.

    request(tried, words, data) returns the words as they are afterwards, and RESULT. tried is what
    is asked for, as a clause."""
    is_filled_in(source)
    tries = ["its start"]
    with allocated((100,), np.uint32) as memory, tempfile.TemporaryDirectory() as folder:

        def request(tried, words, data):
            memory[:] = OUTSIDE
            part = memory[AROUND : AROUND + len(words)]
            part[:] = words
            tries.append(tried)
            iop.write_to_buffer(part, len(words), data, timeout=ANSWERS_WITHIN)
            is_intact(tried, memory, len(words))
            return part.copy(), iop.read_mailbox(RESULT)

        try:
            iop = Pynq_Tutorial(mb_info, built(source, folder))
            yield request
        except TimeoutError:
            rule = "A program sets STATUS first, ends its loops, and at last sets BUFFER_ADDR to 0."
            case = Case(tries[-1], f"an answer within {ANSWERS_WITHIN} seconds", rule)
            raise case.wrong("the IOP did not answer") from None
        finally:
            Pynq_Tutorial(mb_info)
