"""The differences between releases of pynq, 2.6 to 3.1, and of numpy. No other module of the virtual board knows the release."""

import atexit
import inspect
import sys

import numpy
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.pl_server import Device

# 2.x keep the state of the fabric in a PL server, which is another process; with "local" it is this process.
DEVICE_OPTIONS = {"server_type": "local"} if "server_type" in inspect.signature(Device.__init__).parameters else {}

# Up to 3.0 Clocks finds the architecture here, since 3.1 in the device. For cells of C, rpc works out from it where the IOP has DDR,
# when pynq.lib is imported, which may have happened already.
pynq.ps.CPU_ARCH = pynq.ps.ZYNQ_ARCH
if "pynq.lib.pynqmicroblaze.rpc" in sys.modules:
    sys.modules["pynq.lib.pynqmicroblaze.rpc"].PTR_OFFSET = "0x20000000"

# In numpy 2, ndarray.device cannot be set, and PynqBuffer sets it; an attribute of the class hides numpy's.
if hasattr(numpy.ndarray, "device"):
    PynqBuffer.device = None


def read_hwh(path):
    """A .hwh file, read by the release's own parser."""
    try:
        from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
        from pynqmetadata.frontends import Metadata
    except ImportError:  # before 3.0; its HWH is the abstract class on a PC, and this one a Zynq's
        from pynq.pl_server.hwh_parser import _HWHZynq
        parser = _HWHZynq(path)
        _locate_memories(parser)
        return parser
    parser = RuntimeMetadataParser(Metadata(input=path))
    _locate_memories(parser)
    parser.refresh_hierarchy_dict()
    return parser


def _locate_memories(parser):
    """Adds what a board's memory manager adds from 2.7 on. 2.6 has an IOP's memory in ip_dict, which needs nothing added."""
    for memory in parser.mem_dict.values():
        if "phys_addr" in memory:
            memory.update(base_address=memory["phys_addr"], size=memory["addr_range"], streaming=False)
    parser.mem_dict.setdefault("PSDDR", dict(type="DDR4", base_address=0, size=256 << 20, streaming=False, used=1, idx=0,
                                             raw_type=2, tag="PSDDR"))


def downloaded(device, bitstream, parser):
    """Tells pynq that an overlay is in the fabric."""
    name = (device.name,) if "name" in inspect.signature(Device.post_download).parameters else ()  # since 3.0
    device.post_download(bitstream, parser, *name)


def closed(device):
    """Ends what pynq started for a device: in 2.x its PL server."""
    if DEVICE_OPTIONS:
        device.close()
        atexit.unregister(device.close)


# 2.6 still has the Xlnk class, which takes its buffers from a C library, and lets one choose it.
try:
    from pynq import Xlnk
except ImportError:
    pass
else:
    from .libcma import Libcma
    LIBCMA = Libcma(Xlnk, lambda: Device.active_device)
