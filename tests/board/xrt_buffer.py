"""A buffer of board.c's, for arm_board/pyxrt.py."""

import ctypes

_xrt = ctypes.CDLL("/usr/lib/libxrt_core.so")
_xrt.xclMapBO.restype = ctypes.c_void_p
_xrt.xclAllocBO.restype = ctypes.c_uint
NO_BUFFER = 0xFFFFFFFF
CACHEABLE = 1 << 24  # board.c has the same
TO_DEVICE, FROM_DEVICE = range(2)


class Buffer:
    """Sizes are in bytes."""

    def __init__(self, size, cacheable):
        self._bytes, flags = size, CACHEABLE if cacheable else 0
        self._handle = _xrt.xclAllocBO(None, ctypes.c_size_t(size), 0, flags)
        if self._handle == NO_BUFFER:
            raise RuntimeError("failed to allocate userptr bo: Cannot allocate memory")

    def __del__(self):
        _xrt.xclFreeBO(None, self._handle)

    def size(self):
        return self._bytes

    def address(self):
        properties = (ctypes.c_uint64 * 4)()  # struct xclBOProperties
        _xrt.xclGetBOProperties(None, self._handle, properties)
        return properties[2]

    def map(self):
        seen = _xrt.xclMapBO(None, self._handle, True)
        return memoryview((ctypes.c_ubyte * self._bytes).from_address(seen))

    def synchronise(self, flush, size, offset):
        direction, size = TO_DEVICE if flush else FROM_DEVICE, ctypes.c_size_t(size)
        if _xrt.xclSyncBO(None, self._handle, direction, size, ctypes.c_size_t(offset)):
            raise RuntimeError("sync failed")
