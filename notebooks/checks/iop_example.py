"""The checks of 2_iop_example's exercises."""

import random

import numpy as np
from pynq.buffer import PynqBuffer

from iop.buffers import is_allocated

from . import Wrong, allocated, says


@says("the whole buffer counts up from -500.")
def tweak(buffer):
    _compare("buffer", buffer, np.arange(-500, -500 + buffer.size))


@says("the second buffer goes on where the first ends.")
def change(buffer, second):
    if not isinstance(second, PynqBuffer) or not is_allocated(second):
        raise Wrong("second is no buffer that is allocated now.")
    if second.dtype != np.uint32:
        raise Wrong("second has the dtype {}, and not uint32.".format(second.dtype))
    _compare("buffer", buffer, int(buffer[0]) + np.arange(buffer.size))
    _compare("second", second, int(buffer[-1]) + 1 + np.arange(second.size))


@says("it counts down in buffers of any length, and asks the IOP once.")
def write(iop, count_down):
    calls = []
    original = iop.write_to_buffer

    def counted(*request, **options):
        calls.append(request)
        original(*request, **options)
    iop.write_to_buffer = counted
    try:
        for _ in range(3):
            with allocated((random.randint(5, 2000),), np.int32) as buffer:
                buffer[:] = 0
                data = random.randint(-1000, 1000)
                del calls[:]
                count_down(buffer, data)
                _compare("for {} words from {} on, the buffer".format(buffer.size, data), buffer,
                         data - np.arange(buffer.size))
                if len(calls) != 1:
                    raise Wrong("it called write_to_buffer {} times; once is what was asked for.".format(len(calls)))
    finally:
        del iop.write_to_buffer


def _compare(name, words, expected):
    different = np.flatnonzero(words.astype(np.int64) != expected)
    if different.size:
        raise Wrong("{} has {} at [{}], and it should have {}.".format(
            name, words[different[0]], different[0], expected[different[0]]))
