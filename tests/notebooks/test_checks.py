"""The checks of notebooks 1, 2, 3 and 6, and what all checks share.

nbval has the checks say Right to the solutions."""

import gc
import os
import signal
import threading
import time
import timeit
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

FILL_TWO = """
    second = xlnk.cma_array((first.size + {more},), {dtype})
    iop.write_to_buffer(first, first.size, data)
    iop.write_to_buffer(second, second.size, data + {start})
    {then}
    return {result}
"""


def fill_two(more=0, dtype="'u4'", start="first.size", then="", result="second"):
    """Right, if nothing is said to the contrary."""
    return FILL_TWO.format(**locals())


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


ASKED = "iop.write_to_buffer(buffer, {}, {}); buffer[:] = {}"
BY_HAND = "by_hand(shared.physical_address, length, data)"
INSIDE = "{} and any(start <= address and {} <= start + size for start, size in buffers)"
ASKS, END = "length > 0 and address % 4 == 0", "address + 4 * length"
# of each exercise: the check, how the function begins, and (the rest, what the check says of it)
FUNCTIONS = [
    (
        memory.write,
        "index_at(buffer, address)",
        [
            (
                """
                offset = address - buffer.physical_address
                if 0 <= offset < buffer.nbytes:
                    return np.unravel_index(offset // buffer.itemsize, buffer.shape)
                """,
                RIGHT,
            ),
            ("divmod((address - buffer.physical_address) // buffer.itemsize, 8)", "returned"),
            ("(address - buffer.physical_address) // buffer.itemsize", "which is no tuple"),
            ("right(buffer, max(address, buffer.physical_address))", "Expected: None."),
            ("right(buffer, address) or (0,)", "Expected: None."),
            ("address / 0", r"ZeroDivisionError: division by zero \(in line 2 of its cell\)"),
            ("'''Describes itself, and does nothing.'''\n...", UNTOUCHED),
        ],
    ),
    (
        iop_example.change,
        "fill_two(first, data)",
        [
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
        ],
    ),
    (
        iop_example.write,
        "count_down(buffer, data)",
        [
            (ASKED.format("buffer.size", "-data", "-buffer"), RIGHT),
            (
                ASKED.format("buffer.size", "data", "data - np.arange(buffer.size)"),
                "nothing of it is to be",
            ),
            (ASKED.format(1, "data", "data - np.arange(buffer.size)"), "the IOP for 1 word."),
            (ASKED.format("buffer.size", "1 - data", "-buffer"), "It begins with data"),
            (
                "for n in range(buffer.size): iop.write_to_buffer(buffer[n:], 1, data - n)",
                "times. Expected: one request",
            ),
            ("right(buffer, data) or 1 / 0", "your code raised ZeroDivisionError"),
        ],
    ),
    (
        mailbox.change,
        "wait_for(mailbox, offset, value, seconds)",
        [
            (
                """
                end = time.monotonic() + seconds
                while True:
                    if mailbox.read(offset) == value:
                        return True
                    if time.monotonic() >= end:
                        return False
                """,
                RIGHT,
            ),
            (
                """
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    if mailbox.read(offset) == value:
                        return True
                return False
                """,
                "the word is 0 already: it returned False .* looks at least once",
            ),
            ("np.bool_(right(mailbox, offset, value, seconds))", RIGHT),
            ("mailbox.read(offset) == value", "comes after 0.1 s: it returned False"),
            (
                "time.sleep(seconds); return mailbox.read(offset) == value",
                r"it returned True after [\d.]+ s. Expected: True after 0 s",
            ),
            (
                "right(mailbox, offset, value, seconds) or True",
                "word is there all the time: it ret",
            ),
            ("right(mailbox, 4, value, seconds)", r"it returned False after [\d.]+ s"),
            ("right(mailbox, offset, value, seconds) or None", "it returned None"),
            (
                """
                for _ in range(int(1.2 * seconds * a_second)):
                    if mailbox.read(offset) == value:
                        return True
                return False
                """,
                # the second, if the machine got busier or calmer since it counted
                "each look takes longer than before: your code had not ended after 0.8 s"
                "|it returned (True|False) after",
            ),
            ("mailbox.write(0, 0); return right(mailbox, offset, value, seconds)", "it wrote into"),
        ],
    ),
    (
        mailbox.write,
        "write_words(mailbox, buffer, length, data)",
        [
            (write_words(), RIGHT),
            (write_words(order=(8, 4, 0), ready="mailbox.read(12) in (1, 2)"), RIGHT),
            (write_words(most=10**9), "a buffer of 1000000 words: your code raised TimeoutError"),
            (write_words(wait=0), "it returned before the IOP was done"),
            # on a busy machine 0.1 s may be too short for a large buffer, too
            (write_words(wait=0.1), "(takes 0.2 s|1000000, .*): your code raised TimeoutError"),
            (write_words(order=(0, 4, 8)), "not the last word"),
            (write_words(order=(4, 8)), "it made no request by the mailbox that it was given"),
            (write_words(order=(8, 0)), "it left"),
            (write_words(first="mailbox.write(4, length)"), "it wrote 1 word into the mailbox fir"),
            (write_words(ready="True"), "the program starts 0.1 s later: it left the buffer"),
            (write_words(ready="mailbox.read(12) == 1"), "has refused another request: your code"),
            (
                write_words(first="while not mailbox.read(12): pass"),
                "a program that does not start: your code had not ended after 5 s",
            ),
            (
                write_words(ready="mailbox.read(12) or time.monotonic() > end - 1"),
                "a program that does not start: it wrote 3 words into the mailbox first",
            ),
            (
                """
                if length > buffer.size:
                    raise ValueError
                for word, expected in (12, True), (0, False):
                    for _ in range(a_second):
                        if bool(mailbox.read(word)) == expected:
                            break
                    else:
                        raise TimeoutError
                    for offset, data in (4, length), (8, data), (0, buffer.physical_address):
                        if word == 12:
                            mailbox.write(offset, data)
                """,
                "an IOP that does not answer: your code had not ended after 5 s",
            ),
            (
                "from pynq import MMIO\nright(MMIO(0x4000F000, 16), buffer, length, data)",
                "it wrote its request into another mailbox than the one that it was given",
            ),
            (
                "buffer[:length] = np.arange(data, data + length)",
                "given, and the buffer's words are not",
            ),
        ],
    ),
    (
        safety.change,
        "fill(shared, length, data)",
        [
            (f"shared.flush(); {BY_HAND}; shared.invalidate()", RIGHT),
            (f"{BY_HAND}; shared.invalidate()", "Python had written"),
            (f"{BY_HAND}; shared.flush(); shared.invalidate()", "for Python word 0 is"),
            (f"shared.flush(); {BY_HAND}", "for Python word 0 is"),
            ("iop.write_to_buffer(shared, length, data)", "called by_hand 0 times"),
            (f"shared.flush(); {BY_HAND}; right(shared, length, data)", "called by_hand 2 times"),
        ],
    ),
    (
        safety.write,
        "is_safe(buffers, address, length)",
        [
            (
                """
                starts, sizes = np.array(buffers, dtype=np.int64).reshape(-1, 2).T
                inside = (starts <= address) & (address + 4 * length <= starts + sizes)
                return inside.any() & (length >= 1) & (address % 4 == 0)
                """,
                RIGHT,
            ),
            (INSIDE.format("True", END), "it says True"),
            (INSIDE.format(ASKS, "1 + " + END), "it says False"),
            ("right(buffers, address, length) or None", "it says None"),
            (
                "right([(min(buffers)[0], sum(size for _, size in buffers))], address, length)",
                "it says",
            ),
            ("right(buffers[:1], address, length)", "it says False"),
        ],
    ),
]
PIXEL = "start + (100 * 640 + 7) * 2"
# the check, what it is given, and what it says
VALUES = [
    (memory.tweak, "15361", RIGHT),
    (memory.tweak, "15 * 4096 / 4 + 1", RIGHT),
    (memory.tweak, "16384", "take 64 KB, but so does a buffer with one word less"),
    (memory.tweak, "15360", "they are 61440 bytes, which take 60 KB"),
    (memory.tweak, "65536", "which take 256 KB"),
    (memory.tweak, "15360.5", "not a whole number greater than 0"),
    (memory.tweak, "'15361'", "not a whole number greater than 0"),
    (memory.change, f"frame, {PIXEL}", RIGHT),
    (memory.change, f"frame, ({PIXEL}) / 1", RIGHT),
    (memory.change, "frame, start + 100 * 640 + 7", "row 50, column 3"),  # counted in pixels
    (memory.change, "frame, start + (7 * 480 + 100) * 2", "row 5, column 260"),  # by columns
    (memory.change, f"frame, {PIXEL} + 1", "second byte"),
    (memory.change, "frame, start + 480 * 640 * 2", "that is not in the frame"),
    (memory.change, "frame, 0.5", "that is not a whole number"),
    (memory.change, "xlnk.cma_array((640, 480), 'u2'), 0", "640 rows of 480 elements, 16 bits"),
    (memory.change, "xlnk.cma_array((480, 640), 'u4'), 0", "32 bits each"),
    (memory.change, f"frame.copy(), {PIXEL}", "not a buffer from allocate"),
    (memory.change, f"freed(frame), {PIXEL}", "or it was freed"),
    (iop_example.tweak, "iop, written(buffer, 100, 2**32 - 500)", RIGHT),
    (iop_example.tweak, "iop, written(buffer, 99, -500)", "word 99 is 0. Expected: -401 there"),
    (iop_example.tweak, "iop, written(buffer, 100, 500)", "word 0 is 500"),
    (
        iop_example.tweak,
        "iop, numpys(written(buffer, 99, -500))",
        "it was for 99 words from -500 on. Expected: .* one request is to have the IOP write",
    ),
    (
        iop_example.tweak,
        "iop, written(written(buffer, 50, -500)[50:], 50, -450).base",
        "it was for 50 words from -450 on. Expected: .* one request is to have the IOP write",
    ),
    (iop_example.tweak, "iop, written(buffer, 100, -500).copy()", "a copy of a buffer"),
    (iop_example.tweak, "iop, freed(buffer)", "it is freed"),
    (iop_example.tweak, "iop, None", "Not yet: buffer is None, .* loses what buffer was"),
    (iop_example.tweak, "buffer,", "Not yet: .* it may be of an older edition"),
    (mailbox.tweak, "microblaze, buffer, [address + 80, 12 / 4, np.uint32(7)]", RIGHT),
    (mailbox.tweak, "microblaze, buffer, (address + 20, 3, 7)", "the words from 5 to 7"),
    (mailbox.tweak, "microblaze, buffer, (address + 80, 1, 7)", r"= \(0x\w+, 1, 7\): .* word 20"),
    (mailbox.tweak, "microblaze, buffer, (address + 80, 3, 1)", "word 20 became 1"),
    (mailbox.tweak, "microblaze, buffer, (address + 80, 12, 7)", "words from 20 to 31"),  # bytes
    (mailbox.tweak, "microblaze, buffer, (address + 80, 81, 7)", "the IOP was not told"),
    (mailbox.tweak, "microblaze, buffer, (20, 3, 7)", "the IOP was not told"),
    (mailbox.tweak, "microblaze, buffer, (address, 3)", r"= \(0x\w+, 3\): .* three whole numbers"),
    (mailbox.tweak, "microblaze, buffer, (address + 80, '3', 7)", "not three whole numbers"),
    (mailbox.tweak, "microblaze, freed(buffer), (address + 80, 3, 7)", "buffer: it was freed"),
    (safety.tweak, "iop, buffer_of_1024, 1024 - 0x400 / 4", RIGHT),
    (safety.tweak, "iop, buffer_of_1024, 700", "it passes, but so does 701"),
    (safety.tweak, "iop, buffer_of_1024, 1024", "has to be 0 to 768 words here"),
    (safety.tweak, "iop, buffer_of_1024, '768'", "not a whole number"),
]


