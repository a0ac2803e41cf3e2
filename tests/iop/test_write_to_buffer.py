"""write_to_buffer over the real program: what it writes, and what it refuses before the IOP hears
of it."""

import gc
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pynq import allocate

from iop import firmware, pynq_tutorial
from iop.buffers import is_allocated
from iop.pynq_tutorial import Pynq_Tutorial


@pytest.mark.parametrize("length", [0, 1, 2, 63, 64, 65, 100])
def test_writes_length_words_and_no_more(iop, buffer, length):
    buffer[:] = -7
    iop.write_to_buffer(buffer.physical_address, length, 1)
    assert buffer[:length].tolist() == list(range(1, length + 1))
    assert (buffer[length:] == -7).all()


@pytest.mark.parametrize(
    "data, words",
    [(-1, [-1, 0]), (-(2**31), [-(2**31), -(2**31) + 1]), (2**31 - 1, [2**31 - 1, -(2**31)])]
    + [(2**32 - 1, [-1, 0])],
)
def test_counts_modulo_32_bits(iop, buffer, data, words):
    iop.write_to_buffer(buffer, 2, data)
    assert buffer[:2].tolist() == words


NO_WORDS = [">u4", ">i4", "f4", "U1", "S4", "V4", "u1", "u2", "i8", "f8", "c8", "M8[s]"]
NO_WORDS += [[("a", "u2"), ("b", "u2")], [("a", "u4")]]


@pytest.mark.parametrize("dtype", NO_WORDS, ids=str)
def test_elements_that_would_show_other_values_are_refused(board, iop, dtype):
    """The IOP's words would be there, and Python would show something else. A view of the same
    memory as integers will do."""
    buffer = allocate((4,), dtype)
    buffer.view(np.uint8)[:] = 0
    for target in buffer, buffer.physical_address:
        with pytest.raises(
            ValueError, match="(?s)has dtype .*integers of 32 bits.*dtype=np.int32.*buffer.view"
        ):
            iop.write_to_buffer(target, 1, 1)
    assert not buffer.view(np.uint8).any() and board.stray_writes() == []
    iop.write_to_buffer(buffer.view(np.uint32), 1, 1)
    assert buffer.view(np.uint32)[0] == 1


def test_views_in_one_piece(board, iop, buffer):
    iop.write_to_buffer(buffer[10:20], 10, 1)
    assert np.flatnonzero(buffer).tolist() == list(range(10, 20))
    square = allocate((4, 5), "u4")
    iop.write_to_buffer(square[2], 5, 1)
    assert square[2].tolist() == [1, 2, 3, 4, 5] and square.sum() == 15
    iop.write_to_buffer(np.uint32(buffer.physical_address + 360), np.int64(10), np.int32(-7))
    assert buffer[90:].tolist() == list(range(-7, 3))


def test_ten_million_words(board, iop):
    buffer = allocate((10**7,), "u4")
    iop.write_to_buffer(buffer, 10**7, 3)
    assert np.array_equal(buffer, np.arange(3, 10**7 + 3, dtype="u4"))
    assert board.stray_writes() == []


def test_a_cacheable_buffer_shows_the_words_and_loses_nothing(board, iop):
    buffer = allocate((10,), "u4", cacheable=1)
    buffer[8:] = 99  # in the cache alone
    iop.write_to_buffer(buffer, 4, 1)
    assert buffer.tolist() == [1, 2, 3, 4, 0, 0, 0, 0, 99, 99]
    iop.write_to_buffer(buffer[4:], 2, 50)
    iop.write_to_buffer(buffer.physical_address + 24, 1, 60)
    assert buffer.tolist() == [1, 2, 3, 4, 50, 51, 60, 0, 99, 99]


# a request, and what the sentence must name: the value given, and what is allowed
BAD = [
    (lambda b: (b, 1.5, 0), "TypeError: length is 1.5.*integer"),
    (lambda b: (b, True, 0), "TypeError: length is True.*integer"),
    (lambda b: (b, -1, 0), "ValueError: length is -1.*0 to 100 words"),
    (lambda b: (b, 101, 0), "ValueError: length is 101.*0 to 100 words"),
    (lambda b: (b[90:], 11, 0), "ValueError: length is 11.*0 to 10 words"),
    (lambda b: (b.physical_address + 4, 100, 0), "ValueError: .*0 to 99 words"),
    (lambda b: (b, 1, "1"), "TypeError: data is '1'.*integer"),
    (lambda b: (b, 1, 2**32), "ValueError: data is 4294967296.*4294967295"),
    (lambda b: (b, 1, -(2**31) - 1), "ValueError: data is -2147483649.*-2147483648"),
    (lambda b: (0, 1, 0), "ValueError: address.*0x1ffffffc.*and is 0x0"),
    (lambda b: (b.physical_address + 2, 1, 0), "ValueError: address.*multiple of 4"),
    (lambda b: (b.physical_address | 0x20000000, 1, 0), "ValueError: address.*0x1ffffffc"),
    (lambda b: (0x1000, 1, 0), "ValueError: address 0x1000 is in no buffer"),
    (lambda b: (b.physical_address + 400, 1, 0), "ValueError: address.*no buffer"),
    (lambda b: ([1, 2], 1, 0), r"TypeError: address is \[1, 2\], a list.*or a buffer"),
    (lambda b: (np.zeros(4, "u4"), 1, 0), "TypeError: .*plain numpy array.*cma_array"),
    (lambda b: (b.copy(), 1, 0), "TypeError: .*copy.*cma_array"),
    (lambda b: (b + 1, 1, 0), "TypeError: .*computation.*cma_array"),
    (lambda b: (b[::2], 1, 0), "ValueError: .*gaps.*one piece"),
    (lambda b: (b.view("u1")[2:10].view("u4"), 1, 0), "ValueError: .*multiple of 4"),
    (lambda b: (b.view("i2"), 1, 0), "ValueError: .*int16.*np.int32"),
    (lambda b: (b, 1, 0, "2"), "TypeError: timeout is '2'.*seconds"),
    (lambda b: (b, 1, 0, True), "TypeError: timeout is True.*seconds"),
    (lambda b: (b, 1, 0, 0), "ValueError: timeout is 0.*more than 0"),
    (lambda b: (b, 1, 0, float("nan")), "ValueError: timeout is nan.*has an end"),
    (lambda b: (b, 1, 0, float("inf")), "ValueError: timeout is inf.*has an end"),
]


