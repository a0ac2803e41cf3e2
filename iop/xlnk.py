"""Xlnk, which allocates physically contiguous memory: pynq's own class where the image has it (up
to v2.6), otherwise the calls that notebooks need, over pynq.allocate, which replaced it."""

import os

import pynq

from . import pynq_state

# Also for a notebook that downloads the overlay and makes no Pynq_Tutorial.
pynq_state.use(os.path.dirname(pynq.__file__))

try:
    from pynq import Xlnk
except ImportError:
    import re
    import weakref

    import numpy as np
    from pynq import Device, allocate

    from .buffers import is_allocated, make_freeable

    class Xlnk:
        """Allocates buffers in CMA memory, the part of DDR that Linux keeps for physically
        contiguous memory.

        Any thread may call any method; on a board with pynq 2.7 one at a time, because there all
        threads share one connection to pynq's server."""

        _all_buffers = []  # weak references to every buffer of every Xlnk

        def __init__(self):
            self._buffers = []  # weak references to the buffers of this one

        def cma_array(self, shape, dtype=np.uint32, cacheable=0):
            """A numpy array in CMA memory, also before an overlay is downloaded. Free it with
            buffer.freebuffer().

            Args:
                shape: How many elements, a number or a tuple of them.
                dtype: The elements' type.
                cacheable: 1 for a buffer that goes through the CPU's cache. Then flush() it before
                    the IOP reads it, and invalidate() it before Python reads what the IOP wrote.

            Raises:
                RuntimeError: There is not that much memory.
            """
            buffer = _allocate(shape, dtype, cacheable)
            make_freeable(buffer)
            for buffers in (self._buffers, self._all_buffers):
                # called when the buffer is gone
                buffers.append(weakref.ref(buffer, buffers.remove))
            return buffer

        def cma_stats(self):
            """A dictionary: 'CMA Memory Available' in the whole system, and of this Xlnk 'CMA
            Memory Usage', both in bytes, and 'Buffer Count'.

            A freed buffer does not count any more. Its memory is available again at once, or, with
            pynq 3.1, when the last view and the last copy of it are gone."""
            sizes = [buffer.nbytes for buffer in _living(self._buffers) if is_allocated(buffer)]
            return {
                "CMA Memory Available": _cma_available(),
                "CMA Memory Usage": sum(sizes),
                "Buffer Count": len(sizes),
            }

        def xlnk_reset(self):
            """Frees every buffer that any Xlnk of this process allocated."""
            for buffer in _living(self._all_buffers):
                buffer.freebuffer()

    def _living(references):
        buffers = [reference() for reference in list(references)]
        return [buffer for buffer in buffers if buffer is not None]

    # DDR memory, as pynq itself describes it to XRT for every overlay of a Zynq (_ip_to_topology in
    # embedded_device.py)
    PS_DDR = dict(
        idx=0, base_address=0, size=256 << 20, streaming=False, used=1, tag="PSDDR", type="DDR4"
    )

    def _allocate(shape, dtype, cacheable):
        try:
            return allocate(shape, dtype, cacheable=cacheable)
        except RuntimeError as error:
            # pynq looks for DDR in an overlay's description. The driver needs no overlay for DDR
            # (zocl_create_bo in XRT's zocl_bo.c).
            if "Overlay is not downloaded" not in str(error):
                raise
            memory = Device.active_device.get_memory(PS_DDR)
            return memory.allocate(shape, dtype, cacheable=cacheable)

    def _cma_available():
        """Bytes, from the device if it has a CMA pool of its own, otherwise from Linux."""
        device = Device.active_device
        if hasattr(device, "cma_available"):
            return device.cma_available()
        with open("/proc/meminfo") as meminfo:
            return 1024 * int(re.search(r"CmaFree:\s*(\d+) kB", meminfo.read()).group(1))
