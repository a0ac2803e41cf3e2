"""The checks of 6_safety's exercises."""

import random

import numpy as np

from . import Wrong, allocated, says


@says("so many words fit, and not one more.")
def tweak(iop, buffer, length):
    address = buffer.physical_address + 0x400
    try:
        iop.write_to_buffer(address, length, 1)
    except (TypeError, ValueError) as error:
        raise Wrong("the guard says: {}".format(error)) from None
    try:
        iop.write_to_buffer(address, length + 1, 1)
    except ValueError:
        return
    raise Wrong("{} words pass, but so do {}.".format(length, length + 1))


@says("the IOP's words and Python's are all there, whichever you look at.")
def change(fill):
    for _ in range(3):
        with allocated((random.randint(20, 40),), np.uint32, cacheable=1) as shared:
            shared[:] = 0
            shared.flush()
            length, data, pythons = random.randint(3, 15), random.randint(1000, 2000), random.randint(3000, 4000)
            shared[:] = pythons
            fill(shared, length, data)
            for where in "for Python", "in DDR":
                if (shared[:length] != np.arange(data, data + length)).any():
                    raise Wrong("the IOP wrote {} words from {} on, and {} word 0 is {}.".format(
                        length, data, where, shared[0]))
                if (shared[length:] != pythons).any():
                    raise Wrong("Python had written {} everywhere, the IOP wrote the first {} words, and {} word {} is {}."
                                .format(pythons, length, where, length, shared[length]))
                shared.invalidate()  # now Python sees DDR


@says("it lets pass what lies in one buffer, and nothing else.")
def write(is_safe):
    for _ in range(20):
        sizes = [4 * random.randint(2, 1000) for _ in range(3)]
        first = 4096 * random.randint(100, 10000)
        buffers = [(first, sizes[0]), (first + sizes[0], sizes[1]), (first + 0x100000, sizes[2])]  # two of them touch
        random.shuffle(buffers)
        for start, size in buffers:
            words = size // 4
            _asks(is_safe, buffers, start, words, True)
            _asks(is_safe, buffers, start + size - 4, 1, True)
            _asks(is_safe, buffers, start + 4, words - 1, True)
            _asks(is_safe, buffers, start + 4, words, False)
            _asks(is_safe, buffers, start + 2, 1, False)
            _asks(is_safe, buffers, start, 0, False)
            _asks(is_safe, buffers, start + 4, -1, False)
        _asks(is_safe, buffers, first - 4, 2, False)
        _asks(is_safe, buffers, first, sum(sizes[:2]) // 4, False)
    _asks(is_safe, [], 0x8000, 1, False)


def _asks(is_safe, buffers, address, length, expected):
    answer = is_safe(buffers, address, length)
    if answer is not expected and not (isinstance(answer, np.bool_) and answer == expected):
        raise Wrong("the buffers are {}; of {} words at {:#x} it says {!r}.".format(
            ", ".join("{} bytes at {:#x}".format(size, start) for start, size in buffers) or "none", length, address, answer))
