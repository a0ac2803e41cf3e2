"""The checks of 3_mailbox's exercises."""

import random
import threading
import time

import numpy as np
from pynq import MMIO

from iop.buffers import is_allocated
from iop.pynq_tutorial import ARRAY_LENGTH, BUFFER_ADDR, INIT_DATA, MAILBOX, STATUS, STATUS_READY

from . import Wrong, allocated, says


@says("words 20, 21 and 22 are 7, 8 and 9, and no other word changed.")
def tweak(microblaze, buffer, request):
    try:
        address, length, data = (int(word) for word in request)
    except (TypeError, ValueError):
        raise Wrong("the request is {!r}, and not three whole numbers.".format(request)) from None
    if not is_allocated(buffer):  # the IOP would write into memory that is somebody else's by now
        raise Wrong("buffer was freed: run the Set-up again, which allocates another one, and then your answer.")
    first = address - buffer.physical_address
    if first % 4 or not 0 <= first <= first + 4 * length <= buffer.nbytes or length < 1 or data < 0:
        raise Wrong("{:#x} and {} words are not words of the buffer, so the IOP was not told.".format(address, length))
    _start(microblaze)
    buffer[:] = 0
    for word, value in (ARRAY_LENGTH, length), (INIT_DATA, data), (BUFFER_ADDR, address):
        microblaze.write(word, value)
    _wait(microblaze, BUFFER_ADDR, 0)
    changed = np.flatnonzero(buffer).tolist()
    if changed != [20, 21, 22]:
        raise Wrong("it changed {}.".format("no word" if not changed else "the word {}".format(changed[0]) if
                                            len(changed) == 1 else "the words from {} to {}".format(changed[0], changed[-1])))
    if buffer[20] != 7:
        raise Wrong("word 20 became {}.".format(buffer[20]))


@says("it sees a word that is there, waits for one that comes late, and gives up when none comes.")
def change(microblaze, wait_for):
    spare = MMIO(microblaze.mmio.base_addr + MAILBOX + 0x100, 8)  # words that the program does not use
    value = random.randint(2, 1000)
    spare.write(4, value)
    _answer(wait_for(spare, 4, value, 5), True, "the word was there already")
    late = threading.Timer(0.1, spare.write, (4, value + 1))
    late.start()
    _answer(wait_for(spare, 4, value + 1, 5), True, "the word came after 0.1 s of 5 s")
    late.join()
    began = time.monotonic()
    _answer(wait_for(spare, 4, 0, 0.2), False, "another word was there for all of 0.2 s")
    took = time.monotonic() - began
    if not 0.19 < took < 1:
        raise Wrong("told to wait 0.2 s for what never came, it waited {:.3f} s.".format(took))


@says("it writes what is asked for, returns when the IOP is done, refuses what is too long, and does not wait for ever.")
def write(microblaze, write_words):
    _start(microblaze)
    mailbox, written = _recorded(MMIO(microblaze.mmio.base_addr + MAILBOX, 16))
    with allocated((1000000,), np.uint32) as buffer:
        try:
            for length in random.randint(2, 50), 1, buffer.size:
                _filled(microblaze, written, buffer, length, lambda data: write_words(mailbox, buffer, length, data))
            # From here on the IOP stands still, so that a wrong request does no harm.
            microblaze.reset()
            _raises(ValueError, "for {} words, with room for {}".format(buffer.size + 1, buffer.size),
                    lambda: write_words(mailbox, buffer, buffer.size + 1, 1))
            if microblaze.read(BUFFER_ADDR):
                raise Wrong("it refuses {} words, with room for {}, but had already told the IOP to write them.".format(
                    buffer.size + 1, buffer.size))
            began = time.monotonic()
            _raises(TimeoutError, "when the IOP does not answer", lambda: write_words(mailbox, buffer, 1, 1))
            if time.monotonic() - began > 5:
                raise Wrong("it waits {:.0f} s for an IOP that does not answer.".format(time.monotonic() - began))
        finally:
            _start(microblaze)


def _start(microblaze):
    """Whatever was left in the mailbox is gone then, too."""
    microblaze.program()
    _wait(microblaze, STATUS, STATUS_READY)


def _recorded(mailbox):
    """The mailbox, and a list that grows with the offsets that are written."""
    written, write = [], mailbox.write

    def recording(offset, word):
        written.append(offset)
        write(offset, word)
    mailbox.write = recording
    return mailbox, written


def _filled(microblaze, written, buffer, length, write_words):
    data = random.randint(1000, 10**6)
    buffer[:] = 0
    write_words(data)
    if 0 in written and written[-1] != 0:
        raise Wrong("the address is not the last word that it writes, so the IOP may begin before it has the others.")
    if microblaze.read(BUFFER_ADDR):
        _wait(microblaze, BUFFER_ADDR, 0)
        raise Wrong("asked for {} words, it returned before the IOP was done.".format(length))
    if not buffer.any():
        raise Wrong("asked for {} words, it left the buffer as it was.".format(length))
    if (buffer[:length] != np.arange(data, data + length)).any() or buffer[length:].any():
        raise Wrong("asked for {} words from {} on, it left {} words that are not 0, the first of them {}.".format(
            length, data, np.count_nonzero(buffer), buffer[np.flatnonzero(buffer)[0]]))


def _raises(expected, when, function):
    try:
        function()
    except expected:
        return
    except Exception as error:
        raise Wrong("{} it raises {}; a {} was asked for.".format(when, type(error).__name__, expected.__name__)) from None
    raise Wrong("{} it raises nothing; a {} was asked for.".format(when, expected.__name__))


def _answer(answer, expected, when):
    if answer is not expected:
        raise Wrong("{}, and it returned {!r}.".format(when, answer))


def _wait(microblaze, word, value):
    """At most 2 s, for what takes microseconds."""
    end = time.monotonic() + 2
    while microblaze.read(word) != value:
        if time.monotonic() > end:
            raise Wrong("the IOP does not answer; start its program again with microblaze.program().")
