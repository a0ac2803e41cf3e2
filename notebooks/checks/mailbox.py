"""The checks of 3_mailbox's exercises."""

import functools
import numbers
import random
import threading
import time

import numpy as np
from pynq import MMIO

from iop.pynq_tutorial import ARRAY_LENGTH, BUFFER_ADDR, INIT_DATA, MAILBOX, STATUS, STATUS_READY

from . import Case, allocated, count, is_buffer, says, shown, whole
from .limit import TooLong

SLOW = 0.002  # seconds that a word may take to read
LONGEST = 5  # seconds for what should take one
LATE = 0.2  # seconds that an answer is held back, of the one second that there is for it
BEYOND_DDR = 0x20000000


@says("words 20, 21 and 22 are 7, 8 and 9, and no other word changed.")
def tweak(microblaze, buffer, request):
    rule = "The IOP would write into memory that is somebody else's by now."
    case = Case("buffer", "the one of the Set-up, not freed", rule)
    case.holds(is_buffer(buffer), "it was freed, or is a part or a copy of a buffer")

    wanted = "7, 8 and 9 in words 20, 21 and 22, and 0 in all others"
    rule = "BUFFER_ADDR is the first word's byte, ARRAY_LENGTH counts words, INIT_DATA is a value."
    try:
        address, length, data = map(whole, request)
        case = Case(f"request = ({address:#x}, {length:d}, {data:d})", wanted, rule)
    except (TypeError, ValueError):
        case = Case(f"request = {_shown(request)}", wanted, rule)
        raise case.wrong("those are not three whole numbers") from None
    first = address - buffer.physical_address
    inside = first % 4 == 0 and 0 <= first < first + 4 * length <= buffer.nbytes
    came = f"{length} words at {address:#x} are not words of the buffer, so the IOP was not told"
    case.holds(inside and 0 <= data < 2**32, came)
    _start(microblaze)
    buffer[:] = 0
    _ask(microblaze, case, address, length, data)
    changed = np.flatnonzero(buffer).tolist()
    came = f"the words from {changed[0]} to {changed[-1]}" if changed else "no word"
    came = f"the word {changed[0]}" if len(changed) == 1 else came
    case.holds(changed == [20, 21, 22], f"it changed {came}")
    case.holds(buffer[20] == 7, f"word 20 became {buffer[20]}")


def _shown(request):
    if isinstance(request, (tuple, list)):
        return f"({', '.join(map(_shown, request[:4]))})"
    is_address = isinstance(request, numbers.Integral) and request > 0xFFFF
    return hex(request) if is_address else shown(request)


@says("it sees a word that is there, waits for one that comes late, and gives up when none comes.")
def change(microblaze, wait_for):
    # words that the program does not use
    spare = MMIO(microblaze.mmio.base_addr + MAILBOX + 0x100, 8)
    mailbox = Recorded(spare)
    waits = functools.partial(_waits, wait_for, mailbox)
    rule = "It looks at once, at the offset that it was given."
    for offset, value in (4, random.randint(2, 1000)), (0, random.randint(2, 1000)), (4, 0):
        spare.write(offset, value)
        waits((offset, value, 1), f"the word at {offset} is {value} already", (True, 0), rule)
    rule = "It looks at least once, even if there is no time."
    waits((4, 0, 0), "the word is 0 already", (True, 0), rule)
    value = random.randint(2, 1000)
    late = threading.Timer(0.1, spare.write, (4, value))
    rule = "It looks again and again, and returns as soon as the word is there."
    try:
        waits((4, value, 1), "the word comes after 0.1 s", (True, 0.1), rule, late.start)
    finally:
        late.join()
    rule = "It gives up when the time is over that it was given, and not before."
    waits((4, 0, 0.2), "another word is there all the time", (False, 0.2), rule)
    mailbox.slow = SLOW
    rule = "How often it looked says nothing about the time, and a clock does."
    waits((4, 0, 0.2), "each look takes longer than before", (False, 0.2), rule)


def _waits(wait_for, mailbox, request, tried, expected, rule, begin=int):
    """Has wait_for wait.

    Args:
        request: offset, value and seconds.
        expected: the answer, and after how many seconds.
        begin: what is called just before.
    """
    right, after = expected
    tried = "wait_for(mailbox, {}, {}, {}), and {}".format(*request, tried)
    case = Case(tried, f"{right} after {after} s", rule)
    began = time.monotonic()
    begin()
    mailbox.lasts(request[2] + 0.6)
    answer = case.of(wait_for, mailbox, *request)
    took = time.monotonic() - began
    in_time = after - 0.01 < took < after + 0.5
    is_right = isinstance(answer, (bool, np.bool_)) and answer == right
    case.holds(is_right and in_time, f"it returned {shown(answer)} after {took:.2f} s")
    case.holds(not mailbox.written, "it wrote into the mailbox, where it should only look")


