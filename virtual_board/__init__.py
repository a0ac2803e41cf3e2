"""The board that is not there: a PYNQ board's DDR, CMA pool and I/O processor, for the stock pynq package on a PC.

    import virtual_board
    board = virtual_board.activate()

From then on pynq.Overlay, pynq.allocate and pynq.MMIO find a board. Its I/O processor is a real MicroBlaze program
running in QEMU. Every IPython kernel of the kit's .venv calls activate() by itself.
"""

import os

_board = None

# What every Zynq board with a PYNQ image has: the Linux interface through which a bitstream gets into the FPGA.
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/firmware"


def activate():
    """Gives this process a virtual board and makes it pynq's active device; returns the board.

    Call it before anything asks pynq for a device. A second call returns the same board; after board.close(), and in a
    forked child, which cannot share its parent's board, a call makes a new one. QEMU is started with the first overlay.
    Returns None, and changes nothing, where there is a real board or PYNQ_VIRTUAL_BOARD=0 is set.
    """
    global _board
    if os.path.exists(FPGA_MANAGER) or os.environ.get("PYNQ_VIRTUAL_BOARD") == "0":
        return None
    if _board is None or not _board.is_open():
        from .board import VirtualBoard
        if _board is not None:
            _board.close()
        _board = VirtualBoard()
    return _board
