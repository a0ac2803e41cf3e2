"""A buffer given by its physical address: found whoever allocated it and at once, and never after
it is gone."""

import gc
import statistics
import threading
import timeit
import weakref

import numpy as np
import pytest
from pynq import Device, allocate
from pynq.buffer import PynqBuffer

from helpers.kit import run_python
from iop import buffers
from iop.buffers import locate
from iop.xlnk import Xlnk

pytestmark = pytest.mark.slow

OBJECTS = 300000  # in the process of a notebook that has drawn something

BY = {
    "pynq.allocate": lambda: allocate((50,), "u4"),
    "Xlnk": lambda: Xlnk().cma_array((50,), "u4"),
    "the device": lambda: Device.active_device.allocate((50,), "u4"),
}


def new_buffer(words=50):
    return allocate((words,), "u4")


def found(address):
    """Whether an address is in an allocated buffer. It keeps none, as an assertion of pytest's
    would."""
    try:
        return bool(locate(address))
    except ValueError as error:
        assert "no buffer" in str(error)
        return False


def made(buffer):
    """A PynqBuffer with what allocate() adds to it, and nothing that freebuffer() would have to
    do."""
    buffer.memory = buffer.pointer = True
    buffer.return_to = None
    return buffer


@pytest.fixture
def looks(monkeypatch, board):
    """The looks at the objects of this process: () for all of them, (0,) for the youngest."""
    looks, all_buffers = [], buffers._all_buffers

    def counted(*generation):
        looks.append(generation)
        return all_buffers(*generation)

    monkeypatch.setattr(buffers, "_all_buffers", counted)
    return looks


@pytest.mark.parametrize("by", BY)
def test_whoever_allocated_it_at_any_word_and_with_one_look(iop, looks, by):
    buffer = BY[by]()
    buffer[:] = 0
    address = buffer.physical_address
    iop.write_to_buffer(address, 2, 7)
    del looks[:]
    for word in (0, 49, 20):
        iop.write_to_buffer(address + 4 * word, 1, word + 1)
    assert np.flatnonzero(buffer).tolist() == [0, 1, 20, 49] and buffer[
        [0, 1, 20, 49]
    ].tolist() == [1, 8, 21, 50]
    assert looks == []


def test_allocated_by_another_module_before_the_kit_was_imported():
    run = run_python("""
import virtual_board
board = virtual_board.activate()
import pynq
buffer = pynq.allocate((10,))
from pynq import Overlay
from iop.pynq_tutorial import Pynq_Tutorial
Pynq_Tutorial(Overlay("bitstream/pynq_tutorial.bit").iop1.mb_info).write_to_buffer(buffer.physical_address, 10, 1)
print(buffer.tolist())
board.close()
""")
    assert run.stdout == str(list(range(1, 11))) + "\n", run.stderr


def test_by_address_is_as_fast_as_by_buffer_among_300000_objects(iop):
    many = [[number] for number in range(max(0, OBJECTS - len(gc.get_objects())))]
    others = [new_buffer(1) for _ in range(100)]
    buffer = new_buffer()
    address = buffer.physical_address
    iop.write_to_buffer(address, 10, 1)

    def seconds(target):
        return timeit.timeit(lambda: iop.write_to_buffer(target, 10, 1), number=20)

    ratio = statistics.median(seconds(address) / seconds(buffer) for _ in range(101))
    assert ratio < 1.5, (ratio, len(many), len(others))


def by_reference(holder):
    del holder[:]


def in_a_cycle(holder):
    holder.append(holder)
    cycle = [holder[:], holder]
    cycle.append(cycle)
    del holder[:], cycle
    gc.collect()


def at_the_end_of_a_block(holder):
    with holder[0]:
        pass


FREE = {
    "freebuffer()": lambda holder: holder[0].freebuffer(),
    "a block's end": at_the_end_of_a_block,
    "its last reference": by_reference,
    "the garbage collector": in_a_cycle,
    "the board's end": lambda holder: holder[0].device.free_all(),
}


@pytest.mark.parametrize("was_known", [True, False])
@pytest.mark.parametrize("way", FREE)
def test_is_refused_once_it_is_freed(board, way, was_known):
    holder = [new_buffer()]
    address = holder[0].physical_address
    if was_known:
        assert found(address)
    FREE[way](holder)
    assert not found(address) and not found(address + 40)
    # Linux gives the memory to somebody else now, as to another process.
    owner = {1}
    assert board.cma.allocate(200, owner).address == address
    assert not found(address)


def test_is_refused_after_xlnk_reset(xlnk):
    buffer = xlnk.cma_array((50,), "u4")
    assert locate(buffer.physical_address)[2] is buffer
    xlnk.xlnk_reset()
    assert not found(buffer.physical_address)


