"""The checks of 2_iop_example's exercises."""

import contextlib
import random

import numpy as np

from . import Case, allocated, count, is_buffer, says, shown

LENGTH, DATA = 1, 2  # words of the mailbox, in which the last request stays


@says("the IOP has filled the whole buffer, from -500 on.")
def tweak(iop, buffer):
    case = Case(
        "buffer",
        "what xlnk.cma_array() returned, not freed",
        "The IOP can write only what is allocated.",
    )
    if not is_buffer(buffer):
        raise case.wrong(
            "it is {}".format(
                "freed, or a part or a copy of a buffer"
                if isinstance(buffer, np.ndarray)
                else shown(buffer)
            )
        )
    _compare(
        "your request",
        buffer,
        np.arange(-500, -500 + buffer.size),
        "The first word is -500, and each is one more, to the end.",
    )
    request = iop.read_mailbox(LENGTH), iop.read_mailbox(DATA)
    if request != (buffer.size, 2**32 - 500):
        raise Case(
            "the IOP's last request",
            f"one for {buffer.size} words from -500 on",
            "The words are right, but the IOP is to write them, and numpy is not.",
        ).wrong(f"it was for {request[0]} words from {request[1] - (request[1] >> 31 << 32)} on")


@says("the second buffer goes on where the first ends, and the IOP has filled both.")
def change(iop, fill_two):
    for length in 2, random.randint(5, 2000):
        with allocated((length,), np.int32) as first:
            first[:] = 0
            data = random.randint(1, 10**6)
            tried = f"fill_two(first, {data}) with {length} words in first"
            case = Case(
                tried,
                f"the second buffer, with {length} words of type np.uint32",
                "Your function allocates it, and whoever called it has to know it.",
            )
            with _requests(iop) as requests:
                second = case.of(fill_two, first, data)
            try:
                if not is_buffer(second):
                    raise case.wrong(
                        "your function returned {}".format(
                            "no buffer of its own, or a freed one"
                            if isinstance(second, np.ndarray)
                            else shown(second)
                        )
                    )
                if second is first:
                    raise case.wrong("your function returned first")
                if second.dtype != np.uint32 or second.size != length:
                    raise case.wrong(f"it has {second.size} words of type {second.dtype}")
                goes_on = "The first buffer begins with data, and the second goes on where it ends."
                _compare(tried + ", first", first, data + np.arange(length), goes_on)
                _compare(tried + ", second", second, data + length + np.arange(length), goes_on)
                asked = {
                    word
                    for address, words, _ in requests
                    for word in range(address, address + 4 * words, 4)
                }
                for name, buffer in ("first", first), ("second", second):
                    start = buffer.physical_address
                    if not asked.issuperset(range(start, start + 4 * length, 4)):
                        raise Case(
                            tried,
                            "the IOP was asked for all words of both",
                            "The words are right, but the IOP is to write them, and numpy is not.",
                        ).wrong(f"the IOP was not asked for all words of {name}")
            finally:
                if is_buffer(second):
                    second.freebuffer()


@says("it counts down in buffers of any length, and asks the IOP once.")
def write(iop, count_down):
    for spoiled in False, False, True:
        with allocated((random.randint(5, 2000),), np.int32) as buffer:
            buffer[:] = 0
            length, data = buffer.size, random.randint(-1000, 1000)
            tried = f"count_down(buffer, {data}) with {length} words"
            once = Case(
                tried,
                f"one request, for all {length} words",
                "The IOP writes all of them in one go, and numpy does the rest.",
            )
            with _requests(
                iop, (lambda: buffer.__setitem__(2, 10**6)) if spoiled else None
            ) as requests:
                once.of(count_down, buffer, data)
            expected = data - np.arange(length)
            if not spoiled:
                _compare(
                    tried,
                    buffer,
                    expected,
                    "It begins with data, and each word is one less than the one before.",
                )
                if len(requests) != 1:
                    raise once.wrong(f"your function called write_to_buffer {len(requests)} times")
                if requests[0][:2] != (buffer.physical_address, length):
                    raise once.wrong(
                        "your function asked the IOP for {}".format(count(requests[0][1], "word"))
                    )
            elif (buffer == expected).all():
                raise Case(
                    tried
                    + ", and one of the words that the IOP wrote was changed before your numpy"
                    " line",
                    "the change shows",
                    "The line of numpy is to turn what the IOP wrote into the answer, not to write"
                    " one of its own.",
                ).wrong("nothing of it is to be seen in the buffer")


@contextlib.contextmanager
def _requests(iop, afterwards=None):
    """A list that grows with (address, length, data) of each call of iop.write_to_buffer().
    afterwards: called after each."""
    requests, original = [], iop.write_to_buffer

    def recorded(buffer, length, data, timeout=None):
        original(buffer, length, data, timeout)
        requests.append((getattr(buffer, "physical_address", buffer), length, data))
        if afterwards:
            afterwards()

    iop.write_to_buffer = recorded
    try:
        yield requests
    finally:
        del iop.write_to_buffer


def _compare(tried, words, expected, rule):
    words = words.ravel().astype(np.int64)
    different = np.flatnonzero(words != expected)
    if different.size:
        word = different[0]
        raise Case(tried, f"{expected[word]} there", rule).wrong(f"word {word} is {words[word]}")
