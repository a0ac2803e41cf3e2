"""The checks of 2_iop_example's exercises."""

import contextlib
import random

import numpy as np

from . import Case, Untouched, allocated, compare, count, is_buffer, says, shown

LENGTH, DATA = 1, 2  # words of the mailbox, in which the last request stays
ROUND_4 = 3, 2147483646  # the notebook's own last request
NUMPY = "The words are right, but the IOP is to write them, and numpy is not."


@says("the IOP has filled the whole buffer, from -500 on.")
def tweak(iop, buffer):
    is_array = isinstance(buffer, np.ndarray)
    kind = "freed, or a part or a copy of a buffer" if is_array else shown(buffer)
    rule = "The IOP can write only what is allocated."
    case = Case("buffer", "what xlnk.cma_array() returned, not freed", rule)
    case.holds(is_buffer(buffer), f"it is {kind}")
    length, data = iop.read_mailbox(LENGTH), iop.read_mailbox(DATA)
    if (length, data) == ROUND_4:
        raise Untouched
    rule = "The first word is -500, and each is one more, to the end."
    compare("your request", buffer, np.arange(-500, -500 + buffer.size), rule)
    rule = "The words are right, but one request is to have the IOP write all of them."
    case = Case("the IOP's last request", f"one for {buffer.size} words from -500 on", rule)
    came = f"it was for {length} words from {data - (data >> 31 << 32)} on"
    case.holds((length, data) == (buffer.size, 2**32 - 500), came)


@says("the second buffer goes on where the first ends, and the IOP has filled both.")
def change(iop, fill_two):
    for length in 2, random.randint(5, 2000):
        with allocated((length,), np.int32) as first:
            _fills_two(iop, fill_two, first)


def _fills_two(iop, fill_two, first):
    length, data = first.size, random.randint(1, 10**6)
    first[:] = 0
    tried = f"fill_two(first, {data}) with {length} words in first"
    wanted = f"the second buffer, with {length} words of type np.uint32"
    rule = "Your function allocates it, and whoever called it has to know it."
    case = Case(tried, wanted, rule)
    with _requests(iop) as requests:
        second = case.of(fill_two, first, data)
    is_array = isinstance(second, np.ndarray)
    kind = "no buffer of its own, or a freed one" if is_array else shown(second)
    case.holds(is_buffer(second), f"your function returned {kind}")
    case.holds(second is not first, "your function returned first")
    try:
        came = f"it has {second.size} words of type {second.dtype}"
        case.holds(second.dtype == np.uint32 and second.size == length, came)
        rule = "The first buffer begins with data, and the second goes on where it ends."
        compare(tried + ", first", first, data + np.arange(length), rule)
        compare(tried + ", second", second, data + length + np.arange(length), rule)
        asked = {address + 4 * i for address, words, _ in requests for i in range(words)}
        case = Case(tried, "the IOP was asked for all words of both", NUMPY)
        for name, buffer in ("first", first), ("second", second):
            start = buffer.physical_address
            all_of_it = asked.issuperset(range(start, start + 4 * length, 4))
            case.holds(all_of_it, f"the IOP was not asked for all words of {name}")
    finally:
        second.freebuffer()


@says("it counts down in buffers of any length, and asks the IOP once.")
def write(iop, count_down):
    for spoiled in False, False, True:
        with allocated((random.randint(5, 2000),), np.int32) as buffer:
            _counts_down(iop, count_down, buffer, spoiled)


def _counts_down(iop, count_down, buffer, spoiled):
    """spoiled: a word changes after the IOP wrote it, which the answer has to show."""
    length, data = buffer.size, random.randint(-1000, 1000)
    buffer[:] = 0
    tried = f"count_down(buffer, {data}) with {length} words"
    rule = "The IOP writes all of them in one go, and numpy does the rest."
    case = Case(tried, f"one request, for all {length} words", rule)
    with _requests(iop, (lambda: buffer.__setitem__(2, 10**6)) if spoiled else None) as requests:
        case.of(count_down, buffer, data)
    expected = data - np.arange(length)
    if spoiled:
        tried += ", and one of the words that the IOP wrote was changed before your numpy line"
        rule = "The line of numpy is to use what the IOP wrote, not to write an answer of its own."
        came = "nothing of it is to be seen in the buffer"
        Case(tried, "the change shows", rule).holds((buffer != expected).any(), came)
        return
    rule = "It begins with data, and each word is one less than the one before."
    compare(tried, buffer, expected, rule)
    came = f"your function called write_to_buffer {len(requests)} times"
    case.holds(len(requests) == 1, came)
    address, words, _ = requests[0]
    came = f"your function asked the IOP for {count(words, 'word')}"
    case.holds((address, words) == (buffer.physical_address, length), came)


@contextlib.contextmanager
def _requests(iop, afterwards=None):
    """A list of (address, length, data), one for each call of iop.write_to_buffer() in the block.

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
