"""The differences between releases of pynq, 3.0 and 3.1, and of numpy. No other module of the
virtual board knows the release."""

import importlib
import sys

import numpy
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

from . import description

# Clocks of 3.0 looks here for the architecture, and later ones in the device. From it pynq.lib,
# when it is imported, works out two things, and it may be already: rpc, for cells of C, where the
# IOP has DDR; and video, which drivers the HDMI parts of a base overlay have. pynq does not load a
# base overlay without these.
pynq.ps.CPU_ARCH = pynq.ps.ZYNQ_ARCH
if "pynq.lib.pynqmicroblaze.rpc" in sys.modules:
    sys.modules["pynq.lib.pynqmicroblaze.rpc"].PTR_OFFSET = "0x20000000"
if "pynq.lib.video" in sys.modules:
    importlib.import_module("pynq.lib.video.dvi")

# PynqBuffer sets `device`, which numpy 2 does not allow; an attribute of the class hides numpy's.
if hasattr(numpy.ndarray, "device"):
    PynqBuffer.device = None

# what a board's memory manager adds to the description
PSDDR = dict(type="DDR4", base_address=0, size=256 << 20, used=1, idx=0, raw_type=2)


def read_hwh(path):
    """The contents of a .hwh file, by pynq's own parser, with what a board adds to it, and as
    `overlay` what the virtual board is made from: a description.Overlay."""
    metadata = Metadata(input=path)
    root = metadata._root  # parsed already: a base overlay's 4 MB take 0.2 seconds
    description.check_family(root)
    parser = RuntimeMetadataParser(metadata)
    _complete(parser.mem_dict, parser.hierarchy_dict)
    parser.mem_dict.setdefault("PSDDR", dict(PSDDR, streaming=False, tag="PSDDR"))
    parser.overlay = description.read(root, parser)
    return parser


def _complete(memories, hierarchies):
    """Adds to each memory what pynq expects in its description."""
    for memory in memories.values():
        if "phys_addr" in memory:
            memory.update(
                base_address=memory["phys_addr"], size=memory["addr_range"], streaming=False
            )
    for hierarchy in hierarchies.values():
        _complete(hierarchy["memories"], hierarchy["hierarchies"])
