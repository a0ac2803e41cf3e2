"""Loads the overlay before anything else of the kit is imported, and makes a request."""

from pynq import Overlay, allocate

overlay = Overlay("./bitstream/pynq_tutorial.bit")
from iop.pynq_tutorial import Pynq_Tutorial

iop = Pynq_Tutorial(overlay.iop1.mb_info)
buffer = allocate((20,), "u4")
buffer[:] = 0
iop.write_to_buffer(buffer, 10, 1)
assert buffer.tolist() == list(range(1, 11)) + 10 * [0], buffer
assert list(overlay.hierarchy_dict) == ["iop1"], overlay.hierarchy_dict