@says(
    "it waits until the program is there, writes what is asked for, returns when the IOP is done,"
    " refuses what is too long, and does not wait for ever."
)
def write(microblaze, write_words):
    _start(microblaze)
    mailbox = Recorded(MMIO(microblaze.mmio.base_addr + MAILBOX, 16))
    with allocated((1000000,), np.uint32) as buffer:
        fills = functools.partial(_fills, microblaze, mailbox, write_words, buffer)
        raises = functools.partial(_raises, mailbox, write_words, buffer)
        try:
            for length in random.randint(2, 50), 1, buffer.size:
                fills(length)
            mailbox.late = LATE
            fills(3, f", and the IOP takes {LATE} s")
            mailbox.late = 0
            case = Case("a request beyond DDR", "it is refused", "The program looks at each.")
            _ask(microblaze, case, BEYOND_DDR, 1, 0)
            rule = "STATUS is 2 then: not 0, so the program is there."
            fills(3, ", after the IOP has refused another request", rule)

            microblaze.reset()
            for word in STATUS, BUFFER_ADDR:
                microblaze.write(word, 0)
            starts = threading.Timer(0.1, microblaze.run)
            starts.start()
            rule = "A program that starts clears BUFFER_ADDR: wait first until STATUS is not 0."
            try:
                fills(3, ", and the program starts 0.1 s later", rule)
            finally:
                starts.join()
            case = Case("the program", "it starts", "The check has started it.")
            _wait(microblaze, STATUS, STATUS_READY, case)

            microblaze.reset()  # from here on a wrong request does no harm
            rule = "A length is looked at before the IOP is told anything."
            raises(ValueError, buffer.size + 1, f"a buffer of {buffer.size} words", rule)
            rule = "If the IOP does not answer in time, raise a TimeoutError: do not wait for ever."
            microblaze.write(STATUS, 0)
            raises(TimeoutError, 1, "a program that does not start", rule)
            microblaze.write(STATUS, STATUS_READY)
            mailbox.slow = SLOW
            raises(TimeoutError, 1, "an IOP that does not answer", rule, may_write=True)
        finally:
            _start(microblaze)


class Recorded:
    """The mailbox as the student's function gets it.

    Attributes:
        written: the offsets that were written.
        late: seconds for which the end of a request is not to be seen.
        slow: seconds that it takes to read a word.
    """

    def __init__(self, mailbox):
        self._mailbox, self._asked = mailbox, 0
        self.written, self.late, self.slow = [], 0, 0
        self.lasts(LONGEST)

    def lasts(self, seconds):
        """Whoever reads a word after this time is stopped."""
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def __getattr__(self, name):
        return getattr(self._mailbox, name)

    def write(self, offset, data):
        self.written.append(offset)
        self._asked = time.monotonic()
        self._mailbox.write(offset, data)

    def read(self, offset=0, *options, **more):
        time.sleep(self.slow)
        if time.monotonic() > self._end:
            raise TooLong(self._seconds)
        word = self._mailbox.read(offset, *options, **more)
        return 4 if offset == 0 and time.monotonic() < self._asked + self.late else word


def _fills(microblaze, mailbox, write_words, buffer, length, when="", rule=None):
    rule = rule or "The address comes last, and 0 in its place is the answer."
    data, address = random.randint(1000, 10**6), BUFFER_ADDR - MAILBOX
    tried = f"write_words(mailbox, buffer, {length}, {data}){when}"
    wanted = f"{data} to {data + length - 1} in the first {count(length, 'word')}, and 0 after them"
    case = Case(tried, wanted, rule)
    buffer[:], mailbox.written = 0, []
    for word in ARRAY_LENGTH, INIT_DATA:
        microblaze.write(word, 0)
    mailbox.lasts(LONGEST)
    case.of(write_words, mailbox, buffer, length, data)
    asked = address in mailbox.written
    case.holds(
        not asked or mailbox.written[-1] == address,
        "the address is not the last word that it writes, so the IOP may begin too early",
    )
    if microblaze.read(BUFFER_ADDR):
        _wait(microblaze, BUFFER_ADDR, 0, case)
        raise case.wrong("it returned before the IOP was done")
    own = (microblaze.read(ARRAY_LENGTH), microblaze.read(INIT_DATA)) == (length, data)
    came = "it wrote its request into another mailbox than the one that it was given"
    case.holds(mailbox.written or not own, came)
    words = buffer.nonzero()[0]
    others = ", and the buffer's words are not the IOP's" if words.size else ""
    case.holds(asked, f"it made no request by the mailbox that it was given{others}")
    case.holds(words.size, "it left the buffer as it was")
    right = words.size == length and (buffer[:length] == np.arange(data, data + length)).all()
    came = f"it left {words.size} words that are not 0, the first of them {buffer[words[0]]}"
    case.holds(right, came)


def _raises(mailbox, write_words, buffer, error, length, when, rule, may_write=False):
    """Has write_words raise an error in time, before it writes into the mailbox if it may not."""
    tried = f"write_words(mailbox, buffer, {length}, 1), and {when}"
    case = Case(tried, error.__name__, rule)
    mailbox.written = []
    mailbox.lasts(LONGEST)
    result = case.of(write_words, mailbox, buffer, length, 1, raises=error)
    came = f"it wrote {count(len(mailbox.written), 'word')} into the mailbox first"
    case.holds(may_write or not mailbox.written, came)
    case.holds(result is error, "it raises nothing")


def _start(microblaze):
    """Whatever was left in the mailbox is gone then, too."""
    microblaze.program()
    case = Case("the program of the kit", "it is ready", "Run the Set-up again.")
    _wait(microblaze, STATUS, STATUS_READY, case)


def _ask(microblaze, case, address, length, data):
    for word, value in (ARRAY_LENGTH, length), (INIT_DATA, data), (BUFFER_ADDR, address):
        microblaze.write(word, value)
    _wait(microblaze, BUFFER_ADDR, 0, case)


def _wait(microblaze, word, value, case):
    """At most 2 s, for what takes microseconds."""
    end = time.monotonic() + 2
    while microblaze.read(word) != value:
        case.holds(time.monotonic() < end, "the IOP does not answer")