@pytest.mark.parametrize("request_for, says", BAD)
def test_bad_input_is_refused_and_named(board, iop, by_hand, buffer, request_for, says):
    mailbox = by_hand.mmio.array[pynq_tutorial.MAILBOX // 4 :].copy()
    with pytest.raises((TypeError, ValueError)) as raised:
        iop.write_to_buffer(*request_for(buffer))
    assert re.match(says + r".*\.$", f"{raised.type.__name__}: {raised.value}")
    assert np.array_equal(mailbox, by_hand.mmio.array[pynq_tutorial.MAILBOX // 4 :])
    assert not buffer.any() and board.stray_writes() == []


def test_pynq_gets_no_interrupt_that_nobody_waits_for(by_hand):
    """It would wait for it in a thread of its own, which may hang on a board."""
    assert by_hand.interrupt is None


def test_freed_buffer_is_refused(iop, buffer):
    # With pynq 2.6 a buffer of a test before, that a traceback still holds, may count as allocated
    # where this one is now.
    gc.collect()
    part, address = buffer[10:], buffer.physical_address
    buffer.freebuffer()
    for freed, error in ((buffer, "freed"), (part, "freed"), (address, "no buffer")):
        with pytest.raises(ValueError, match=error):
            iop.write_to_buffer(freed, 1, 1)


def test_a_buffer_as_a_board_frees_it(board):
    """There pynq 3 leaves no pointer behind, but a mark."""
    buffer = allocate((4,))
    del buffer.pointer
    assert is_allocated(buffer)
    buffer.freed = True
    assert not is_allocated(buffer)


def test_the_program_itself_refuses_what_cannot_lie_in_ddr(board, iop, unchecked, buffer):
    outside = [(0x10000002, 1), (0x20000000, 1), (0x1FFFFFFC, 2), (0x10000000, 2**32 - 1)]
    for address, length in outside:
        with pytest.raises(ValueError, match="IOP refused"):
            unchecked(address, length, 1)
    assert board.stray_writes() == []
    iop.write_to_buffer(buffer, 2, 8)
    assert buffer[:3].tolist() == [8, 9, 0]


def test_no_answer_is_a_timeout_and_reset_helps(board, iop, by_hand, buffer):
    board.microblaze.reset(active=True)  # behind the wrapper's back: nobody is there to answer
    with pytest.raises(TimeoutError, match=r"within 0.2 s.*next call starts it again"):
        iop.write_to_buffer(buffer, 1, 1, timeout=0.2)
    assert by_hand.state == "STOPPED"
    iop.write_to_buffer(buffer, 1, 1)
    assert buffer[:2].tolist() == [1, 0]


def test_two_threads_do_not_mix_their_requests(board, iop):
    words = 200000  # long enough for the other threads to come while one waits

    def fill(number):
        buffer = allocate((words,), "u4")
        for data in range(20):
            length = words - 1000 * number - data
            iop.write_to_buffer(buffer, length, 10**6 * number + data)
            assert buffer[length - 1] == 10**6 * number + data + length - 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    assert board.stray_writes() == []


def test_missing_or_truncated_program(overlay, tmp_path, monkeypatch):
    copy = tmp_path / "pynq_tutorial.bin"
    for module in pynq_tutorial, firmware:
        monkeypatch.setattr(module, "PROGRAM", str(copy))
    with pytest.raises(RuntimeError, match="cannot be read.*git checkout iop"):
        Pynq_Tutorial(overlay.iop1.mb_info)
    whole = open(pynq_tutorial.__file__.replace(".py", ".bin"), "rb").read()
    for length in (0, 3, 12, len(whole) - 1):
        copy.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=f"has {length} bytes and is not a whole"):
            Pynq_Tutorial(overlay.iop1.mb_info)
    copy.write_bytes(whole)
    Pynq_Tutorial(overlay.iop1.mb_info)


def test_no_overlay_or_one_without_the_iop(board, overlay):
    info = overlay.iop1.mb_info
    with pytest.raises(RuntimeError, match="no iop9.*Overlay"):
        Pynq_Tutorial(dict(info, ip_name="iop9/mb_bram_ctrl"))
    for wrong in (None, "iop1", {}):
        with pytest.raises(TypeError, match="give overlay.iop1.mb_info"):
            Pynq_Tutorial(wrong)