@pytest.fixture
def microblaze(iop, overlay):
    """The same IOP, its program ready, in pynq's own hands."""
    from pynq.lib import PynqMicroblaze

    microblaze = PynqMicroblaze(overlay.iop1.mb_info, PROGRAM)
    iop.reset()
    return microblaze


@pytest.fixture
def students(iop, xlnk):
    """What the functions of a student's cells know."""

    def by_hand(address, length, data):
        """As in notebook 6: the check looks for it under this name."""
        mailbox = MMIO(0x40000000 + MAILBOX, 16)
        for offset, word in (4, length), (8, data), (0, address):
            mailbox.write(offset, word)
        return "answered" if soon(lambda: mailbox.read(0) == 0, pause=0) else "no answer"

    spare = mailbox.Recorded(MMIO(0x40000000 + MAILBOX + 0x100, 8))
    a_second = int(2000 / timeit.timeit(lambda: spare.read(4), number=2000))
    return {"a_second": a_second, "iop": iop, "xlnk": xlnk, "by_hand": by_hand, "np": np}


@pytest.mark.parametrize(
    "check, answer, says", [row for each in FUNCTIONS for row in answers(*each)]
)
def test_a_function(check, answer, says, told, students, microblaze, board):
    answer.__globals__.update(students)
    first = {"checks.iop_example": [students["iop"]], "checks.mailbox": [microblaze]}
    told(says, check, *first.get(check.__module__, []), answer)
    assert board.stray_writes() == []


