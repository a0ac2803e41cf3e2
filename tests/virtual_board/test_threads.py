"""Threads, signals and the garbage collector at once on the virtual board: what Linux sees to on a
board."""

import gc
import os
import random
import threading
import time

import numpy as np
import pytest
from pynq import Device, Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY, run_python
from helpers.processes import qemus
from helpers.stop_button import at_each_line
from iop.pynq_tutorial import Pynq_Tutorial
from iop.xlnk import Xlnk
from virtual_board.cma import POOL_BASE, POOL_SIZE

pytestmark = pytest.mark.slow

THREADS = 4


def at_once(function, times=THREADS):
    """Runs a function in several threads; raises what one of them raised."""
    raised = []

    def run(number):
        try:
            function(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if raised:
        raise raised[0]


def test_threads_allocate_ask_and_free_at_once(board):
    def work(number):
        chance, mine = random.Random(number), []
        for turn in range(150):
            buffer = allocate((chance.randrange(1, 5000),), "u4")
            buffer[:] = number + 1
            mine.append(buffer)
            assert 0 <= board.cma.available() < POOL_SIZE
            if chance.random() < 0.5:
                old = mine.pop(chance.randrange(len(mine)))
                assert (old == number + 1).all()
                old.freebuffer()
            if turn % 50 == 0:
                assert board.stray_writes() == []
        assert all((buffer == number + 1).all() for buffer in mine)
        for buffer in mine:
            buffer.freebuffer()

    at_once(work)
    assert board.cma.available() == POOL_SIZE and board.stray_writes() == []


def test_a_buffer_that_two_threads_free_at_once_is_freed_once(board):
    for _ in range(100):
        buffer = allocate((1000,), "u4")
        allocation, ready = buffer.pointer, threading.Barrier(THREADS)

        def free(number):
            ready.wait(10)
            # what freebuffer() calls, if it does so twice
            Device.active_device.return_pointer(allocation)

        at_once(free)
        other = allocate((1000,), "u4")
        assert other.physical_address == POOL_BASE
        Device.active_device.return_pointer(allocation)
        assert board.cma.available() == POOL_SIZE - 4096
        other.freebuffer()


def test_buffers_that_the_garbage_collector_frees_in_the_middle(board):
    """They are in cycles, so that they go whenever the collector runs, which here it does all the
    time."""
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:

        def work(_):
            for _ in range(60):
                cycle = [allocate((100,), "u4")]
                cycle.append(cycle)
                kept = allocate((100,), "u4")
                kept[:] = 7
                del cycle
                board.cma.available()
                assert (kept == 7).all()
                kept.freebuffer()

        at_once(work)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert board.cma.available() == POOL_SIZE and board.stray_writes() == []


@pytest.mark.parametrize("cacheable", [0, 1])
def test_an_interrupt_at_any_line_of_an_allocation_costs_no_memory(board, cacheable):
    neighbour = allocate((1000,), "u4")
    free = board.cma.available()

    def take_and_give():
        buffer = allocate((500,), "u4", cacheable=cacheable)
        buffer[:] = 3
        buffer.flush()
        buffer.invalidate()
        buffer.freebuffer()

    places = set()
    for place in at_each_line(take_and_give, ["virtual_board/"]):
        places.add(place)
        if board.cma.available() != free:
            gc.collect()
        assert board.cma.available() == free, place
        assert board.stray_writes() == [], place
        again = allocate((500,), "u4")
        assert again.physical_address == neighbour.physical_address + 4096, place
        again.freebuffer()
    assert len(places) > 40


def test_what_a_thread_writes_while_the_cache_is_flushed_is_not_lost(board):
    buffer = allocate((100_000,), "u4", cacheable=1)
    ddr = board.memory.ddr[buffer.physical_address :][: buffer.nbytes].view("u4")
    end = threading.Event()

    def write(number):
        part, value = buffer[number * 25000 : (number + 1) * 25000], 0
        while not end.is_set():
            value += 1
            part[value % 25000] = value

    writers = [threading.Thread(target=write, args=(number,)) for number in range(THREADS)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        buffer.flush()
    end.set()
    for writer in writers:
        writer.join(60)
    buffer.flush()
    assert (ddr == np.asarray(buffer)).all()


def test_what_is_written_to_ddr_during_an_invalidation_is_not_overwritten_by_a_flush(board):
    buffer = allocate((100_000,), "u4", cacheable=1)
    ddr = board.memory.ddr[buffer.physical_address :][: buffer.nbytes].view("u4")
    end = threading.Event()

    def iop():
        while not end.is_set():
            ddr[:] += 1

    writer = threading.Thread(target=iop)
    writer.start()
    last, deadline = 0, time.monotonic() + 1
    while time.monotonic() < deadline:
        buffer.invalidate()
        buffer.flush()  # Python wrote nothing, so it must change nothing
        assert int(buffer.min()) >= last
        last = int(buffer.min())
    end.set()
    writer.join(60)
    assert int(ddr.max()) - int(ddr.min()) <= 1 and last > 0


def test_threads_download_at_once(board):
    at_once(lambda number: Overlay(OVERLAY))
    assert len(qemus()) == 1


def test_threads_activate_and_close_at_once(any_board):
    found = []
    at_once(lambda number: found.append(virtual_board.activate()))
    assert set(map(id, found)) == {id(any_board)}
    Overlay(OVERLAY)
    at_once(lambda number: any_board.close())
    assert qemus() == [] and not any_board.is_open()
    del found[:]
    at_once(lambda number: found.append(virtual_board.activate()))
    assert len(set(map(id, found))) == 1
    found[0].close()


def test_a_closed_board_reads_no_file_of_somebody_elses(board, tmp_path):
    """The number of the memory's file may be another file's by then."""
    number = board.memory.file
    board.close()
    with open(str(tmp_path / "other"), "w+b") as other:
        other.write(b"x" * 100)
        other.flush()
        if other.fileno() != number:
            os.dup2(other.fileno(), number)
        os.lseek(number, 5, os.SEEK_SET)
        assert board.stray_writes() == []
        assert os.lseek(number, 0, os.SEEK_CUR) == 5
        if other.fileno() != number:
            os.close(number)


def test_statistics_while_other_threads_allocate(xlnk):
    end = threading.Event()

    def ask():
        while not end.is_set():
            stats = xlnk.cma_stats()
            assert stats["CMA Memory Usage"] == 400 * stats["Buffer Count"]

    asks = threading.Thread(target=ask)
    asks.start()
    try:
        at_once(lambda number: [xlnk.cma_array((100,), "u4").freebuffer() for _ in range(50)])
    finally:
        end.set()
        asks.join(60)
    assert Xlnk().cma_stats()["CMA Memory Available"] == POOL_SIZE


def test_requests_by_address_leave_other_threads_tuples_alone(overlay):
    """To find the buffer at an address, the garbage collector is asked for all objects; it has
    half-made ones, too."""
    iop, buffer, end = Pynq_Tutorial(overlay.iop1.mb_info), allocate((10,), "u4"), threading.Event()

    def fill(_):
        while not end.is_set():
            assert len(tuple(number for number in range(1000))) == 1000

    def ask():
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            iop.write_to_buffer(buffer.physical_address, 10, 1)
        end.set()

    asks = threading.Thread(target=ask)
    asks.start()
    try:
        at_once(fill, 2)
    finally:
        end.set()
        asks.join(60)


def test_autoreload_takes_no_board_away(tmp_path):
    """IPython's %autoreload, as if all of the kit's files had changed on disk."""
    run = run_python(f"""
import sys, types
from IPython.core.interactiveshell import InteractiveShell
import virtual_board
board = virtual_board.activate()
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("autoreload", "2")
from pynq import Overlay, allocate
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(Overlay({OVERLAY!r}).iop1.mb_info)
buffer = allocate((10,))
iop.write_to_buffer(buffer, 10, 1)
from IPython.extensions.autoreload import superreload
ours = [name for name in sys.modules if name.split(".")[0] in ("virtual_board", "iop")
        and hasattr(sys.modules[name], "__file__")]
for turn in range(2):
    for name in ours:
        superreload(sys.modules[name], shell=shell)
    assert virtual_board.activate() is board
    for overlay in range(2):  # the second time with what the first has replaced
        iop = Pynq_Tutorial(Overlay({OVERLAY!r}).iop1.mb_info)
    iop.write_to_buffer(buffer, 10, 5)
    assert buffer.tolist() == list(range(5, 15))
    buffer = allocate((10,))
assert len(ours) > 8
board.close()
""")
    assert run.returncode == 0, run.stderr[-2000:]
