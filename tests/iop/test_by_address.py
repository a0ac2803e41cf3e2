"""A buffer given by its physical address: found whoever allocated it and at once, and never after
it is gone."""

import gc
import weakref

import numpy as np
import pytest
from pynq import Device, allocate
from pynq.buffer import PynqBuffer

from iop import buffers
from iop.buffers import locate
from iop.xlnk import Xlnk

pytestmark = pytest.mark.slow

BY = {
    "pynq.allocate": lambda: allocate((50,), "u4"),
    "Xlnk": lambda: Xlnk().cma_array((50,), "u4"),
    "the device": lambda: Device.active_device.allocate((50,), "u4"),
}


def new_buffer(words=50):
    return allocate((words,), "u4")


def found(address):
    """Whether an address is in a buffer. It keeps none, as an assertion of pytest's would."""
    try:
        return bool(locate(address))
    except ValueError as error:
        assert "no buffer" in str(error)
        return False


@pytest.fixture
def looks(monkeypatch, board):
    """Grows by an entry whenever all objects of this process are listed."""
    looks, all_buffers = [], buffers._all_buffers
    monkeypatch.setattr(buffers, "_all_buffers", lambda: looks.append(1) or all_buffers())
    return looks


@pytest.mark.parametrize("by", BY)
def test_whoever_allocated_it_at_any_word_and_with_one_look(iop, looks, by):
    buffer, others = BY[by](), [new_buffer(1) for _ in range(100)]
    buffer[:] = 0
    address = buffer.physical_address
    for word in (0, 49, 20):
        iop.write_to_buffer(address + 4 * word, 1, word + 1)
    assert np.flatnonzero(buffer).tolist() == [0, 20, 49]
    assert buffer[[0, 20, 49]].tolist() == [1, 21, 50]
    assert len(looks) == 1 and all(found(other.physical_address) for other in others)
    assert not found(0x1000)
    new = new_buffer()
    gc.collect()
    assert locate(new.physical_address)[2] is new


def in_a_cycle(holder):
    cycle = [holder.pop()]
    cycle.append(cycle)
    del cycle
    gc.collect()


FREE = {
    "freebuffer()": lambda holder: holder[0].freebuffer(),
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


def test_a_second_buffer_where_the_first_one_was(iop):
    first = new_buffer(1000)
    address = first.physical_address
    assert found(address)
    first.freebuffer()
    second = new_buffer(10)
    assert second.physical_address == address
    iop.write_to_buffer(address, 10, 5)
    assert second.tolist() == list(range(5, 15))
    with pytest.raises(ValueError, match="length is 11, and has to be 0 to 10 words here"):
        iop.write_to_buffer(address, 11, 5)
    assert not found(address + 40)


def test_two_buffers_over_the_same_memory(board):
    """As Xlnk of pynq 2 makes them: cma_array(..., pointer=...)."""
    whole = new_buffer()
    address = whole.physical_address
    parts = []
    for start in 0, 20:
        place = dict(device=whole.device, device_address=address + 4 * start)
        part = PynqBuffer((10,), "u4", buffer=whole[start:], **place)
        part.memory = part.pointer = True  # what allocate() adds
        part.return_to = None
        parts.append(part)
    assert locate(address)[2] is whole
    assert locate(address + 120)[2] is whole
    whole.freebuffer()
    assert locate(address + 80)[2] is parts[1] and locate(address)[2] is parts[0]
    assert not found(address + 40) and not found(address + 120)


def test_neither_a_look_nor_an_error_that_is_kept_keeps_a_buffer(board):
    gc.collect()
    gc.disable()
    try:
        known, buffer = new_buffer(), new_buffer()
        assert found(known.physical_address)
        with pytest.raises(ValueError) as kept:
            locate(0x1000)
        gone = weakref.ref(known), weakref.ref(buffer)
        del known, buffer
        assert [reference() for reference in gone] == [None, None] and kept.value
    finally:
        gc.enable()
