"""A virtual PYNQ board, made from an overlay's description, for the stock pynq package on a PC.

    import virtual_board
    board = virtual_board.activate()

From then on pynq.Overlay, pynq.allocate and pynq.MMIO find a board. Each of its I/O processors is a
MicroBlaze of QEMU's, which runs the board's own programs. Every IPython kernel of the kit's .venv
calls activate() by itself."""

import os
import threading

try:
    from .circuit import Circuit, add_circuit
except ImportError:  # `make doctor` imports this package, and may have no numpy
    pass

__all__ = ["Circuit", "activate", "add_circuit"]

# Through this interface of Linux a bitstream gets into the FPGA of each board with a PYNQ image.
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/firmware"

_one_at_a_time = threading.RLock()


def activate():
    """Gives this process a virtual board and makes it pynq's active device.

    Call it before anything asks pynq for a device; any thread may. A second call returns the same
    board. After board.close(), and in a forked child, a call makes a new one. The first overlay
    starts QEMU.

    Returns:
        The board, or None where there is a real one or PYNQ_VIRTUAL_BOARD=0 is set."""
    if os.path.exists(FPGA_MANAGER) or os.environ.get("PYNQ_VIRTUAL_BOARD") == "0":
        return None
    from pynq.pl_server import Device

    from .board import VirtualBoard

    with _one_at_a_time:
        # pynq's class keeps the board, because %autoreload empties a module that has changed
        board = getattr(Device, "virtual_board", None)
        if board is None or not board.is_open():
            if board is not None:
                board.close()
            board = Device.virtual_board = VirtualBoard()
        return board


def _in_a_child():
    global _one_at_a_time
    # a thread that the child does not have may hold the parent's
    _one_at_a_time = threading.RLock()


if hasattr(os, "register_at_fork"):  # Python 3.7
    os.register_at_fork(after_in_child=_in_a_child)
