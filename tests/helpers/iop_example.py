"""The IOP example as a program: the calls of the tutorial's notebook 2, as a notebook of pynq's own
made them, and in its order.

Each part is a cell. images.py and test_notebooks.py run it in the notebooks' folder, with a virtual
board."""

# %%
from time import sleep


def get_kb(mmu):
    return int(mmu.cma_stats()["CMA Memory Available"] // 1024)


def print_kb(mmu):
    print("Available Memory (KB): " + str(get_kb(mmu)))


# %%
try:
    from pynq import Xlnk
except ImportError:  # from v2.7 on
    from iop.xlnk import Xlnk
xlnk = Xlnk()

# %%
print(xlnk.cma_stats())

# %%
import numpy as np

print("Before memory allocation:")
print_kb(xlnk)
buffer = xlnk.cma_array(shape=(1000,), dtype=np.int32)
print("After memory allocation:")
print_kb(xlnk)

# %%
from pynq import Overlay

overlay = Overlay("./bitstream/pynq_tutorial.bit")

# %%
help(overlay)

# %%
from iop.pynq_tutorial import Pynq_Tutorial

iop = Pynq_Tutorial(overlay.iop1.mb_info)

# %%
help(iop)

# %%
print("Initial state of the buffer")
length = 10
for i in range(length):
    print(buffer[i])

# %%
data = 1
length = 10
iop.write_to_buffer(buffer.physical_address, length, data)

# %%
print("State of buffer after IOP write")
for i in range(length):
    print(buffer[i])

# %%
buffer.freebuffer()
sleep(1)
print(xlnk.cma_stats())
print_kb(xlnk)
