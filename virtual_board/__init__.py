"""A virtual PYNQ board: its DDR, CMA pool and I/O processor, for the stock pynq package on a PC.

    import virtual_board
    board = virtual_board.activate()

From then on pynq.Overlay, pynq.allocate and pynq.MMIO find a board. Its I/O processor is QEMU's
MicroBlaze, which runs the board's own program. Every IPython kernel of the kit's .venv calls
activate() by itself."""

import os
import sys
import threading

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


def __getattr__(name):
    # not imported at once: `make doctor` imports this package, and may have no numpy
    if name in ("Circuit", "add_circuit"):
        from . import circuit

        return getattr(circuit, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell):
    """Called in each kernel of the kit's .venv: cells of C work there, also in a notebook that
    imports nothing of the kit's."""

    def prepare(*of_the_cell):
        if "pynq.lib.pynqmicroblaze.rpc" in sys.modules:  # pynq has brought %%microblaze
            shell.events.unregister("pre_run_cell", prepare)
            from iop import cells

            cells.install()

    shell.events.register("pre_run_cell", prepare)


def _in_a_child():
    global _one_at_a_time
    # a thread that the child does not have may hold the parent's
    _one_at_a_time = threading.RLock()


if hasattr(os, "register_at_fork"):  # Python 3.7
    os.register_at_fork(after_in_child=_in_a_child)
