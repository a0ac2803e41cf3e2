"""The exercises' checks: what they say to answers that look right, on the real IOP. nbval has them
say Right to the solutions."""

import gc
import os
import posix
import re
import signal
import sys
import threading
import time
import weakref
from os import _exit

import checks
import numpy as np
import pytest
from checks import iop_example, limit, mailbox, memory, safety
from pynq import MMIO

from helpers.waiting import soon
from iop.pynq_tutorial import MAILBOX, PROGRAM
from iop.xlnk import Xlnk

pytestmark = pytest.mark.slow


@pytest.fixture
def said(capsys):
    """A function that runs a check and returns the one line that it prints."""

    def run(check, *answers):
        check(*answers)
        out, error = capsys.readouterr()
        assert out.count("\n") == 1 and not error
        return out.rstrip("\n")

    return run


@pytest.fixture
def microblaze(iop, overlay):
    """The same IOP, its program ready, in pynq's own hands."""
    from pynq.lib import PynqMicroblaze

    microblaze = PynqMicroblaze(overlay.iop1.mb_info, PROGRAM)
    iop.reset()
    return microblaze


# What they share

# What was tried, what came, what was expected, and the rule that it follows from
FOUR_PARTS = r"Not yet: [^\n]+: [^\n]+\. Expected: [^\n]+\. [^\n]+\."


@pytest.fixture
def told(said):
    """A function that runs a check of a wrong answer: the line has the four parts, no list of
    numbers, and what is given."""

    def run(sentence, check, *answers):
        line = said(check, *answers)
        assert re.fullmatch(FOUR_PARTS, line) and sentence in line, line
        assert not re.search(r"(\d+,? ){9}", line), line

    return run


@pytest.fixture
def right(said):
    def run(check, *answers):
        line = said(check, *answers)
        assert line.startswith("Right: "), line

    return run


def test_an_untouched_exercise(said):
    def only_described(buffer):
        """Describes itself, and does nothing."""
        ...

    for answer in ..., only_described:
        assert said(memory.tweak, answer) == "Not yet: fill in the cell above, then run both again."


def test_a_buffer_that_was_lost(said, iop):
    """buffer = iop.write_to_buffer(...)"""
    line = said(iop_example.tweak, iop, None)
    assert (
        line.startswith("Not yet: buffer is None, ")
        and "write_to_buffer: `buffer = ` in front of it loses what buffer was" in line
    )


def test_an_exception_of_the_student(told, board):
    told(
        "your code raised ZeroDivisionError: division by zero (in line ",
        memory.write,
        lambda buffer, address: address / 0,
    )


def endless(*_):
    while True:
        pass


def catches_exceptions(*_):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def catches_all(*_):
    while True:
        try:
            while True:
                pass
        except:
            pass


def catches_all_while_it_sleeps(*_):
    while True:
        try:
            time.sleep(100)
        except BaseException:
            pass


def catches_all_around_calls(*_):
    def careful():
        try:
            time.sleep(100)
        except BaseException:
            print(end="")

    while True:
        try:
            careful()
        except BaseException:
            careful()


def goes_on_in_the_end(*_):
    while True:
        while True:
            try:
                time.sleep(100)
            finally:
                break  # which drops the exception; so does `continue`, but not in Python 3.6


def waits_for_a_thread(*_):
    thread = threading.Thread(target=time.sleep, args=(3,))
    thread.start()
    while thread.is_alive():
        thread.join(60)


def waits_for_a_lock(*_):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def calls_itself_in_a_trap(*_):
    try:
        endless()
    except BaseException:
        calls_itself_in_a_trap()


@pytest.mark.parametrize(
    "answer",
    [
        endless,
        catches_exceptions,
        catches_all,
        catches_all_while_it_sleeps,
        waits_for_a_lock,
        catches_all_around_calls,
        goes_on_in_the_end,
        waits_for_a_thread,
        calls_itself_in_a_trap,
    ],
    ids=lambda answer: answer.__name__,
)
def test_code_that_does_not_end(said, board, monkeypatch, answer):
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    monkeypatch.setattr(limit, "SECOND_TRY", 0.1)
    before = os._exit, signal.getsignal(signal.SIGALRM)
    of_others = signal.getitimer(signal.ITIMER_REAL)[0]
    began = time.monotonic()
    line = said(memory.write, answer)
    assert re.fullmatch(FOUR_PARTS, line)
    assert (
        "your code had not ended after 0.1 s" in line or "your code raised RecursionError" in line
    )
    assert (os._exit, signal.getsignal(signal.SIGALRM)) == before
    least = time.monotonic() - began
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    assert (
        max(of_others - (time.monotonic() - began), 0) - 0.1
        <= left
        <= max(of_others - least, 0) + 0.1
    )


