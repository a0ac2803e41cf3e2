"""Xlnk, which allocates physically contiguous memory: pynq's own class where the image has it (up to v2.6), and else
the same calls over pynq.allocate, which replaced it."""

import os

import pynq

from . import pynq_state

pynq_state.check(os.path.dirname(pynq.__file__))  # now, for the next step is to ask pynq for memory

try:
    from pynq import Xlnk
except ImportError:
    import re
    import weakref

    import numpy as np
    from pynq import Device, allocate

    from .buffers import is_allocated, make_freeable

    class Xlnk:
        """Allocates buffers in CMA memory: the part of DDR that Linux keeps for memory in one physical piece."""

        _all_buffers = []  # weak references to every buffer of every Xlnk

        def __init__(self):
            self._buffers = []  # weak references to the buffers of this one

        def cma_array(self, shape, dtype=np.uint32, cacheable=0):
            """A numpy array in CMA memory.

            shape: how many elements, a number or a tuple of them
            dtype: the elements' type
            cacheable: 1 for a buffer that goes through the CPU's cache; then flush() it before the IOP reads it, and
            invalidate() it before Python reads what the IOP wrote
            RuntimeError if there is not that much memory. Free it with buffer.freebuffer(). It works before an overlay is
            downloaded too, as Xlnk always did.
            """
            buffer = _allocate(shape, dtype, cacheable)
            make_freeable(buffer)
            for buffers in (self._buffers, self._all_buffers):
                buffers[:] = [other for other in buffers if other() is not None] + [weakref.ref(buffer)]
            return buffer

        def cma_get_phy_addr(self, buffer):
            """The physical address of a buffer: where it is in DDR, for anything but Linux programs."""
            return buffer.physical_address

        def cma_stats(self):
            """A dictionary: 'CMA Memory Available' in the whole system, and of this Xlnk 'CMA Memory Usage', both in
            bytes, and 'Buffer Count'.

            A freed buffer does not count any more. Its memory is available again at once, or, with pynq 3.1, when the last view
            and the last copy of it are gone.
            """
            sizes = [buffer.nbytes for buffer in (other() for other in self._buffers)
                     if buffer is not None and is_allocated(buffer)]
            return {"CMA Memory Available": _cma_available(),
                    "CMA Memory Usage": sum(sizes),
                    "Buffer Count": len(sizes)}

        def xlnk_reset(self):
            """Frees every buffer that any Xlnk of this process allocated; none of them may be used after that."""
            for other in self._all_buffers:
                if other() is not None:
                    other().freebuffer()

    # DDR memory, as pynq itself describes it to XRT for every overlay of a Zynq (_ip_to_topology in embedded_device.py)
    PS_DDR = {"idx": 0, "base_address": 0, "size": 256 << 20, "streaming": False, "used": 1, "tag": "PSDDR", "type": "DDR4"}

    def _allocate(shape, dtype, cacheable):
        try:
            return allocate(shape, dtype, cacheable=cacheable)
        except RuntimeError as error:
            # pynq looks for DDR in the description of an overlay, and on a board where nothing was downloaded yet there is none.
            # The driver needs no overlay for DDR (zocl_create_bo in XRT's zocl_bo.c).
            if "Overlay is not downloaded" not in str(error):
                raise
            return Device.active_device.get_memory(PS_DDR).allocate(shape, dtype, cacheable=cacheable)

    def _cma_available():
        """Bytes. Linux tells, but for a device with a CMA pool of its own."""
        device = Device.active_device
        if hasattr(device, "cma_available"):
            return device.cma_available()
        with open("/proc/meminfo") as meminfo:
            return 1024 * int(re.search(r"CmaFree:\s*(\d+) kB", meminfo.read()).group(1))
