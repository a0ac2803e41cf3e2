"""The exercises' checks: what they say to answers that look right, on the real IOP. nbval has them say Right to the
solutions."""

import gc
import os
import posix
import signal
import sys
import threading
import time
import weakref
from os import _exit

import numpy as np
import pytest
from pynq import MMIO

import checks
from checks import iop_example, limit, mailbox, memory, safety
from iop.pynq_tutorial import MAILBOX, PROGRAM


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

def test_an_untouched_exercise(said):
    def only_described(buffer):
        """Describes itself, and does nothing."""
        ...
    for answer in ..., None, only_described:
        assert said(memory.tweak, answer) == "Not yet: fill in the cell above, then run both again."


def test_an_exception_of_the_student(said, board):
    assert said(memory.write, lambda buffer, address: address / 0) == \
        "Not yet: your code raised ZeroDivisionError: division by zero"


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
        except:  # noqa: E722 (what a student may write)
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


@pytest.mark.parametrize("answer", [endless, catches_exceptions, catches_all, catches_all_while_it_sleeps, waits_for_a_lock,
                                    catches_all_around_calls, goes_on_in_the_end, waits_for_a_thread, calls_itself_in_a_trap],
                         ids=lambda answer: answer.__name__)
def test_code_that_does_not_end(said, board, monkeypatch, answer):
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    monkeypatch.setattr(limit, "SECOND_TRY", 0.1)
    before = os._exit, signal.getsignal(signal.SIGALRM)
    of_others = signal.getitimer(signal.ITIMER_REAL)[0]
    began = time.monotonic()
    assert said(memory.write, answer).startswith(("Not yet: your code had not ended after 0.1 s",
                                                  "Not yet: your code raised RecursionError"))
    assert time.monotonic() - began < 10
    assert (os._exit, signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(max(of_others - (time.monotonic() - began), 0), abs=0.2)


def test_what_is_interrupted_is_the_students_code_and_not_what_the_kit_does_after_it(said, microblaze, monkeypatch):
    """The check of 3_mailbox starts the IOP's program again, which takes longer than the limit here."""
    monkeypatch.setattr(checks, "LIMIT", 0.1)
    start = mailbox._start
    monkeypatch.setattr(mailbox, "_start", lambda *given: (time.sleep(0.3), start(*given)))
    assert "had not ended" in said(mailbox.write, microblaze, endless)
    monkeypatch.undo()
    assert said(mailbox.write, microblaze, write_words).startswith("Right: ")


def leaves_a_thread(*_):
    threading.Thread(target=endless, daemon=True).start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # Python says nothing of a SystemExit
def test_a_thread_that_goes_on(said, board, monkeypatch):
    stays = threading.Event()
    mine = threading.Thread(target=stays.wait, args=(30,))
    mine.start()  # from an earlier cell
    monkeypatch.setattr(limit, "THREADS_MAY_TAKE", 0.2)
    before = threading.active_count()
    passes = checks.says("all is well")(lambda answer: answer())
    assert said(passes, leaves_a_thread) == "Not yet: your code had ended, but a thread that it started had not."
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before and mine.is_alive()
    assert said(passes, lambda: threading.Thread(target=time.sleep, args=(0.1,)).start()) == "Right: all is well"
    stays.set()
    mine.join(60)


@pytest.mark.parametrize("answer, sentence", [
    (lambda *_: os._exit(1), "your code raised Deadly: os._exit() ends the whole kernel"),
    (lambda *_: _exit(1), "your code raised Deadly: os._exit() ends the whole kernel"),
    (lambda *_: os.abort(), "os.abort() ends the whole kernel"),
    (lambda *_: sys.exit(3), "your code raised SystemExit: 3"),
    (lambda *_: exec("raise Unspeakable", {"Unspeakable": type("Unspeakable", (Exception,), {"__str__": None})}),
     "your code raised Unspeakable"),
    (lambda *_: exec("raise ValueError('two\\nlines')"), "ValueError: two lines"),
])
def test_code_that_would_end_the_kernel(said, board, answer, sentence):
    assert said(memory.write, answer).endswith(sentence)


def test_what_would_end_the_kernel_is_as_it_was_after_a_check(said, board):
    said(memory.write, lambda *_: _exit(1))
    assert os._exit is _exit is posix._exit and os.abort is posix.abort


def test_a_process_that_the_code_forks_may_end(said, board):
    def forks(*_):
        if os.fork() == 0:
            os._exit(0)
        assert os.wait()[1] == 0
        raise ValueError("the parent goes on")
    assert said(memory.write, forks).endswith("the parent goes on")


def test_the_stop_button_ends_a_check(board):
    with pytest.raises(KeyboardInterrupt):
        memory.write(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0  # only the one of pytest's own limit, which does not repeat


def test_a_check_keeps_no_buffer(said, xlnk):
    """On some images a buffer's memory comes back when nobody knows the buffer any more, not when the collector passes by."""
    buffer = xlnk.cma_array((10,), "u4")
    known = weakref.ref(buffer)
    gc.disable()
    try:
        assert said(iop_example.change, buffer, buffer).startswith("Not yet")
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

@pytest.mark.parametrize("words, sentence", [
    (16000, "take 64 KB, but so does a smaller buffer"),
    (15360, "they take 60 KB"),
    (64 * 1024, "they take 256 KB"),
    ("15361", "'15361' is no whole number"),
])
def test_memory_tweak(said, words, sentence):
    assert said(memory.tweak, words).startswith("Not yet: ") and sentence in said(memory.tweak, words)


@pytest.mark.parametrize("offset, sentence", [
    (100 * 640 + 7, "the pixel [50, 3]"),  # counted in pixels
    ((7 * 480 + 100) * 2, "the pixel [5, 260]"),  # column after column
    ((100 * 640 + 7) * 2 + 1, "second byte"),
    (480 * 640 * 2, "is not in the frame"),
])
def test_memory_change_of_an_address(said, xlnk, offset, sentence):
    frame = xlnk.cma_array((480, 640), dtype="u2")
    assert sentence in said(memory.change, frame, frame.physical_address + offset)


def test_memory_change_of_a_frame(said, xlnk):
    assert "no buffer that allocate() returned" in said(memory.change, np.zeros((480, 640), "u2"), 0)
    assert "(640, 480)" in said(memory.change, xlnk.cma_array((640, 480), dtype="u2"), 0)


@pytest.mark.parametrize("index_at", [
    lambda buffer, address: np.unravel_index((address - buffer.physical_address) // 4 % buffer.size, buffer.shape),
    lambda buffer, address: divmod((address - buffer.physical_address) // buffer.itemsize, buffer.shape[-1]),
    lambda buffer, address: (address - buffer.physical_address) // buffer.itemsize,
])
def test_memory_write(said, board, index_at):
    assert "it says that" in said(memory.write, index_at)


# 2_iop_example

def test_iop_example_tweak(said, iop, buffer):
    iop.write_to_buffer(buffer, 99, -500)
    assert said(iop_example.tweak, buffer) == "Not yet: buffer has 0 at [99], and it should have -401."


def test_iop_example_change(said, iop, xlnk, buffer):
    iop.write_to_buffer(buffer, 100, 1)
    second = xlnk.cma_array((50,), dtype="u4")
    iop.write_to_buffer(second, 50, 1)
    assert said(iop_example.change, buffer, second) == "Not yet: second has 1 at [0], and it should have 101."
    assert "dtype int32" in said(iop_example.change, buffer, buffer)
    second.freebuffer()
    assert "no buffer that is allocated now" in said(iop_example.change, buffer, second)


def test_iop_example_write(said, iop):
    def one_by_one(buffer, data):
        for number in range(buffer.size):
            iop.write_to_buffer(buffer[number:], 1, data - number)

    def one_too_low(buffer, data):
        iop.write_to_buffer(buffer, buffer.size, data - buffer.size)
        buffer[:] = buffer[::-1].copy()
    assert "times; once is what was asked for" in said(iop_example.write, iop, one_by_one)
    assert "and it should have" in said(iop_example.write, iop, one_too_low)


# 3_mailbox

def test_mailbox_tweak(said, microblaze, buffer):
    address = buffer.physical_address
    assert "the words from 5 to 7" in said(mailbox.tweak, microblaze, buffer, (address + 20, 3, 7))
    assert "the word 20" in said(mailbox.tweak, microblaze, buffer, (address + 80, 1, 7))
    assert "word 20 became 1" in said(mailbox.tweak, microblaze, buffer, (address + 80, 3, 1))
    for wrong in (20, 3, 7), (address + 80, 81, 7), (address + 82, 3, 7):
        assert "the IOP was not told" in said(mailbox.tweak, microblaze, buffer, wrong)
    assert "not three whole numbers" in said(mailbox.tweak, microblaze, buffer, (address, 3))


@pytest.mark.parametrize("wait_for, sentence", [
    (lambda mailbox, offset, value, seconds: mailbox.read(offset) == value, "came after 0.1 s"),
    (lambda mailbox, offset, value, seconds: True, "another word was there"),
    (lambda mailbox, offset, value, seconds: time.sleep(seconds / 20) or mailbox.read(offset) == value,
     "it waited 0.0"),
])
def test_mailbox_change(said, microblaze, wait_for, sentence):
    assert sentence in said(mailbox.change, microblaze, wait_for)


def write_words(mailbox, buffer, length, data, guard=True, wait=0.3, order=(4, 8, 0)):
    """Right, if nothing is said to the contrary."""
    if guard and length > buffer.size:
        raise ValueError
    words = {0: buffer.physical_address, 4: length, 8: data}
    for offset in order:
        mailbox.write(offset, words[offset])
    end = time.monotonic() + wait
    while wait and mailbox.read(0):
        if time.monotonic() > end:
            raise TimeoutError


@pytest.mark.parametrize("difference, sentence", [
    ({"guard": False}, "with room for 1000000 it raises TimeoutError; a ValueError was asked for"),
    ({"wait": 0}, "it returned before the IOP was done"),
    ({"order": (0, 4, 8)}, "not the last word"),
    ({"order": (4, 8)}, "it left the buffer as it was"),
    ({}, "Right: "),
])
def test_mailbox_write(said, microblaze, board, difference, sentence):
    assert sentence in said(mailbox.write, microblaze, lambda *request: write_words(*request, **difference))
    assert board.stray_writes() == []


def test_mailbox_write_without_a_timeout(said, microblaze, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 1)
    assert "had not ended" in said(mailbox.write, microblaze, lambda *request: write_words(*request, wait=1000))
    assert said(mailbox.write, microblaze, write_words).startswith("Right: ")  # the IOP is in order again


# 6_safety

@pytest.mark.parametrize("length, sentence", [(768, "Right: "), (700, "so do 701"), (1024, "room for 0 to 768 words"),
                                              ("768", "give an integer")])
def test_safety_tweak(said, iop, xlnk, length, sentence):
    assert sentence in said(safety.tweak, iop, xlnk.cma_array((1024,)), length)


@pytest.mark.parametrize("steps, sentence", [
    (("flush", "ask", "invalidate"), "Right: "),
    (("ask", "invalidate"), "Python had written"),
    (("ask", "flush", "invalidate"), "the IOP wrote"),
    (("flush", "ask"), "for Python word 0 is"),
    ((), "for Python word 0 is"),
])
def test_safety_change(said, microblaze, steps, sentence):
    mailbox = MMIO(microblaze.mmio.base_addr + MAILBOX, 16)

    def fill(shared, length, data):
        for step in steps:
            if step == "ask":
                write_words(mailbox, shared, length, data)
            else:
                getattr(shared, step)()
    assert sentence in said(safety.change, fill)


@pytest.mark.parametrize("is_safe, sentence", [
    (lambda buffers, address, length: any(start <= address < start + size for start, size in buffers), "it says True"),
    (lambda buffers, address, length: length > 0 and address % 4 == 0 and any(
        start <= address and address + 4 * length < start + size for start, size in buffers), "it says False"),
    (lambda buffers, address, length: any(
        start <= address and address + 4 * length <= start + size for start, size in buffers), "it says True"),
    (lambda buffers, address, length: address == 0, "it says False"),
])
def test_safety_write(said, is_safe, sentence):
    assert sentence in said(safety.write, is_safe)