def test_what_is_interrupted_is_the_students_code_and_not_what_the_kit_does_after_it(
    said, microblaze, monkeypatch
):
    """The check of 3_mailbox starts the IOP's program again, which takes longer than the limit
    here."""
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    start = mailbox._start
    monkeypatch.setattr(mailbox, "_start", lambda *given: (time.sleep(0.3), start(*given)))
    assert "had not ended" in said(mailbox.write, microblaze, endless)
    monkeypatch.undo()
    assert said(mailbox.write, microblaze, write_words).startswith("Right: ")


def leaves_a_thread(*_):
    threading.Thread(target=endless, daemon=True).start()


# Python says nothing of a SystemExit
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_goes_on(said, board, monkeypatch):
    stays = threading.Event()
    mine = threading.Thread(target=stays.wait, args=(30,))
    mine.start()  # from an earlier cell
    monkeypatch.setattr(limit, "THREADS_MAY_TAKE", 0.2)
    before = set(threading.enumerate())
    passes = checks.says("all is well")(lambda answer: answer())
    assert (
        said(passes, leaves_a_thread)
        == "Not yet: your code had ended, but a thread that it started had not."
    )
    assert soon(lambda: before >= set(threading.enumerate())) and mine.is_alive()
    assert (
        said(passes, lambda: threading.Thread(target=time.sleep, args=(0.1,)).start())
        == "Right: all is well"
    )
    stays.set()
    mine.join(60)


@pytest.mark.parametrize(
    "answer, sentence",
    [
        (lambda *_: os._exit(1), "your code raised Deadly: os._exit() ends the whole kernel"),
        (lambda *_: _exit(1), "your code raised Deadly: os._exit() ends the whole kernel"),
        (lambda *_: os.abort(), "os.abort() ends the whole kernel"),
        (lambda *_: sys.exit(3), "your code raised SystemExit: 3"),
        (
            lambda *_: exec(
                "raise Unspeakable",
                {"Unspeakable": type("Unspeakable", (Exception,), {"__str__": None})},
            ),
            "your code raised Unspeakable",
        ),
        (lambda *_: exec("raise ValueError('two\\nlines')"), "ValueError: two lines"),
    ],
)
def test_code_that_would_end_the_kernel(said, board, answer, sentence):
    line = said(memory.write, answer)
    assert re.fullmatch(FOUR_PARTS, line) and sentence in line


def test_what_would_end_the_kernel_is_as_it_was_after_a_check(said, board):
    said(memory.write, lambda *_: _exit(1))
    assert os._exit is _exit is posix._exit and os.abort is posix.abort


def test_a_process_that_the_code_forks_may_end(said, board):
    def forks(*_):
        if os.fork() == 0:
            os._exit(0)
        assert os.wait()[1] == 0
        raise ValueError("the parent goes on")

    assert "the parent goes on" in said(memory.write, forks)


