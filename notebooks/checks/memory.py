"""The checks of 1_memory's exercises."""

import random

import numpy as np
from pynq.buffer import PynqBuffer

from iop.buffers import is_allocated

from . import Wrong, allocated, says

WHOLE_NUMBER = (int, np.integer)


@says("64 KB are sixteen pages, and no smaller buffer needs the sixteenth.")
def tweak(words):
    if not isinstance(words, WHOLE_NUMBER):
        raise Wrong("{!r} is no whole number of words.".format(words))
    kb = [4 * -(-4 * number // 4096) for number in (words, words - 1)]
    if kb[0] != 64:
        raise Wrong("{} words are {} bytes, and they take {} KB.".format(words, 4 * words, kb[0]))
    if kb[1] == 64:
        raise Wrong("{} words take 64 KB, but so does a smaller buffer.".format(words))


@says("the pixel is where you say it is.")
def change(frame, address):
    if not isinstance(frame, PynqBuffer) or not is_allocated(frame):
        raise Wrong("frame is no buffer that allocate() returned and that is not freed yet.")
    if frame.shape != (480, 640) or frame.dtype != np.uint16:
        raise Wrong("frame has the shape {} and the dtype {}; wanted were 480 rows of 640 pixels of 16 bits.".format(
            frame.shape, frame.dtype))
    if not isinstance(address, WHOLE_NUMBER):
        raise Wrong("address is {!r}, and no whole number.".format(address))
    offset = address - frame.physical_address
    if not 0 <= offset < frame.nbytes:
        raise Wrong("{:#x} is not in the frame, which lies from {:#x} to {:#x}.".format(
            address, frame.physical_address, frame.physical_address + frame.nbytes - 1))
    row, column = divmod(int(offset) // 2, 640)
    if (row, column) != (100, 7):
        raise Wrong("at {:#x} there is the pixel [{}, {}].".format(address, row, column))
    if offset % 2:
        raise Wrong("{:#x} is the pixel's second byte.".format(address))


@says("your function finds every element by its address, and knows which addresses are not the buffer's.")
def write(index_at):
    for dimensions in 2, 1, 3, 2:
        shape = tuple(random.randint(3, 9) for _ in range(dimensions))
        with allocated(shape, random.choice(["u1", "i2", "u4", "f8"])) as buffer:
            last = buffer.size - 1
            for number in 0, random.randint(1, last - 1), last:
                address = buffer.physical_address + number * buffer.itemsize
                _compare(index_at, buffer, address, np.unravel_index(number, shape))
                _compare(index_at, buffer, address + buffer.itemsize - 1, np.unravel_index(number, shape))
            _compare(index_at, buffer, buffer.physical_address - 1, None)
            _compare(index_at, buffer, buffer.physical_address + buffer.nbytes, None)


def _compare(index_at, buffer, address, expected):
    found = index_at(buffer, address)
    if (None if found is None else tuple(np.atleast_1d(found))) != expected:
        raise Wrong("of a buffer with shape {} and {} bytes an element, at {:#x}, it says that {:#x} is {}.".format(
            buffer.shape, buffer.itemsize, buffer.physical_address, address,
            "outside" if found is None else "the element {}".format(found)))
