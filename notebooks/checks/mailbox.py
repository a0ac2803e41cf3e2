"""The checks of 3_mailbox's exercises."""

import random
import threading
import time

import numpy as np
from pynq import MMIO

from iop.pynq_tutorial import ARRAY_LENGTH, BUFFER_ADDR, INIT_DATA, MAILBOX, STATUS, STATUS_READY

from . import Case, allocated, count, is_buffer, says, shown, whole

LATE = 0.2  # seconds that an answer is held back, of the one second that there is for it


@says("words 20, 21 and 22 are 7, 8 and 9, and no other word changed.")
def tweak(microblaze, buffer, request):
    case = Case(
        "buffer",
        "the one of the Set-up, not freed",
        "The IOP would write into memory that is somebody else's by now.",
    )
    if not is_buffer(buffer):
        raise case.wrong("it was freed, or is a part or a copy of a buffer")
    case = Case(
        f"request = {shown(request)}",
        "7, 8 and 9 in words 20, 21 and 22, and 0 in all others",
        "BUFFER_ADDR is the byte where the first word lies, ARRAY_LENGTH counts words, and"
        " INIT_DATA is the first value.",
    )
    try:
        address, length, data = [whole(word) for word in request]
    except (TypeError, ValueError):
        address = None
    if address is None or length is None or data is None:
        raise case.wrong("those are not three whole numbers")
    first = address - buffer.physical_address
    if (
        first % 4
        or not 0 <= first <= first + 4 * length <= buffer.nbytes
        or length < 1
        or not 0 <= data < 2**32
    ):
        raise case.wrong(
            f"{length} words at {address:#x} are not words of the buffer, so the IOP was not told"
        )
    _start(microblaze)
    buffer[:] = 0
    for word, value in (ARRAY_LENGTH, length), (INIT_DATA, data), (BUFFER_ADDR, address):
        microblaze.write(word, value)
    _wait(microblaze, BUFFER_ADDR, 0, case)
    changed = np.flatnonzero(buffer).tolist()
    if changed != [20, 21, 22]:
        raise case.wrong(
            "it changed {}".format(
                "no word"
                if not changed
                else (
                    f"the word {changed[0]}"
                    if len(changed) == 1
                    else f"the words from {changed[0]} to {changed[-1]}"
                )
            )
        )
    if buffer[20] != 7:
        raise case.wrong(f"word 20 became {buffer[20]}")


@says("it sees a word that is there, waits for one that comes late, and gives up when none comes.")
def change(microblaze, wait_for):
    # words that the program does not use
    spare = MMIO(microblaze.mmio.base_addr + MAILBOX + 0x100, 8)
    for offset, value in (4, random.randint(2, 1000)), (0, random.randint(2, 1000)), (4, 0):
        spare.write(offset, value)
        _waits(
            wait_for,
            spare,
            offset,
            value,
            1,
            f"the word at {offset} is {value} already",
            True,
            0,
            "It looks at once, at the offset that it was given",
        )
    value = random.randint(2, 1000)
    late = threading.Timer(0.1, spare.write, (4, value))
    try:
        _waits(
            wait_for,
            spare,
            4,
            value,
            1,
            "the word comes after 0.1 s",
            True,
            0.1,
            "It looks again and again, and returns as soon as the word is there",
            late,
        )
    finally:
        late.join()
    _waits(
        wait_for,
        spare,
        4,
        0,
        0.2,
        "another word is there all the time",
        False,
        0.2,
        "It gives up when the time is over that it was given, and not before",
    )


def _waits(wait_for, spare, offset, value, seconds, tried, expected, after, rule, late=None):
    """late: a thread that is started with it"""
    case = Case(
        f"wait_for(mailbox, {offset}, {value}, {seconds}), and {tried}",
        f"{expected} after {after} s",
        rule + ".",
    )
    began = time.monotonic()
    if late is not None:
        late.start()
    answer = case.of(wait_for, spare, offset, value, seconds)
    took = time.monotonic() - began
    if (
        not isinstance(answer, (bool, np.bool_))
        or answer != expected
        or not after - 0.01 < took < after + 0.5
    ):
        raise case.wrong(f"it returned {shown(answer)} after {took:.1f} s")