def test_the_stop_button_ends_a_check(board):
    with pytest.raises(KeyboardInterrupt):
        memory.write(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    # only the one of pytest's own limit, which does not repeat
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_a_check_keeps_no_buffer(said, iop, xlnk):
    """On some images a buffer's memory comes back when nobody knows the buffer any more, not when
    the collector passes by."""
    buffer = xlnk.cma_array((10,), "u4")
    known = weakref.ref(buffer)
    gc.disable()
    try:
        assert said(iop_example.tweak, iop, buffer).startswith("Not yet")
        del buffer
        assert known() is None
    finally:
        gc.enable()


def test_a_check_in_a_thread(capsys):
    thread = threading.Thread(target=memory.write, args=(endless,))
    thread.start()
    thread.join(60)
    assert "Not yet: a check cannot run in a thread" in capsys.readouterr().out


# 1_memory


@pytest.mark.parametrize(
    "words, sentence",
    [
        (16000, "take 64 KB, but so does a buffer with one word less"),
        (16384, "take 64 KB, but so does"),
        (15360, "they are 61440 bytes, which take 60 KB"),
        (64 * 1024, "which take 256 KB"),
        (15360.5, "no number of words"),
        (-1, "no number of words"),
        ("15361", "words = '15361': that is no number"),
    ],
)
def test_memory_tweak(told, words, sentence):
    told(sentence, memory.tweak, words)


@pytest.mark.parametrize("words", [15361, np.int64(15361), 15 * 4096 / 4 + 1, np.float64(15361)])
def test_memory_tweak_right(right, words):
    right(memory.tweak, words)


@pytest.mark.parametrize(
    "offset, sentence",
    [
        (100 * 640 + 7, "the pixel in row 50, column 3"),  # counted in pixels
        ((7 * 480 + 100) * 2, "the pixel in row 5, column 260"),  # column after column
        ((99 * 640 + 6) * 2, "the pixel in row 99, column 6"),  # counted from 1
        ((100 * 640 + 7) * 2 + 1, "second byte"),
        (480 * 640 * 2, "that is not in the frame"),
    ],
)
def test_memory_change_of_an_address(told, xlnk, offset, sentence):
    frame = xlnk.cma_array((480, 640), dtype="u2")
    told(sentence, memory.change, frame, frame.physical_address + offset)


def test_memory_change_of_a_frame(told, xlnk):
    told("no buffer that allocate() returned", memory.change, np.zeros((480, 640), "u2"), 0)
    told(
        "it has 640 rows of 480 elements, 16 bits each",
        memory.change,
        xlnk.cma_array((640, 480), dtype="u2"),
        0,
    )
    told("32 bits each", memory.change, xlnk.cma_array((480, 640), dtype="u4"), 0)
    told(
        "it has 307200 rows of 1 elements",
        memory.change,
        xlnk.cma_array((480 * 640,), dtype="u2"),
        0,
    )
    frame = xlnk.cma_array((480, 640), dtype="u2")
    told("address = 'there': that is no whole number", memory.change, frame, "there")
    frame.freebuffer()
    told("or it was freed", memory.change, frame, 0)


@pytest.mark.parametrize(
    "shape, dtype",
    [((480, 640), "u2"), ((480, 640), "i2"), ((480, 640), "f2"), ((480, 640, 2), "u1")],
)
def test_memory_change_right(right, xlnk, shape, dtype):
    frame = xlnk.cma_array(shape, dtype=dtype)
    right(memory.change, frame, frame.physical_address + (100 * 640 + 7) * 2)
    right(memory.change, frame, frame[100:, 7:].physical_address)
    right(memory.change, frame, frame.physical_address + (100 * 640 + 7) * 16 / 8)


@pytest.mark.parametrize(
    "index_at, sentence",
    [
        (
            lambda buffer, address: np.unravel_index(
                (address - buffer.physical_address) // 4 % buffer.size, buffer.shape
            ),
            "returned",
        ),
        (
            lambda buffer, address: divmod(
                (address - buffer.physical_address) // buffer.itemsize, buffer.shape[-1]
            ),
            "returned",
        ),
        (
            lambda buffer, address: (address - buffer.physical_address) // buffer.itemsize,
            "which is no tuple",
        ),
        (lambda buffer, address: list(index_at(buffer, address) or ()), "which is no tuple"),
        (
            lambda buffer, address: (
                index_at(buffer, address) if address > buffer.physical_address else None
            ),
            "returned None",
        ),
        (
            lambda buffer, address: index_at(
                buffer, min(address, buffer.physical_address + buffer.nbytes - 1)
            ),
            "Expected: None.",
        ),
        (
            lambda buffer, address: np.unravel_index(
                (address - buffer.physical_address) // buffer.itemsize, buffer.shape
            ),
            "ValueError",
        ),
    ],
)
def test_memory_write(told, board, index_at, sentence):
    told(sentence, memory.write, index_at)


def index_at(buffer, address):
    offset = address - buffer.physical_address
    if 0 <= offset < buffer.nbytes:
        return np.unravel_index(offset // buffer.itemsize, buffer.shape)


def index_by_remainders(buffer, address):
    number, index = (address - buffer.physical_address) // buffer.itemsize, ()
    if not 0 <= number < buffer.size:
        return None
    for length in reversed(buffer.shape):
        number, here = divmod(number, length)
        index = (here,) + index
    return index


def index_by_searching(buffer, address):
    places = np.arange(buffer.size).reshape(buffer.shape)
    found = np.argwhere(places == (address - buffer.physical_address) // buffer.itemsize)
    return tuple(found[0]) if len(found) else None


@pytest.mark.parametrize("answer", [index_at, index_by_remainders, index_by_searching])
def test_memory_write_right(right, board, answer):
    right(memory.write, answer)


# 2_iop_example


def test_iop_example_tweak(told, right, iop, xlnk, buffer):
    iop.write_to_buffer(buffer, 99, -500)
    told("your request: word 99 is 0. Expected: -401 there", iop_example.tweak, iop, buffer)
    buffer[:] = np.arange(-500, -400)
    # numpy in place of the IOP
    told("it was for 99 words from -500 on", iop_example.tweak, iop, buffer)
    iop.write_to_buffer(buffer[50:], 50, -450)
    told("it was for 50 words from -450 on", iop_example.tweak, iop, buffer)
    iop.write_to_buffer(buffer, 100, 500)
    told("word 0 is 500", iop_example.tweak, iop, buffer)
    told("a copy of a buffer", iop_example.tweak, iop, buffer.copy())
    for request in (
        (buffer, 100, -500),
        (buffer.physical_address, 100, -500),
        (buffer.reshape(10, 10), 100, 2**32 - 500),
    ):
        buffer[:] = 0
        iop.write_to_buffer(*request)
        right(iop_example.tweak, iop, buffer)
    buffer.freebuffer()
    told("it is freed", iop_example.tweak, iop, buffer)


def test_iop_example_change(told, right, iop, xlnk):
    def fill_two(
        first, data, dtype="u4", more=0, fill=None, start=None, result=lambda first, second: second
    ):
        second = xlnk.cma_array((first.size + more,), dtype=dtype)
        iop.write_to_buffer(first, first.size, data)
        (fill or iop.write_to_buffer)(
            second, second.size, data + first.size if start is None else start
        )
        return result(first, second)

    def by_numpy(buffer, length, data):
        buffer[:] = np.arange(data, data + length)

    def in_two_halves(buffer, length, data):
        iop.write_to_buffer(buffer, length // 2, data)
        iop.write_to_buffer(buffer[length // 2 :], length - length // 2, data + length // 2)

    def freed(first, second):
        second.freebuffer()
        return second

    for sentence, more in (
        ("words of type int32", {"dtype": "i4"}),
        ("has 3 words of type uint32", {"more": 1}),
        ("second: word 0 is 1. Expected: ", {"start": 1}),
        ("no buffer of its own", {"result": freed}),
        ("returned first", {"result": lambda first, second: first}),
        ("your function returned None", {"result": lambda first, second: None}),
        ("not asked for all words of second", {"fill": by_numpy}),
    ):
        told(sentence, iop_example.change, iop, lambda first, data: fill_two(first, data, **more))
    right(iop_example.change, iop, fill_two)
    right(iop_example.change, iop, lambda first, data: fill_two(first, data, fill=in_two_halves))

    def by_what_is_there(first, data):
        iop.write_to_buffer(first.physical_address, len(first), data=data)
        second = xlnk.cma_array((1, len(first)))
        iop.write_to_buffer(second, length=second.size, data=first[-1] + 1, timeout=1)
        return second

    right(iop_example.change, iop, by_what_is_there)


def test_iop_example_write(told, right, iop):
    def one_by_one(buffer, data):
        for number in range(buffer.size):
            iop.write_to_buffer(buffer[number:], 1, data - number)

    def one_too_low(buffer, data):
        iop.write_to_buffer(buffer, buffer.size, data - buffer.size)
        buffer[:] = buffer[::-1].copy()

    def by_numpy(buffer, data):
        iop.write_to_buffer(buffer, buffer.size, data)
        buffer[:] = np.arange(data, data - buffer.size, -1)

    def by_numpy_after_a_word(buffer, data):
        iop.write_to_buffer(buffer, 1, data)
        buffer[:] = np.arange(data, data - buffer.size, -1)

    def for_a_thousand(buffer, data):
        iop.write_to_buffer(buffer, 1000, data - 999)
        buffer[:1000] = buffer[999::-1].copy()

    told("times. Expected: one request", iop_example.write, iop, one_by_one)
    told(" there. It begins with data", iop_example.write, iop, one_too_low)
    told("nothing of it is to be seen", iop_example.write, iop, by_numpy)
    told("asked the IOP for 1 word.", iop_example.write, iop, by_numpy_after_a_word)
    told("", iop_example.write, iop, for_a_thousand)

    def turned(buffer, data):
        iop.write_to_buffer(buffer, buffer.size, data - buffer.size + 1)
        buffer[:] = buffer[::-1].copy()

    def negated(buffer, data):
        iop.write_to_buffer(buffer, buffer.size, -data)
        np.negative(buffer, out=buffer)

    def mirrored(buffer, data):
        iop.write_to_buffer(buffer.physical_address, len(buffer), data)
        buffer[:] = 2 * data - buffer

    for answer in turned, negated, mirrored:
        right(iop_example.write, iop, answer)
    told(
        "your code raised ZeroDivisionError",
        iop_example.write,
        iop,
        lambda buffer, data: turned(buffer, data) or 1 / 0,
    )


# 3_mailbox


def test_mailbox_tweak(told, right, microblaze, buffer):
    address = buffer.physical_address
    told("the words from 5 to 7", mailbox.tweak, microblaze, buffer, (address + 20, 3, 7))
    told("the word 20", mailbox.tweak, microblaze, buffer, (address + 80, 1, 7))
    told("word 20 became 1", mailbox.tweak, microblaze, buffer, (address + 80, 3, 1))
    # bytes
    told("the words from 20 to 31", mailbox.tweak, microblaze, buffer, (address + 80, 12, 7))
    for wrong in (20, 3, 7), (address + 80, 81, 7), (address + 82, 3, 7):
        told("the IOP was not told", mailbox.tweak, microblaze, buffer, wrong)
    for wrong in (address, 3), (address + 80, 3, 7.5), (address + 80, "3", 7), 7:
        told("not three whole numbers", mailbox.tweak, microblaze, buffer, wrong)
    right(mailbox.tweak, microblaze, buffer, (address + 80, 3, 7))
    right(mailbox.tweak, microblaze, buffer, [buffer[20:].physical_address, 12 / 4, np.uint32(7)])
    right(mailbox.tweak, microblaze, buffer, np.array([address + 80, 3, 7]))
    buffer.freebuffer()
    told("buffer: it was freed", mailbox.tweak, microblaze, buffer, (address + 80, 3, 7))


def sleeps_to_the_end(mailbox, offset, value, seconds):
    time.sleep(seconds)
    return mailbox.read(offset) == value


def looks_for_something(mailbox, offset, value, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if mailbox.read(offset):
            return mailbox.read(offset) == value
    return False


@pytest.mark.parametrize(
    "wait_for, sentence",
    [
        (
            lambda mailbox, offset, value, seconds: mailbox.read(offset) == value,
            "the word comes after 0.1 s: it returned False",
        ),
        (
            lambda mailbox, offset, value, seconds: True,
            "the word comes after 0.1 s: it returned True after 0.0 s",
        ),
        (
            lambda mailbox, offset, value, seconds: (
                time.sleep(seconds / 20) or mailbox.read(offset) == value
            ),
            "it returned False after 0.1",
        ),
        (sleeps_to_the_end, "it returned True after 1.0 s. Expected: True after 0 s"),
        (
            lambda *request: waits(*request) or True,
            "another word is there all the time: it returned True after 0.2 s",
        ),
        (looks_for_something, "it returned False after 1.0 s"),
        (
            lambda mailbox, offset, value, seconds: waits(mailbox, 4, value, seconds),
            "it returned False after 1.0 s",
        ),
        (
            lambda mailbox, offset, value, seconds: waits(mailbox, offset, value, seconds) or None,
            "it returned None",
        ),
    ],
)
def test_mailbox_change(told, microblaze, wait_for, sentence):
    told(sentence, mailbox.change, microblaze, wait_for)


def waits(mailbox, offset, value, seconds, pause=0, clock=time.monotonic):
    end = clock() + seconds
    while clock() < end:
        if mailbox.read(offset) == value:
            return True
        time.sleep(pause)
    return False


@pytest.mark.parametrize(
    "wait_for",
    [
        waits,
        lambda *request: waits(*request, pause=0.05),
        lambda *request: waits(*request, clock=time.time),
        lambda mailbox, offset, value, seconds: np.bool_(waits(mailbox, offset, value, seconds)),
    ],
)
def test_mailbox_change_right(right, microblaze, wait_for):
    right(mailbox.change, microblaze, wait_for)


def write_words(
    mailbox,
    buffer,
    length,
    data,
    guard=True,
    wait=2,
    order=(4, 8, 0),
    ready=lambda status: status != 0,
    touch=False,
    pause=0,
):
    """Right, if nothing is said to the contrary."""
    words = {0: buffer.physical_address, 4: length, 8: data}
    if touch:
        mailbox.write(4, length)
    if guard and length > buffer.size:
        raise ValueError
    end = time.monotonic() + wait
    while not ready(mailbox.read(12)):
        if time.monotonic() > end:
            raise TimeoutError
    for offset in order:
        mailbox.write(offset, words[offset])
    end = time.monotonic() + wait
    while wait and mailbox.read(0):
        time.sleep(pause)
        if time.monotonic() > end:
            raise TimeoutError


@pytest.mark.parametrize(
    "difference, sentence",
    [
        ({"guard": False}, "a buffer of 1000000 words: your code raised TimeoutError"),
        ({"wait": 0}, "it returned before the IOP was done"),
        ({"wait": 0.1}, "and the IOP takes 0.2 s: your code raised TimeoutError"),
        ({"order": (0, 4, 8)}, "not the last word"),
        ({"order": (4, 8)}, "it made no request"),
        ({"order": (8, 0)}, "it left"),
        ({"touch": True}, "it wrote 1 word into the mailbox first"),
        (
            {"ready": lambda status: True},
            "and the program starts 0.1 s later: it left the buffer as it was",
        ),
        (
            {"ready": lambda status: status == 1},
            "after the IOP has refused another request: your code raised TimeoutError",
        ),
    ],
)
def test_mailbox_write(told, microblaze, board, difference, sentence):
    told(sentence, mailbox.write, microblaze, lambda *request: write_words(*request, **difference))
    assert board.stray_writes() == []


def by_numpy(mailbox, buffer, length, data):
    buffer[:length] = np.arange(data, data + length)


def test_mailbox_write_by_numpy(told, microblaze):
    told(
        "it made no request, and the buffer's words are not the IOP's",
        mailbox.write,
        microblaze,
        by_numpy,
    )


@pytest.mark.parametrize(
    "difference",
    [{}, {"order": (8, 4, 0), "pause": 0.001}, {"ready": lambda status: status in (1, 2)}],
)
def test_mailbox_write_right(right, microblaze, board, difference):
    right(mailbox.write, microblaze, lambda *request: write_words(*request, **difference))
    assert board.stray_writes() == []


def test_mailbox_write_without_a_timeout(said, right, microblaze, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 1)
    assert "had not ended" in said(
        mailbox.write, microblaze, lambda *request: write_words(*request, wait=1000)
    )
    right(mailbox.tweak, microblaze, *a_request())  # the IOP is in order again


def a_request():
    buffer = Xlnk().cma_array((50,))
    return buffer, (buffer.physical_address + 80, 3, 7)


# 6_safety


@pytest.mark.parametrize(
    "length, sentence",
    [
        (700, "it passes, but so does 701"),
        (1024, "room for 0 to 768 words"),
        (3072, "room for 0 to 768 words"),
        ("768", "no whole number"),
        (768.5, "no whole number"),
    ],
)
def test_safety_tweak(told, iop, xlnk, length, sentence):
    told(sentence, safety.tweak, iop, xlnk.cma_array((1024,)), length)


@pytest.mark.parametrize("length", [768, 1024 - 0x400 / 4, np.uint16(768)])
def test_safety_tweak_right(right, iop, xlnk, length):
    right(safety.tweak, iop, xlnk.cma_array((1024,)), length)


def by_hand(address, length, data):
    """As in the notebook: the check looks for it under this name."""
    mailbox = MMIO(0x40000000 + MAILBOX, 16)
    for offset, word in (4, length), (8, data), (0, address):
        mailbox.write(offset, word)
    return "answered" if any(mailbox.read(0) == 0 for _ in range(10**6)) else "no answer"


# What a student's `fill` may do, step by step: with iop, shared, length and data
STEPS = {
    "ask": lambda iop, *request: by_hand(request[0].physical_address, *request[1:]),
    "kit": lambda iop, *request: iop.write_to_buffer(*request),
    "numpy": lambda iop, shared, length, data: shared.__setitem__(
        slice(length), np.arange(data, data + length)
    ),
    "flush": lambda iop, shared, length, data: shared.flush(),
    "invalidate": lambda iop, shared, length, data: shared.invalidate(),
    "invalidate a part": lambda iop, shared, length, data: shared[:].invalidate(),
    "write again": lambda iop, shared, length, data: shared.__setitem__(slice(None), shared.copy()),
}


@pytest.mark.parametrize(
    "steps, sentence",
    [
        ("ask, invalidate", "Python had written"),
        ("ask, flush, invalidate", "for Python word 0 is"),
        ("flush, ask", "for Python word 0 is"),
        ("", "called by_hand 0 times"),
        ("kit", "called by_hand 0 times"),
        ("numpy, flush", "called by_hand 0 times"),
        ("flush, ask, ask, invalidate", "called by_hand 2 times"),
    ],
)
def test_safety_change(told, iop, steps, sentence):
    told(
        sentence,
        safety.change,
        lambda *request: [STEPS[step](iop, *request) for step in steps.split(", ") if step],
    )


@pytest.mark.parametrize(
    "steps",
    [
        "flush, ask, invalidate",
        "write again, flush, flush, ask, invalidate, invalidate",
        "flush, ask, invalidate a part",
    ],
)
def test_safety_change_right(right, iop, steps):
    right(
        safety.change, lambda *request: [STEPS[step](iop, *request) for step in steps.split(", ")]
    )


def test_safety_change_on_a_real_board(told, iop, monkeypatch):
    monkeypatch.setitem(
        globals(), "by_hand", lambda address, length, data: "refused: this is a real board"
    )
    told(
        "by_hand said refused: this is a real board",
        safety.change,
        lambda *request: STEPS["ask"](iop, *request),
    )


@pytest.mark.parametrize(
    "is_safe, sentence",
    [
        (
            lambda buffers, address, length: any(
                start <= address < start + size for start, size in buffers
            ),
            "it says True",
        ),
        (
            lambda buffers, address, length: (
                length > 0
                and address % 4 == 0
                and any(
                    start <= address and address + 4 * length < start + size
                    for start, size in buffers
                )
            ),
            "it says False",
        ),
        (
            lambda buffers, address, length: any(
                start <= address and address + 4 * length <= start + size for start, size in buffers
            ),
            "it says True",
        ),
        (lambda buffers, address, length: address == 0, "it says False"),
        (lambda buffers, address, length: in_one(buffers, address, length) or None, "it says None"),
        (
            lambda buffers, address, length: in_one(
                [(min(buffers)[0], sum(size for _, size in buffers))], address, length
            ),
            "it says",
        ),
        (lambda buffers, address, length: in_one(buffers[:1], address, length), "it says False"),
    ],
)
def test_safety_write(told, is_safe, sentence):
    told(sentence, safety.write, is_safe)


def in_one(buffers, address, length):
    end = address + 4 * length
    return (
        length > 0
        and address % 4 == 0
        and any(start <= address and end <= start + size for start, size in buffers)
    )


def by_a_loop(buffers, address, length):
    if length <= 0 or address & 3:
        return False
    for start, size in buffers:
        if address in range(start, start + size):
            return length <= (start + size - address) // 4
    return False


def by_numpy_arrays(buffers, address, length):
    starts, sizes = np.array(buffers, dtype=np.int64).reshape(-1, 2).T
    return (
        ((starts <= address) & (address + 4 * length <= starts + sizes)).any()
        & (length >= 1)
        & (address % 4 == 0)
    )


@pytest.mark.parametrize("is_safe", [in_one, by_a_loop, by_numpy_arrays])
def test_safety_write_right(right, is_safe):
    right(safety.write, is_safe)


def test_a_cell_of_an_older_edition_is_told_so(said, buffer):
    assert "it may be of an older edition" in said(iop_example.tweak, buffer)
