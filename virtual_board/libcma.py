"""The allocator library for pynq 2.6's own Xlnk class, which takes one by its set_allocator_library()."""

import ctypes
import os
import subprocess
import tempfile

from .memory import PAGE

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libcma.c")

ADDRESS, WORD = ctypes.c_size_t, ctypes.c_uint32
CALLS = {  # name: result, then arguments
    "on_alloc": (ADDRESS, WORD, WORD), "on_get_phy_addr": (ADDRESS, ADDRESS), "on_free": (None, ADDRESS),
    "on_pages_available": (WORD,), "on_flush": (None, WORD, WORD), "on_invalidate": (None, WORD, WORD),
    "on_reset": (None,),
}


class Libcma:
    """Buffers of the board that is active now, by the address where Python sees them. Any thread may call into the library."""

    def __init__(self, xlnk, active_device):
        """Builds the library and makes the class `xlnk` use it. active_device() returns the board's device, and is called at each
        call. RuntimeError if there is no C compiler."""
        self._device = active_device
        self._allocations = {}  # address: Allocation
        self._callbacks = []
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "libcma.so")
            try:
                subprocess.check_output(["cc", "-shared", "-fPIC", "-o", path, SOURCE], stderr=subprocess.STDOUT)
            except (OSError, subprocess.CalledProcessError) as error:
                raise RuntimeError("pynq 2.6 takes its buffers from a C library, and that could not be built ({}): "
                                   "install a C compiler, cc.".format(error)) from None
            library = ctypes.CDLL(path)
            for name, types in CALLS.items():
                callback = ctypes.CFUNCTYPE(*types)(getattr(self, name))
                self._callbacks.append(callback)  # ctypes does not keep it
                ctypes.c_void_p.in_dll(library, name).value = ctypes.cast(callback, ctypes.c_void_p).value
            xlnk.set_allocator_library(path)

    def on_alloc(self, size, cacheable):
        try:
            allocation = self._device().allocate_bytes(size, cacheable)
        except RuntimeError:
            return 0  # Xlnk raises the error
        address = allocation.seen.ctypes.data
        self._allocations[address] = allocation
        return address

    def on_get_phy_addr(self, address):
        return self._allocations[address].address

    def on_free(self, address):
        allocation = self._allocations.pop(address, None)
        if allocation is not None:
            allocation.free()

    def on_pages_available(self):
        return self._device().cma_available() // PAGE

    def on_flush(self, physical, size):
        self._synchronise("flush", physical, size)

    def on_invalidate(self, physical, size):
        self._synchronise("invalidate", physical, size)

    def on_reset(self):
        for address in list(self._allocations):
            self.on_free(address)

    def _synchronise(self, what, physical, size):
        for allocation in list(self._allocations.values()):
            if allocation.address <= physical < allocation.address + len(allocation.ddr):
                getattr(allocation, what)(physical - allocation.address, size)
