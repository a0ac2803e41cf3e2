"""The checks of notebooks 1, 2, 3 and 6, and what all checks share.

nbval has the checks say Right to the solutions."""

import gc
import os
import signal
import threading
import time
import weakref

import checks
import numpy as np
import pytest
from checks import iop_example, limit, mailbox, memory, safety
from pynq import MMIO

from helpers.exercises import RIGHT, UNTOUCHED, answers, function
from helpers.waiting import soon
from iop.pynq_tutorial import MAILBOX, PROGRAM

pytestmark = pytest.mark.slow

INDEX_AT = [
    (
        """
        offset = address - buffer.physical_address
        if 0 <= offset < buffer.nbytes:
            return np.unravel_index(offset // buffer.itemsize, buffer.shape)
        """,
        RIGHT,
    ),
    (
        """
        places = np.arange(buffer.size).reshape(buffer.shape)
        found = np.argwhere(places == (address - buffer.physical_address) // buffer.itemsize)
        return tuple(found[0]) if len(found) else None
        """,
        RIGHT,
    ),
    (
        "np.unravel_index((address - buffer.physical_address) // 4 % buffer.size, buffer.shape)",
        "ret",
    ),
    (
        "divmod((address - buffer.physical_address) // buffer.itemsize, buffer.shape[-1])",
        "returned",
    ),
    ("(address - buffer.physical_address) // buffer.itemsize", "which is no tuple"),
    ("list(right(buffer, address) or ())", "which is no tuple"),
    ("right(buffer, address) if address > buffer.physical_address else None", "returned None"),
    ("right(buffer, min(address, buffer.physical_address + buffer.nbytes - 1))", "Expected: None."),
    ("right(buffer, address) or (0,)", "Expected: None."),
    ("address / 0", r"ZeroDivisionError: division by zero \(in line 2 of its cell\)"),
    ("...", UNTOUCHED),
    ("'''Describes itself, and does nothing.'''\n...", UNTOUCHED),
]
FILL_TWO = """
    second = xlnk.cma_array((first.size + {more},), {dtype})
    iop.write_to_buffer(first, first.size, data)
    iop.write_to_buffer(second, second.size, data + {start})
    {then}
    return {result}
"""


def fill_two(more=0, dtype="'u4'", start="first.size", then="", result="second"):
    return FILL_TWO.format(**locals())