@pytest.mark.parametrize("check, given, says", VALUES)
def test_a_value(check, given, says, told, students, microblaze, buffer):
    frame = students["xlnk"].cma_array((480, 640), "u2")

    def written(part, *request):
        students["iop"].write_to_buffer(part, *request)
        return part

    def freed(buffer):
        buffer.freebuffer()
        return buffer

    def numpys(buffer):
        buffer[:] = np.arange(-500, -400)
        return buffer

    names = dict(
        students,
        numpys=numpys,
        microblaze=microblaze,
        buffer=buffer,
        address=buffer.physical_address,
    )
    names.update(frame=frame, start=frame.physical_address, written=written, freed=freed)
    names["buffer_of_1024"] = students["xlnk"].cma_array((1024,))
    told(says, check, *eval(f"[{given}]", names))


def test_by_hand_on_a_real_board(told, students):
    students["by_hand"] = lambda *request: "refused: this is a real board"
    fill = function("fill(shared, length, data)", BY_HAND, students)
    told("by_hand said refused: this is a real board", safety.change, fill)


# What all checks share

ENDLESS = [
    "while True: pass",
    "while True:\n try: time.sleep(0.01)\n except Exception: pass",
    "while True:\n try:\n  while True: pass\n except: pass",
    "lock = threading.Lock(); lock.acquire(); lock.acquire()",
]