@says(
    "it waits until the program is there, writes what is asked for, returns when the IOP is done,"
    " refuses what is too long, and does not wait for ever."
)
def write(microblaze, write_words):
    _start(microblaze)
    mailbox = Recorded(MMIO(microblaze.mmio.base_addr + MAILBOX, 16))
    with allocated((1000000,), np.uint32) as buffer:
        try:
            for length in random.randint(2, 50), 1, buffer.size:
                _filled(microblaze, mailbox, write_words, buffer, length)
            mailbox.late = LATE
            _filled(microblaze, mailbox, write_words, buffer, 3, f", and the IOP takes {LATE} s")
            mailbox.late = 0
            for word, value in (ARRAY_LENGTH, 1), (BUFFER_ADDR, 0x20000000):  # beyond DDR
                microblaze.write(word, value)
            _wait(
                microblaze,
                BUFFER_ADDR,
                0,
                Case("a request beyond DDR", "it is refused", "The program looks at each."),
            )
            _filled(
                microblaze,
                mailbox,
                write_words,
                buffer,
                3,
                ", after the IOP has refused another request",
                "STATUS is 2 then: not 0, so the program is there.",
            )
            # The program starts only after the function was called.
            microblaze.reset()
            for word in STATUS, BUFFER_ADDR:
                microblaze.write(word, 0)
            starts = threading.Timer(0.1, microblaze.run)
            starts.start()
            try:
                _filled(
                    microblaze,
                    mailbox,
                    write_words,
                    buffer,
                    3,
                    ", and the program starts 0.1 s later",
                    "A program that starts clears BUFFER_ADDR, and with it a request that came too"
                    " early: wait first until STATUS is not 0.",
                )
            finally:
                starts.join()
            _wait(
                microblaze,
                STATUS,
                STATUS_READY,
                Case("the program", "it starts", "The check has started it."),
            )
            # From here on the IOP stands still, so that a wrong request does no harm.
            microblaze.reset()
            _refused(mailbox, write_words, buffer)
            _raises(
                TimeoutError,
                "Nobody is helped by a host that waits for ever, nor by one that says that all is"
                " well",
                mailbox,
                write_words,
                buffer,
                1,
                "an IOP that does not answer",
            )
        finally:
            _start(microblaze)


class Recorded:
    """The mailbox as the student's function gets it. written: the offsets that were written; late:
    seconds for which the end of a request is not to be seen."""

    def __init__(self, mailbox):
        self._mailbox, self._asked = mailbox, 0
        self.written, self.late = [], 0

    def __getattr__(self, name):
        return getattr(self._mailbox, name)

    def write(self, offset, data):
        self.written.append(offset)
        self._asked = time.monotonic()
        self._mailbox.write(offset, data)

    def read(self, offset=0, *options, **more):
        word = self._mailbox.read(offset, *options, **more)
        return 4 if offset == 0 and time.monotonic() < self._asked + self.late else word


def _start(microblaze):
    """Whatever was left in the mailbox is gone then, too."""
    microblaze.program()
    _wait(
        microblaze,
        STATUS,
        STATUS_READY,
        Case("the program of the kit", "it is ready", "Run the Set-up again."),
    )


def _filled(
    microblaze,
    mailbox,
    write_words,
    buffer,
    length,
    when="",
    rule="The address comes last, and 0 in its place is the answer.",
):
    data = random.randint(1000, 10**6)
    case = Case(
        f"write_words(mailbox, buffer, {length}, {data}){when}",
        f"{data} to {data + length - 1} in the first {length} words, and nothing in the others",
        rule,
    )
    buffer[:], mailbox.written = 0, []
    case.of(write_words, mailbox, buffer, length, data)
    if BUFFER_ADDR - MAILBOX in mailbox.written and mailbox.written[-1] != BUFFER_ADDR - MAILBOX:
        raise case.wrong(
            "the address is not the last word that it writes, so the IOP may begin before it has"
            " the others"
        )
    if microblaze.read(BUFFER_ADDR):
        _wait(microblaze, BUFFER_ADDR, 0, case)
        raise case.wrong("it returned before the IOP was done")
    if BUFFER_ADDR - MAILBOX not in mailbox.written:
        raise case.wrong(
            "it made no request"
            + (", and the buffer's words are not the IOP's" if buffer.any() else "")
        )
    if not buffer.any():
        raise case.wrong("it left the buffer as it was")
    if (buffer[:length] != np.arange(data, data + length)).any() or buffer[length:].any():
        raise case.wrong(
            f"it left {np.count_nonzero(buffer)} words that are not 0, the first of them"
            f" {buffer[np.flatnonzero(buffer)[0]]}"
        )


def _refused(mailbox, write_words, buffer):
    mailbox.written = []
    _raises(
        ValueError,
        "A length is looked at before the IOP is told anything",
        mailbox,
        write_words,
        buffer,
        buffer.size + 1,
        f"a buffer of {buffer.size} words",
    )
    if mailbox.written:
        raise Case(
            f"write_words(mailbox, buffer, {buffer.size + 1}, 1), and a buffer of {buffer.size}"
            " words",
            "ValueError, and the mailbox as it was",
            "What is in the mailbox, a later request may use.",
        ).wrong("it wrote {} into the mailbox first".format(count(len(mailbox.written), "word")))


def _raises(expected, rule, mailbox, write_words, buffer, length, when):
    case = Case(
        f"write_words(mailbox, buffer, {length}, 1), and {when}", expected.__name__, rule + "."
    )
    began = time.monotonic()
    if case.of(write_words, mailbox, buffer, length, 1, raises=expected) is not expected:
        raise case.wrong("it raises nothing")
    if time.monotonic() - began > 5:
        raise case.wrong(f"it waits {time.monotonic() - began:.0f} s")


def _wait(microblaze, word, value, case):
    """At most 2 s, for what takes microseconds."""
    end = time.monotonic() + 2
    while microblaze.read(word) != value:
        if time.monotonic() > end:
            raise case.wrong("the IOP does not answer")