TWO = [
    (fill_two(), RIGHT),
    (
        """
        iop.write_to_buffer(first.physical_address, 1, data=data)
        iop.write_to_buffer(first[1:], len(first) - 1, data=data + 1)
        second = xlnk.cma_array((1, len(first)))
        iop.write_to_buffer(second, length=second.size, data=first[-1] + 1, timeout=1)
        return second
        """,
        RIGHT,
    ),
    (fill_two(dtype="'i4'"), "words of type int32"),
    (fill_two(more=1), "has 3 words of type uint32"),
    (fill_two(start=1), r"second: word 0 is \d+. Expected: "),
    (fill_two(then="second.freebuffer()"), "no buffer of its own"),
    (fill_two(result="first"), "returned first"),
    (fill_two(result=None), "your function returned None"),
    (
        """
        second = xlnk.cma_array(first.shape, 'u4')
        iop.write_to_buffer(first, first.size, data)
        second[:] = np.arange(data, data + first.size) + first.size
        return second
        """,
        "not asked for all words of second",
    ),
]
ASKED = "iop.write_to_buffer(buffer, {}, {}); buffer[:] = {}"
COUNT_DOWN = [
    (ASKED.format("buffer.size", "data - buffer.size + 1", "buffer[::-1].copy()"), RIGHT),
    (ASKED.format("buffer.size", "-data", "-buffer"), RIGHT),
    (ASKED.format("len(buffer)", "data", "2 * data - buffer"), RIGHT),
    (
        ASKED.format("buffer.size", "data", "data - np.arange(buffer.size)"),
        "nothing of it is to be",
    ),
    (ASKED.format(1, "data", "data - np.arange(buffer.size)"), "asked the IOP for 1 word."),
    (
        ASKED.format("buffer.size", "data - buffer.size", "buffer[::-1].copy()"),
        "It begins with data",
    ),
    (
        "for n in range(buffer.size): iop.write_to_buffer(buffer[n:], 1, data - n)",
        "times. Expected: one request",
    ),
    (ASKED.format(2000, "data", "0"), "your code raised|there. It begins with data"),
    ("right(buffer, data) or 1 / 0", "your code raised ZeroDivisionError"),
]
WAIT_FOR = [
    (
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if mailbox.read(offset) == value:
                return True
        return False
        """,
        RIGHT,
    ),
    ("np.bool_(right(mailbox, offset, value, seconds))", RIGHT),
    ("mailbox.read(offset) == value", "comes after 0.1 s: it returned False"),
    ("True", "the word comes after 0.1 s: it returned True after 0.0 s"),
    ("time.sleep(seconds / 20) or mailbox.read(offset) == value", "it returned False after 0.1"),
    (
        "time.sleep(seconds); return mailbox.read(offset) == value",
        "it returned True after 1.0 s. Expected: True after 0 s",
    ),
    (
        "right(mailbox, offset, value, seconds) or True",
        "another word is there all the time: it returned True after 0.2 s",
    ),
    ("right(mailbox, 4, value, seconds)", "it returned False after 1.0 s"),
    ("right(mailbox, offset, value, seconds) or None", "it returned None"),
]
WRITE_WORDS = """
    words = {{0: buffer.physical_address, 4: length, 8: data}}
    {first}
    if length > {most}:
        raise ValueError
    end = time.monotonic() + 2
    while not ({ready}):
        if time.monotonic() > end:
            raise TimeoutError
    for offset in {order}:
        mailbox.write(offset, words[offset])
    end = time.monotonic() + {wait}
    while mailbox.read(0) and {wait}:
        if time.monotonic() > end:
            raise TimeoutError
"""


def write_words(**difference):
    """Right, if nothing is said to the contrary."""
    right = dict(first="", most="buffer.size", ready="mailbox.read(12)", order=(4, 8, 0), wait=2)
    return WRITE_WORDS.format(**dict(right, **difference))


WORDS = [
    (write_words(), RIGHT),
    (write_words(order=(8, 4, 0), ready="mailbox.read(12) in (1, 2)"), RIGHT),
    (write_words(most=10**9), "a buffer of 1000000 words: your code raised TimeoutError"),
    (write_words(wait=0), "it returned before the IOP was done"),
    (write_words(wait=0.1), "and the IOP takes 0.2 s: your code raised TimeoutError"),
    (write_words(order=(0, 4, 8)), "not the last word"),
    (write_words(order=(4, 8)), "it made no request"),
    (write_words(order=(8, 0)), "it left"),
    (write_words(first="mailbox.write(4, length)"), "it wrote 1 word into the mailbox first"),
    (write_words(ready="True"), "the program starts 0.1 s later: it left the buffer as it was"),
    (
        write_words(ready="mailbox.read(12) == 1"),
        "has refused another request: your code raised Tim",
    ),
    (
        "buffer[:length] = np.arange(data, data + length)",
        "no request, and the buffer's words are not",
    ),
]
ASK = "by_hand(shared.physical_address, length, data)"
FILL = [
    (f"shared.flush(); {ASK}; shared.invalidate()", RIGHT),
    (f"shared[:] = shared.copy(); shared.flush(); {ASK}; shared[:].invalidate()", RIGHT),
    (f"{ASK}; shared.invalidate()", "Python had written"),
    (f"{ASK}; shared.flush(); shared.invalidate()", "for Python word 0 is"),
    (f"shared.flush(); {ASK}", "for Python word 0 is"),
    ("iop.write_to_buffer(shared, length, data)", "called by_hand 0 times"),
    ("shared[:length] = np.arange(data, data + length); shared.flush()", "called by_hand 0 times"),
    (f"shared.flush(); {ASK}; {ASK}; shared.invalidate()", "called by_hand 2 times"),
]
IN_ONE = "{} and any(start <= address and {} <= start + size for start, size in {})"
ASKS, END = "length > 0 and address % 4 == 0", "address + 4 * length"
IS_SAFE = [
    (IN_ONE.format(ASKS, END, "buffers"), RIGHT),
    (
        """
        starts, sizes = np.array(buffers, dtype=np.int64).reshape(-1, 2).T
        inside = (starts <= address) & (address + 4 * length <= starts + sizes)
        return inside.any() & (length >= 1) & (address % 4 == 0)
        """,
        RIGHT,
    ),
    (IN_ONE.format("True", "address + 1", "buffers"), "it says True"),
    (IN_ONE.format(ASKS, "1 + " + END, "buffers"), "it says False"),
    (IN_ONE.format("True", END, "buffers"), "it says True"),
    ("address == 0", "it says False"),
    ("right(buffers, address, length) or None", "it says None"),
    ("right([(min(buffers)[0], sum(size for _, size in buffers))], address, length)", "it says"),
    ("right(buffers[:1], address, length)", "it says False"),
]


@pytest.fixture
def students(any_board, iop, xlnk):
    """What the functions of a student's cells know."""

    def by_hand(address, length, data):
        """As in notebook 6: the check looks for it under this name."""
        mailbox = MMIO(0x40000000 + MAILBOX, 16)
        for offset, word in (4, length), (8, data), (0, address):
            mailbox.write(offset, word)
        return "answered" if soon(lambda: mailbox.read(0) == 0, pause=0) else "no answer"

    return {"iop": iop, "xlnk": xlnk, "by_hand": by_hand, "np": np}


@pytest.fixture
def microblaze(iop, overlay):
    """The same IOP, its program ready, in pynq's own hands."""
    from pynq.lib import PynqMicroblaze

    microblaze = PynqMicroblaze(overlay.iop1.mb_info, PROGRAM)
    iop.reset()
    return microblaze


@pytest.mark.parametrize(
    "check, answer, says",
    answers(memory.write, "index_at(buffer, address)", INDEX_AT)
    + answers(safety.change, "fill(shared, length, data)", FILL)
    + answers(safety.write, "is_safe(buffers, address, length)", IS_SAFE),
)
def test_a_function(check, answer, says, told, students):
    answer.__globals__.update(students)
    told(says, check, answer)


@pytest.mark.parametrize(
    "check, answer, says",
    answers(iop_example.change, "fill_two(first, data)", TWO)
    + answers(iop_example.write, "count_down(buffer, data)", COUNT_DOWN),
)
def test_a_function_that_asks_the_iop(check, answer, says, told, students):
    answer.__globals__.update(students)
    told(says, check, students["iop"], answer)


@pytest.mark.parametrize(
    "check, answer, says",
    answers(mailbox.change, "wait_for(mailbox, offset, value, seconds)", WAIT_FOR)
    + answers(mailbox.write, "write_words(mailbox, buffer, length, data)", WORDS),
)
def test_a_function_that_knows_the_mailbox(check, answer, says, told, microblaze, board):
    told(says, check, microblaze, answer)
    assert board.stray_writes() == []


@pytest.mark.parametrize(
    "words, says",
    [(15361, RIGHT), (np.int64(15361), RIGHT), (15 * 4096 / 4 + 1, RIGHT)]
    + [(size, "take 64 KB, but so does a buffer with one word less") for size in (16000, 16384)]
    + [(15360, "they are 61440 bytes, which take 60 KB"), (65536, "which take 256 KB")]
    + [(size, "no number of words") for size in (15360.5, -1, float("nan"), "15361")],
)
def test_a_number_of_words(words, says, told):
    told(says, memory.tweak, words)


@pytest.mark.parametrize(
    "offset, says",
    [
        ((100 * 640 + 7) * 2, RIGHT),
        ((100 * 640 + 7) * 16 / 8, RIGHT),
        (100 * 640 + 7, "the pixel in row 50, column 3"),  # counted in pixels
        ((7 * 480 + 100) * 2, "the pixel in row 5, column 260"),  # column after column
        ((99 * 640 + 6) * 2, "the pixel in row 99, column 6"),  # counted from 1
        ((100 * 640 + 7) * 2 + 1, "second byte"),
        (480 * 640 * 2, "that is not in the frame"),
        (0.5, "that is no whole number"),
    ],
)
def test_a_pixel(offset, says, told, xlnk):
    frame = xlnk.cma_array((480, 640), dtype="u2")
    told(says, memory.change, frame, frame.physical_address + offset)


@pytest.mark.parametrize(
    "shape, dtype, says",
    [
        ((480, 640), "f2", RIGHT),
        ((480, 640, 2), "u1", RIGHT),
        ((640, 480), "u2", "it has 640 rows of 480 elements, 16 bits each"),
        ((480, 640), "u4", "32 bits each"),
        ((480 * 640,), "u2", "it has 307200 rows of 1 elements"),
    ],
)
def test_a_frame(shape, dtype, says, told, xlnk):
    frame = xlnk.cma_array(shape, dtype=dtype)
    address = frame.physical_address + (100 * 640 + 7) * 2
    told(says, memory.change, frame, address)
    told("no buffer that allocate", memory.change, np.asarray(frame).copy(), address)
    frame.freebuffer()
    told("or it was freed", memory.change, frame, address)


def test_what_the_iop_was_asked_for(told, iop, buffer):
    def is_told(says, *request):
        buffer[:] = 0
        iop.write_to_buffer(*request)
        told(says, iop_example.tweak, iop, buffer)

    is_told(RIGHT, buffer.reshape(10, 10), 100, 2**32 - 500)
    is_told(RIGHT, buffer.physical_address, 100, -500)
    is_told("your request: word 99 is 0. Expected: -401 there", buffer, 99, -500)
    is_told("word 0 is 500", buffer, 100, 500)
    iop.write_to_buffer(buffer, 50, -500)
    buffer[:] = np.arange(-500, -400)
    told("it was for 50 words from -500 on", iop_example.tweak, iop, buffer)
    told("a copy of a buffer", iop_example.tweak, iop, buffer.copy())
    buffer.freebuffer()
    told("it is freed", iop_example.tweak, iop, buffer)


def test_a_request_by_mailbox(told, microblaze, buffer):
    address = buffer.physical_address
    for request, says in [
        ((address + 80, 3, 7), RIGHT),
        (np.array([address + 80, 3, 7]), RIGHT),
        ([address + 80, 12 / 4, np.uint32(7)], RIGHT),
        ((address + 20, 3, 7), "the words from 5 to 7"),
        ((address + 80, 1, 7), "the word 20"),
        ((address + 80, 3, 1), "word 20 became 1"),
        ((address + 80, 3, 0), "it changed the words from 21 to 22"),
        ((address + 80, 12, 7), "the words from 20 to 31"),  # bytes
        ((address + 80, 81, 7), "the IOP was not told"),
        ((address + 82, 3, 7), "the IOP was not told"),
        ((20, 3, 7), "the IOP was not told"),
        ((address, 3), "not three whole numbers"),
        ((address + 80, "3", 7), "not three whole numbers"),
        (7, "not three whole numbers"),
    ]:
        told(says, mailbox.tweak, microblaze, buffer, request)
    buffer.freebuffer()
    told("buffer: it was freed", mailbox.tweak, microblaze, buffer, (address + 80, 3, 7))


@pytest.mark.parametrize(
    "length, says",
    [
        (768, RIGHT),
        (1024 - 0x400 / 4, RIGHT),
        (np.uint16(768), RIGHT),
        (700, "it passes, but so does 701"),
        (1024, "room for 0 to 768 words"),
        ("768", "no whole number"),
        (768.5, "no whole number"),
    ],
)
def test_a_length_that_fits(length, says, told, iop, xlnk):
    told(says, safety.tweak, iop, xlnk.cma_array((1024,)), length)


def test_by_hand_on_a_real_board(told, students):
    students["by_hand"] = lambda *request: "refused: this is a real board"
    fill = function("fill(shared, length, data)", ASK, students)
    told("by_hand said refused: this is a real board", safety.change, fill)


# What all checks share


def test_a_buffer_that_was_lost(told, iop):
    """buffer = iop.write_to_buffer(...)"""
    says = (
        "Not yet: buffer is None, .* write_to_buffer: `buffer = ` in front of it loses what buffer"
    )
    told(says, iop_example.tweak, iop, None)


def test_a_cell_of_an_older_edition(told, buffer):
    told("Not yet: .* it may be of an older edition", iop_example.tweak, buffer)


def test_a_check_in_a_thread(told):
    def from_a_thread(answer):
        thread = threading.Thread(target=memory.write, args=(answer,))
        thread.start()
        thread.join(60)

    told("Not yet: a check cannot run in a thread", from_a_thread, print)


ENDLESS = [
    "while True: pass",
    "while True:\n try: time.sleep(0.01)\n except Exception: pass",
    "while True:\n try:\n  while True: pass\n except: pass",
    "while True:\n try: time.sleep(100)\n except BaseException: pass",
    # which drops the exception; so does `continue`, but not in Python 3.6
    "while True:\n while True:\n  try: time.sleep(100)\n  finally: break",
    "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "thread = threading.Thread(target=time.sleep, args=(3,)); thread.start()\n"
    "while thread.is_alive(): thread.join(60)",
    "try:\n while True: pass\nexcept BaseException: index_at()",
]


def endless(body):
    return function("index_at(*_)", body, {"time": time, "threading": threading})


@pytest.mark.parametrize("body", ENDLESS)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_code_that_does_not_end(body, told, board, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    monkeypatch.setattr(limit, "SECOND_TRY", 0.1)
    before = os._exit, signal.getsignal(signal.SIGALRM)
    told("your code (had not ended after 0.1 s|raised RecursionError)", memory.write, endless(body))
    assert (os._exit, signal.getsignal(signal.SIGALRM)) == before
    # pytest's own alarm, or none
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_what_the_kit_does_afterwards_is_not_interrupted(told, microblaze, monkeypatch):
    """The check of 3_mailbox starts the IOP's program again, which takes longer than the limit."""
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    start = mailbox._start
    monkeypatch.setattr(mailbox, "_start", lambda *given: (time.sleep(0.3), start(*given)))
    told("had not ended", mailbox.write, microblaze, endless(ENDLESS[0]))
    monkeypatch.undo()
    right = answers(mailbox.write, "write_words(mailbox, buffer, length, data)", WORDS)[0][1]
    told(RIGHT, mailbox.write, microblaze, right)


# Python says nothing of a SystemExit
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_goes_on(told, board, monkeypatch):
    stays = threading.Event()
    mine = threading.Thread(target=stays.wait, args=(30,))
    mine.start()  # from an earlier cell
    monkeypatch.setattr(limit, "THREADS_MAY_TAKE", 0.2)
    before = set(threading.enumerate())
    check = checks.says("all is well")(lambda answer: answer())
    started = "def run():\n {}\nthreading.Thread(target=run, daemon=True).start()"
    goes_on = endless(started.format("while True: pass"))
    told("Not yet: your code had ended, but a thread that it started had not.", check, goes_on)
    assert soon(lambda: before >= set(threading.enumerate())) and mine.is_alive()
    told("Right: all is well", check, endless(started.format("time.sleep(0.02)")))
    stays.set()
    mine.join(60)


FORKS = "if os.fork() == 0: os._exit(0)\nassert os.wait()[1] == 0\nraise ValueError('goes on')"


@pytest.mark.parametrize(
    "body, says",
    [
        ("os._exit(1)", r"your code raised Deadly: os._exit\(\) ends the whole kernel"),
        ("os.abort()", r"os.abort\(\) ends the whole kernel"),
        ("raise SystemExit(3)", "your code raised SystemExit: 3"),
        ("raise type('Unspeakable', (Exception,), {'__str__': None})", "raised Unspeakable"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        (FORKS, "ValueError: goes on"),
    ],
)
def test_code_that_would_end_the_kernel(body, says, told, board):
    before = os._exit, os.abort
    told(says, memory.write, function("index_at(*_)", body, {"os": os}))
    assert (os._exit, os.abort) == before


def test_the_stop_button_ends_a_check(board):
    with pytest.raises(KeyboardInterrupt):
        memory.write(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    # only the one of pytest's own limit, which does not repeat
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_a_check_keeps_no_buffer(told, iop, xlnk):
    """On some images a buffer's memory comes back when nobody knows the buffer any more."""
    buffer = xlnk.cma_array((10,), "u4")
    known = weakref.ref(buffer)
    gc.disable()
    try:
        told("your request", iop_example.tweak, iop, buffer)
        del buffer
        assert known() is None
    finally:
        gc.enable()
