"""The differences between releases of pynq, 3.0 and 3.1, and of numpy. No other module of the
virtual board knows the release."""

import sys

import numpy
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

# Up to 3.0 Clocks finds the architecture here, since 3.1 in the device. For cells of C, rpc works
# out from it where the IOP has DDR, when pynq.lib is imported, which may have happened already.
pynq.ps.CPU_ARCH = pynq.ps.ZYNQ_ARCH
if "pynq.lib.pynqmicroblaze.rpc" in sys.modules:
    sys.modules["pynq.lib.pynqmicroblaze.rpc"].PTR_OFFSET = "0x20000000"

# In numpy 2, ndarray.device cannot be set, and PynqBuffer sets it; an attribute of the class hides
# numpy's.
if hasattr(numpy.ndarray, "device"):
    PynqBuffer.device = None


def read_hwh(path):
    """A .hwh file, read by the release's own parser, with what a board's memory manager adds."""
    parser = RuntimeMetadataParser(Metadata(input=path))
    for memory in parser.mem_dict.values():
        if "phys_addr" in memory:
            memory.update(
                base_address=memory["phys_addr"], size=memory["addr_range"], streaming=False
            )
    parser.mem_dict.setdefault(
        "PSDDR",
        dict(
            type="DDR4",
            base_address=0,
            size=256 << 20,
            streaming=False,
            used=1,
            idx=0,
            raw_type=2,
            tag="PSDDR",
        ),
    )
    parser.refresh_hierarchy_dict()
    return parser
