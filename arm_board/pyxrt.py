"""XRT's own Python module, as much of it as pynq 3.1 calls, for the emulated board and for the
tests' stand-in. What a buffer is differs between them: each has its xrt_buffer.py beside this."""

import enum

from xrt_buffer import Buffer

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


class bo(Buffer):
    flags = enum.IntEnum("flags", [("normal", 0), ("cacheable", 1 << 24)])

    def __init__(self, device, size, flags, group):
        super().__init__(size, bool(flags & bo.flags.cacheable))

    def sync(self, direction, size=None, offset=0):
        flush = direction == xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE
        self.synchronise(flush, self.size() if size is None else size, offset)
