"""A buffer of fabric.ko's (module/buffers.c), for pyxrt.py."""

import fcntl
import mmap
import os
import struct

ALLOCATE, FLUSH, INVALIDATE = 0xC00C5001, 0x5002, 0x5003  # buffers.c has the same


class Buffer:
    """Its memory is free when this and the last array over it are gone. Sizes are in bytes."""

    def __init__(self, size, cacheable):
        self._size = size
        self._file = os.open("/dev/pynq-buffer", os.O_RDWR | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(self._file, ALLOCATE, struct.pack("<3I", size, cacheable, 0))
        except OSError as error:
            raise RuntimeError(f"failed to allocate userptr bo: {error.strerror}") from None
        self._address = struct.unpack("<3I", answer)[2]
        self._mapped = mmap.mmap(self._file, size)

    def __del__(self):
        if hasattr(self, "_file"):
            os.close(self._file)

    def size(self):
        return self._size

    def address(self):
        return self._address

    def map(self):
        return memoryview(self._mapped)

    def synchronise(self, flush, size, offset):
        """Always the whole buffer."""
        fcntl.ioctl(self._file, FLUSH if flush else INVALIDATE)
