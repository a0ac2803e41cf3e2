"""A virtual PYNQ board: its DDR, CMA pool and I/O processor, for the stock pynq package on a PC.

    import virtual_board
    board = virtual_board.activate()

From then on pynq.Overlay, pynq.allocate and pynq.MMIO find a board. Its I/O processor is QEMU's
MicroBlaze, which runs the board's own program. Every IPython kernel of the kit's .venv calls
activate() by itself."""

import os
import sys
import threading
import types

# Keeps the board when this module is loaded again: %autoreload empties only modules that have a
# file, and _kept has none.
_kept = sys.modules.setdefault(
    __name__ + ".kept", types.ModuleType(__name__ + ".kept", "The board of this process.")
)
_one_at_a_time = threading.RLock()

# Every Zynq board with a PYNQ image has this Linux interface, through which a bitstream gets into
# the FPGA.
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/firmware"


def activate():
    """Gives this process a virtual board and makes it pynq's active device; returns the board.

    Call it before anything asks pynq for a device. A second call returns the same board; after
    board.close(), and in a forked child, which cannot share its parent's board, a call makes a new
    one. QEMU is started with the first overlay. Returns None, and changes nothing, where there is a
    real board or PYNQ_VIRTUAL_BOARD=0 is set. Any thread may call it."""
    if os.path.exists(FPGA_MANAGER) or os.environ.get("PYNQ_VIRTUAL_BOARD") == "0":
        return None
    with _one_at_a_time:
        board = getattr(_kept, "board", None)
        if board is None or not board.is_open():
            from .board import VirtualBoard

            if board is not None:
                board.close()
            _kept.board = board = VirtualBoard()
        return board


def _in_a_child():
    global _one_at_a_time
    # a thread that the child does not have may hold the parent's
    _one_at_a_time = threading.RLock()


if hasattr(os, "register_at_fork"):  # Python 3.7
    os.register_at_fork(after_in_child=_in_a_child)  # novm
