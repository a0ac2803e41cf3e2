"""The example's own order: it allocates first, and asks by address."""

from iop.xlnk import Xlnk

xlnk = Xlnk()
buffer = xlnk.cma_array(shape=(1000,), dtype="i4")
buffer[:] = 0
from kernels import start

start().write_to_buffer(buffer.physical_address, 10, 1)
assert buffer[:12].tolist() == list(range(1, 11)) + [0, 0], buffer[:12]
