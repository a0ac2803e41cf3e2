"""ask.py SEED SECONDS: requests of random lengths into one buffer, between two others that
nobody may touch."""

import random
import sys

import numpy as np
from kernels import again_and_again, start

from iop.xlnk import Xlnk

random.seed(sys.argv[1])
below, buffer, above = [Xlnk().cma_array((5000,), "u4") for _ in range(3)]
for guard in below, above:
    guard[:] = 0xC0FFEE


def begin(before):
    if before is None:
        return start()
    try:
        before.reset()
        return before
    except (RuntimeError, TimeoutError):
        return start()


def attempt(iop):
    length, data = random.randrange(1, 5000), random.randrange(2**31)
    buffer[:] = 0xDEAD
    iop.write_to_buffer(buffer, length, data, timeout=0.5)
    words = np.arange(data, data + length, dtype="u4")
    return np.array_equal(buffer[:length], words) and (buffer[length:] == 0xDEAD).all()


again_and_again(float(sys.argv[2]), begin, attempt)
assert (below == 0xC0FFEE).all() and (above == 0xC0FFEE).all(), "words outside the buffer"
