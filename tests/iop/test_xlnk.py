"""Xlnk's calls over pynq.allocate, and the CMA pool behind them."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pynq import allocate

from virtual_board.cma import MOST_ALIGNED, POOL_BASE, POOL_SIZE

PAGE = 4096


def statistics(taken, usage, count):
    """What cma_stats() returns with so many bytes taken in the whole system."""
    names = "CMA Memory Available", "CMA Memory Usage", "Buffer Count"
    return dict(zip(names, (POOL_SIZE - taken, usage, count)))


def taken(xlnk):
    """How many bytes of the pool are taken."""
    return POOL_SIZE - xlnk.cma_stats()["CMA Memory Available"]


def test_statistics_follow_what_is_allocated(xlnk):
    assert xlnk.cma_stats() == statistics(0, 0, 0)
    first = xlnk.cma_array((1000,), dtype=np.int32)
    second = xlnk.cma_array(shape=(3, 5), dtype=np.uint8, cacheable=1)
    direct = allocate((10,))
    assert xlnk.cma_stats() == statistics(3 * PAGE, 4015, 2)
    assert type(xlnk)().cma_stats() == statistics(3 * PAGE, 0, 0)  # each counts its own
    first.freebuffer()
    assert xlnk.cma_stats() == statistics(2 * PAGE, 15, 1)
    second.freebuffer()
    direct.freebuffer()
    assert xlnk.cma_stats() == statistics(0, 0, 0)


def test_buffer_is_an_array_at_a_physical_address(xlnk):
    buffer = xlnk.cma_array((4, 6), dtype=np.int16)
    assert buffer.shape == (4, 6) and buffer.dtype == np.int16 and not buffer.any()
    assert POOL_BASE <= buffer.physical_address < POOL_BASE + POOL_SIZE
    assert buffer[1:].physical_address == buffer.physical_address + 12
    assert xlnk.cma_array(7).shape == (7,)


def test_a_buffer_nobody_refers_to_is_freed(xlnk):
    buffer = xlnk.cma_array((10,))
    part = buffer[5:]
    del buffer
    gc.collect()
    assert taken(xlnk) == PAGE  # the view keeps it
    del part
    gc.collect()
    assert taken(xlnk) == 0


def test_freeing_twice_does_nothing_more(xlnk):
    with xlnk.cma_array((10,)) as buffer:
        assert taken(xlnk) == PAGE
    assert buffer.freed and taken(xlnk) == 0
    other = xlnk.cma_array((10,))
    buffer.freebuffer()  # must not take what lies there now
    del buffer
    gc.collect()
    assert taken(xlnk) == PAGE and other.physical_address == POOL_BASE


def test_reset_frees_all(xlnk):
    buffers = [xlnk.cma_array((10,)), type(xlnk)().cma_array((10,))]
    type(xlnk)().xlnk_reset()
    assert taken(xlnk) == 0 and all(buffer.freed for buffer in buffers)
    assert xlnk.cma_stats()["Buffer Count"] == 0


def test_buffers_are_aligned_and_do_not_overlap(xlnk):
    first = xlnk.cma_array((1,))
    for size, alignment in (4097, 2 * PAGE), (100000, 1 << 17), (5 << 20, MOST_ALIGNED):
        buffer = xlnk.cma_array((size,), dtype=np.uint8)
        assert buffer.physical_address % alignment == 0
        assert buffer.physical_address > first.physical_address
    random, live = np.random.default_rng(1), [first]
    for _ in range(300):
        if live and random.random() < 0.4:
            live.pop(random.integers(len(live))).freebuffer()
        live.append(xlnk.cma_array((int(random.integers(1, 200000)),), dtype=np.uint8))
    spans = sorted((buffer.physical_address, buffer.nbytes) for buffer in live)
    for (address, size), (following, _) in zip(spans, spans[1:]):
        assert address + size <= following


def test_exhaustion_is_one_sentence_and_loses_nothing(xlnk):
    buffer = xlnk.cma_array((POOL_SIZE,), dtype=np.uint8)
    buffer[:] = 0xEE
    with pytest.raises(RuntimeError, match="4000 bytes were asked for.* 0 are free"):
        xlnk.cma_array((1000,))
    buffer.freebuffer()
    with pytest.raises(RuntimeError, match="free a buffer"):
        xlnk.cma_array((POOL_SIZE + 1,), dtype=np.uint8)
    again = xlnk.cma_array((1000,))
    assert again.physical_address == buffer.physical_address and not again.any()


def test_threads_that_allocate_with_one_xlnk(xlnk):
    def work(_):
        for _ in range(100):
            buffer = xlnk.cma_array((10,))
            assert xlnk.cma_stats()["Buffer Count"] >= 1
            buffer.freebuffer()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    gc.collect()
    assert xlnk.cma_stats() == statistics(0, 0, 0)
    assert xlnk._buffers == []  # nothing else shows that it forgets what is gone


def test_cacheable_buffer_needs_flush_and_invalidate(board):
    buffer = allocate((4,), cacheable=1)
    ddr = board.memory.ddr[buffer.physical_address :][:16].view("u4")
    buffer[:] = 5
    assert ddr.tolist() == [0, 0, 0, 0]
    buffer.flush()
    assert ddr.tolist() == [5, 5, 5, 5]
    ddr[:] = 6
    assert buffer.tolist() == [5, 5, 5, 5]
    buffer[2:].invalidate()
    assert buffer.tolist() == [5, 5, 6, 6]
