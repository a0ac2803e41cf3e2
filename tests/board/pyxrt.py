"""XRT's own Python module, which pynq 3.1 uses in place of its C interface: as much of it as pynq
calls."""

import ctypes
import enum
import os

_xrt = ctypes.CDLL(os.path.join(os.environ["XILINX_XRT"], "lib", "libxrt_core.so"))
_xrt.xclOpen.restype = _xrt.xclMapBO.restype = ctypes.c_void_p
_xrt.xclAllocBO.restype = ctypes.c_uint
_xrt.xclAllocBO.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_uint]
_xrt.xclMapBO.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_bool]
_xrt.xclFreeBO.argtypes = [ctypes.c_void_p, ctypes.c_uint]
_xrt.xclSyncBO.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_size_t,
]
NO_BUFFER = 0xFFFFFFFF


class xrt_info_device(enum.Enum):
    (
        bdf,
        dynamic_regions,
        electrical,
        host,
        m2m,
        max_clock_frequency_mhz,
        mechanical,
        memory,
        name,
        pcie_info,
        thermal,
        vmr,
    ) = range(12)


class xclBOSyncDirection(enum.IntEnum):
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class _Properties(ctypes.Structure):
    _fields_ = [
        ("handle", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("size", ctypes.c_uint64),
        ("paddr", ctypes.c_uint64),
        ("domain", ctypes.c_uint32),
    ]


class device:
    def __init__(self, index):
        self.handle = _xrt.xclOpen(index, None, 0)

    def get_info(self, what):
        return "edge" if what is xrt_info_device.name else "0"

    def load_xclbin(self, path):
        with open(path, "rb") as file:
            if file.read(7) != b"xclbin2":
                raise RuntimeError(f"load_xclbin: {path} is not an xclbin")
        return b"uuid"


class bo:
    class flags(enum.IntEnum):
        normal = 0
        cacheable = 1 << 24

    def __init__(self, of, size, flags, group):
        self._bo = _xrt.xclAllocBO(of.handle, size, 0, int(flags) | group)
        if self._bo == NO_BUFFER:
            raise RuntimeError("failed to allocate userptr bo: Cannot allocate memory")
        self._device, self._size, self._properties = of.handle, size, _Properties()
        _xrt.xclGetBOProperties(
            ctypes.c_void_p(self._device), self._bo, ctypes.byref(self._properties)
        )

    def __del__(self):
        if self._bo != NO_BUFFER:
            _xrt.xclFreeBO(self._device, self._bo)

    def size(self):
        return self._size

    def address(self):
        return self._properties.paddr

    def map(self):
        return memoryview(
            (ctypes.c_ubyte * self._size).from_address(_xrt.xclMapBO(self._device, self._bo, True))
        )

    def sync(self, direction, size=None, offset=0):
        if _xrt.xclSyncBO(
            self._device, self._bo, int(direction), self._size if size is None else size, offset
        ):
            raise RuntimeError("sync failed")