class Resurrects:
    """Keeps what it holds from the garbage collector, which has told every weak reference by then
    that it is gone."""

    saved = []

    def __init__(self, what):
        self.what, self.itself = what, self

    def __del__(self):
        self.saved.append(self.what)


def test_what_the_collector_freed_and_a_finalizer_saved_is_refused(board):
    holder = Resurrects(new_buffer())
    address = holder.what.physical_address
    assert locate(address)[2] is holder.what
    del holder
    gc.collect()
    saved = Resurrects.saved.pop()
    assert saved.physical_address == address
    assert not found(address)
    with pytest.raises(ValueError, match="freed"):
        locate(saved)


def test_a_second_buffer_at_the_address_of_one_that_is_still_there(iop):
    first = new_buffer(1000)
    address = first.physical_address
    iop.write_to_buffer(address, 1000, 1)
    first.freebuffer()
    second = new_buffer(10)
    assert second.physical_address == address
    iop.write_to_buffer(address, 10, 5)
    assert second.tolist() == list(range(5, 15))
    with pytest.raises(ValueError, match="length is 11, and there is room for 0 to 10 words"):
        iop.write_to_buffer(address, 11, 5)
    assert not found(address + 40)
    assert first.physical_address == address


def test_a_buffer_that_is_somewhere_else_now(board):
    buffer = new_buffer()
    old = buffer.physical_address
    assert locate(old)[2] is buffer
    buffer.device_address += 0x10000
    assert not found(old)
    assert locate(buffer.physical_address + 4) == (old + 0x10004, 196, buffer)


def test_two_buffers_over_the_same_memory(board):
    """As Xlnk of pynq 2 makes them: cma_array(..., pointer=...)."""
    whole = new_buffer()
    address = whole.physical_address

    def over(start, words):
        part = PynqBuffer(
            (words,),
            "u4",
            buffer=whole[start:],
            device=whole.device,
            device_address=address + 4 * start,
        )
        return made(part)

    parts = over(0, 10), over(20, 10)
    assert all(map(buffers.is_allocated, parts))
    assert locate(address)[2] is whole
    assert locate(address + 80)[1] == 40  # either is right
    assert locate(address + 120)[2] is whole
    whole.freebuffer()
    assert locate(address + 80)[2] is parts[1] and locate(address)[2] is parts[0]
    assert not found(address + 40) and not found(address + 120)


def test_what_gc_freeze_has_put_aside(board):
    buffer, freed = new_buffer(), new_buffer()
    address = freed.physical_address
    assert locate(address)[2] is freed
    later = new_buffer()  # which no look has seen
    gc.freeze()
    try:
        freed.freebuffer()
        assert not found(address)
        for live in (buffer, later):
            assert locate(live.physical_address)[2] is live
        gc.freeze()
        last = new_buffer()
        assert locate(last.physical_address)[2] is last
    finally:
        gc.unfreeze()


def test_a_thousand_refusals_look_at_all_objects_a_few_times(looks):
    for number in range(1000):
        assert not found(0x1000 + 4 * number)
    assert looks.count(()) < 20 and len(looks) < 1100


@pytest.mark.parametrize("generation", [None, 0, 1, 2])
def test_a_new_buffer_is_found_after_refusals_wherever_the_collector_has_it(looks, generation):
    assert not found(0x1000)
    buffer = new_buffer()
    if generation is not None:
        gc.collect(generation)
    assert locate(buffer.physical_address)[2] is buffer
    assert not found(0x1000)
    assert found(buffer.physical_address + 4)


def test_a_new_buffer_is_found_while_another_thread_is_making_it(board):
    """What tells that it is an original comes after the array itself."""
    half = PynqBuffer(
        (50,), "u4", buffer=bytearray(200), device=Device.active_device, device_address=0x1F000000
    )
    gc.collect()  # it is no longer among the youngest
    assert not found(half.physical_address)
    made(half)
    assert locate(half.physical_address)[2] is half


def test_neither_a_look_nor_an_error_that_is_kept_keeps_a_buffer(looks):
    gc.collect()
    gc.disable()
    try:
        known, buffer = new_buffer(), new_buffer()
        assert found(known.physical_address) and looks[-1:] == [()]
        with pytest.raises(ValueError) as raised:
            locate(0x1000)
        gone = weakref.ref(known), weakref.ref(buffer)
        del known, buffer
        assert [reference() for reference in gone] == [None, None] and raised.value
    finally:
        gc.enable()


def test_threads_that_allocate_ask_and_free_are_told_the_truth(board):
    wrong, threshold = [], gc.get_threshold()

    def work():
        for _ in range(8):
            buffer = new_buffer()
            address = buffer.physical_address
            if not found(address) or locate(address)[2] is not buffer:
                wrong.append("a buffer was refused")
            buffer.freebuffer()
            not found(0x1000)

    gc.set_threshold(50, 2, 2)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        gc.set_threshold(*threshold)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)
