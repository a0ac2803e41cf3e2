"""XRT's own Python module over board.c: as much of it as pynq 3.1 calls."""

import ctypes
import enum

_xrt = ctypes.CDLL("/usr/lib/libxrt_core.so")
_xrt.xclMapBO.restype = ctypes.c_void_p
_xrt.xclAllocBO.restype = ctypes.c_uint
NO_BUFFER = 0xFFFFFFFF

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
    flags = enum.IntEnum("flags", [("normal", 0), ("cacheable", 1 << 24)])

    def __init__(self, device, size, flags, group):
        self._bytes = size
        self._handle = _xrt.xclAllocBO(None, ctypes.c_size_t(size), 0, int(flags) | group)
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

    def sync(self, direction, size=None, offset=0):
        size = ctypes.c_size_t(self._bytes if size is None else size)
        if _xrt.xclSyncBO(None, self._handle, int(direction), size, ctypes.c_size_t(offset)):
            raise RuntimeError("sync failed")
