"""For test_threads.py: IPython's %autoreload, as if all of the kit's files had changed on disk.
The board stays, and the overlay can be loaded again."""

import sys

from IPython.core.interactiveshell import InteractiveShell

import virtual_board

board = virtual_board.activate()
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("autoreload", "2")

from IPython.extensions.autoreload import superreload
from pynq import Overlay, allocate

from iop.pynq_tutorial import Pynq_Tutorial

OVERLAY = "bitstream/pynq_tutorial.bit"
iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
buffer = allocate((10,))
iop.write_to_buffer(buffer, 10, 1)
modules = [
    module
    for name, module in sys.modules.items()
    if name.split(".")[0] in ("virtual_board", "iop") and hasattr(module, "__file__")
]
assert len(modules) > 8
for _ in range(2):
    for module in modules:
        superreload(module, shell=shell)
    assert virtual_board.activate() is board
    for _ in range(2):  # the second time with what the first has replaced
        iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
    iop.write_to_buffer(buffer, 10, 5)
    assert buffer.tolist() == list(range(5, 15))
    buffer = allocate((10,))
board.close()
