"""XRT's own Python module on the board, over fabric.ko's buffers (module/buffers.c): as much of it
as pynq 3.1 calls."""

import enum
import fcntl
import mmap
import os
import struct

ALLOCATE, FLUSH, INVALIDATE = 0xC00C5001, 0x5002, 0x5003  # buffers.c has the same

xrt_info_device = enum.Enum(
    "xrt_info_device",
    "bdf dynamic_regions electrical host m2m max_clock_frequency_mhz mechanical memory name"
    " pcie_info thermal vmr",
)
xclBOSyncDirection = enum.IntEnum(
    "xclBOSyncDirection", "XCL_BO_SYNC_BO_TO_DEVICE XCL_BO_SYNC_BO_FROM_DEVICE", start=0
)


class device:
    def __init__(self, index):
        pass

    def get_info(self, what):
        return "edge" if what is xrt_info_device.name else "0"

    def load_xclbin(self, path):
        with open(path, "rb") as file:
            if file.read(7) != b"xclbin2":
                raise RuntimeError(f"load_xclbin: {path} is not an xclbin")
        return b"uuid"


class bo:
    """A buffer. Its memory is free when this and the last array over it are gone."""

    flags = enum.IntEnum("flags", [("normal", 0), ("cacheable", 1 << 24)])

    def __init__(self, device, size, flags, group):
        self._size, cacheable = size, bool(flags & bo.flags.cacheable)
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

    def sync(self, direction, size=None, offset=0):
        flush = direction == xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE
        fcntl.ioctl(self._file, FLUSH if flush else INVALIDATE)
