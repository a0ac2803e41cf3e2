# Every IPython kernel of .venv executes this, before the user's own settings. A notebook then finds
# a board: the virtual one if there is no real one. If that does not start, pynq says why when it is
# asked for a board.

import os
import sys

# Plots appear in the notebook and look the same for everyone, whatever a user's shell or
# matplotlibrc asks for.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
os.environ["MATPLOTLIBRC"] = os.path.join(sys.prefix, "etc", "matplotlibrc")

# pynq would look for accelerator cards and for boards on a network, and GCC for headers and
# libraries of the PC's own processor.
for name in (
    "XILINX_XRT",
    "PYNQ_REMOTE_DEVICES",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
):
    os.environ.pop(name, None)

# Where pynq's drawings of waveforms put their scripts, as an image sets it.
os.environ.setdefault("PYNQ_JUPYTER_NOTEBOOKS", os.getcwd())


def say_why_there_is_no_board(error):
    from pynq.pl_server.device import DeviceMeta

    as_ever = DeviceMeta.active_device
    reason = (
        f"The virtual board did not come up ({type(error).__name__}: {error}): `make doctor` in"
        f" {os.path.dirname(sys.prefix)} says what is missing."
    )

    def active_device(cls):
        if not hasattr(cls, "_active_device"):
            raise RuntimeError(reason) from error
        return as_ever.fget(cls)

    DeviceMeta.active_device = property(active_device, as_ever.fset)


try:
    import virtual_board

    virtual_board.activate()
    from virtual_board.kernel import prepare_for_cells_of_c

    prepare_for_cells_of_c()
except Exception as problem:
    try:
        say_why_there_is_no_board(problem)
    except ImportError:
        pass  # it is pynq that cannot be imported, which a notebook's own import says too