def endless(body):
    return function("index_at(*_)", body, {"time": time, "threading": threading})


@pytest.mark.parametrize("body", ENDLESS)
def test_code_that_does_not_end(body, told, board, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    monkeypatch.setattr(limit, "SECOND_TRY", 0.1)
    before = signal.getsignal(signal.SIGALRM)
    told("your code had not ended after 0.1 s", memory.write, endless(body))
    assert signal.getsignal(signal.SIGALRM) == before
    # pytest's own alarm, or none
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_what_the_kit_does_afterwards_is_not_interrupted(told, microblaze, monkeypatch):
    """The check of 3_mailbox starts the IOP's program again, which takes longer than the limit."""
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    start = mailbox._start
    monkeypatch.setattr(mailbox, "_start", lambda *given: (time.sleep(0.3), start(*given)))
    told("had not ended", mailbox.write, microblaze, endless(ENDLESS[0]))
    monkeypatch.undo()
    head = "write_words(mailbox, buffer, length, data)"
    right = function(head, write_words(), {"time": time})
    told(RIGHT, mailbox.write, microblaze, right)


@pytest.mark.parametrize(
    "body, says",
    [
        ("raise SystemExit(3)", "your code raised SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_code_that_raises(body, says, told, board):
    told(says, memory.write, endless(body))


def test_an_error_that_is_not_the_students(told):
    @checks.says("nobody gets here.")
    def judges(answer):
        return answer + None

    told(r"Not yet: the check could not judge this answer \(TypeError: unsupported", judges, 5)
    told(RIGHT, checks.says("it is.")(lambda answer: None), 5)


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
