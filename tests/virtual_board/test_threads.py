"""Threads and the garbage collector at once on the virtual board: what Linux sees to on a
board."""

import functools
import gc
import os
import threading
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
from pynq import Device, Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY, run_python
from helpers.processes import qemus
from virtual_board.cma import POOL_BASE, POOL_SIZE

pytestmark = pytest.mark.slow

AUTORELOAD = Path(__file__).with_name("programs") / "autoreload.py"
THREADS = 4


def at_once(*functions):
    """Calls functions in a thread each; raises an error of theirs."""
    with ThreadPool(len(functions)) as pool:
        pool.map_async(lambda function: function(), functions, chunksize=1).get(60)


def again_and_again(*functions, seconds=1):
    """Calls each function for some time, all at once."""
    end = time.monotonic() + seconds

    def again(function):
        function()
        while time.monotonic() < end:
            function()

    at_once(*[functools.partial(again, function) for function in functions])


def test_a_buffer_that_two_threads_free_is_freed_once(board):
    for _ in range(100):
        buffer = allocate((1000,), "u4")
        allocation, ready = buffer.pointer, threading.Barrier(THREADS)

        def free():
            ready.wait(10)
            # what freebuffer() calls, if it does so twice
            Device.active_device.return_pointer(allocation)

        at_once(*[free] * THREADS)
        other = allocate((1000,), "u4")
        assert other.physical_address == POOL_BASE
        Device.active_device.return_pointer(allocation)
        assert board.cma.available() == POOL_SIZE - 4096
        other.freebuffer()


def test_buffers_that_the_garbage_collector_frees(board):
    """They are in cycles, so that they go whenever the collector runs, which here it does all the
    time."""

    def work():
        for _ in range(60):
            cycle = [allocate((100,), "u4")]
            cycle.append(cycle)
            kept = allocate((100,), "u4")
            kept[:] = 7
            del cycle
            board.cma.available()
            assert (kept == 7).all()
            kept.freebuffer()

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        at_once(*[work] * THREADS)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert board.cma.available() == POOL_SIZE and board.stray_writes() == []


@pytest.fixture
def cached(board):
    """A large cacheable buffer, and its words in DDR."""
    buffer = allocate((100_000,), "u4", cacheable=1)
    return buffer, board.memory.ddr[buffer.physical_address :][: buffer.nbytes].view("u4")


def test_writes_during_a_flush_are_not_lost(cached):
    buffer, ddr = cached

    def write(part):
        for place in range(0, len(part), 97):
            part[place] += 1

    parts = buffer.reshape(THREADS, -1)
    again_and_again(buffer.flush, *[functools.partial(write, part) for part in parts])
    buffer.flush()
    assert (ddr == np.asarray(buffer)).all() and buffer.any()


def test_a_flush_overwrites_nothing_newer(cached):
    buffer, ddr = cached
    seen = [0]

    def write():
        ddr[:] += 1

    def read():
        buffer.invalidate()
        buffer.flush()  # Python wrote nothing, so it must change nothing
        seen.append(int(buffer.min()))

    again_and_again(read, write)
    assert seen == sorted(seen) and int(ddr.max()) - int(ddr.min()) <= 1 and seen[-1] > 0


def test_threads_download_activate_and_close_at_once(board):
    at_once(*[lambda: Overlay(OVERLAY)] * THREADS)
    assert len(qemus()) == 1
    at_once(*[board.close] * THREADS)
    assert qemus() == [] and not board.is_open()
    found = []
    at_once(*[lambda: found.append(virtual_board.activate())] * THREADS)
    assert len(found) == THREADS and len(set(map(id, found))) == 1
    found[0].close()


def test_a_closed_board_reads_nobody_elses_file(board, tmp_path):
    """The number of the memory's file may be another file's by then."""
    number = board.memory.file
    board.close()
    (tmp_path / "other").write_bytes(b"x" * 100)
    other = os.open(str(tmp_path / "other"), os.O_RDWR)
    os.dup2(other, number)
    try:
        os.lseek(number, 5, os.SEEK_SET)
        assert board.stray_writes() == []
        assert os.lseek(number, 0, os.SEEK_CUR) == 5
    finally:
        for file in {number, other}:
            os.close(file)


def test_requests_by_address_leave_tuples_alone(iop):
    """To find the buffer at an address, the garbage collector is asked for all objects; it has
    half-made ones, too."""
    buffer = allocate((10,), "u4")

    def fill():
        assert len(tuple(number for number in range(1000))) == 1000

    def ask():
        iop.write_to_buffer(buffer.physical_address, 10, 1)

    again_and_again(ask, fill, fill, seconds=2)


def test_autoreload_takes_no_board_away():
    run = run_python(AUTORELOAD.read_text())
    assert run.returncode == 0, run.stderr[-2000:]
