"""For tests and notebooks: each run has its own folder for everything that it writes, and executes
a copy of the notebooks. So runs may overlap, and a student's files stay as they are. Tests that
need a compiler for the MicroBlaze are skipped if there is none."""

import os
import re
import shutil
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from iop import firmware

# before pytest stumbles over the options of plugins that are not there either
if find_spec("pynq") is None:
    sys.exit(
        f"The tests need the packages in .venv, and {sys.executable} does not have pynq: type `make"
        " test`, which makes .venv, or .venv/bin/python -m pytest."
    )

ROOT = Path(__file__).resolve().parent
RUNS = ROOT / ".pytest_tmp"
NEED_A_COMPILER = re.compile(
    r"[4789]_\w+\.ipynb|test_cells\.py|test_modules_in_c\.py|"
    r"test_checks_(c_in_a_cell|firmware|pins)\.py"
)
# Notebook 4 writes into the first; the others are not needed.
NOT_COPIED = shutil.ignore_patterns("my_firmware", ".ipynb_checkpoints", "__pycache__")


def pytest_configure(config):
    """Makes the run's folder, which all its processes (xdist) share, and which its end removes."""
    # A shell makes background jobs ignore SIGINT, and tests send it as the stop button does.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.run_folder = Path(config.workerinput["run_folder"])
    else:
        RUNS.mkdir(exist_ok=True)
        config.run_folder = Path(tempfile.mkdtemp(prefix="run-", dir=str(RUNS)))
        config.add_cleanup(lambda: shutil.rmtree(str(config.run_folder), ignore_errors=True))
        if config.option.basetemp is None:
            config.option.basetemp = str(config.run_folder / "tmp")
    # A user's own start-up files and settings would change what the notebooks print.
    os.environ["IPYTHONDIR"] = str(config.run_folder / "ipython")
    os.environ["JUPYTER_CONFIG_DIR"] = str(config.run_folder / "jupyter")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.pop("JUPYTER_PATH", None)
    _execute_a_copy(config.run_folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["run_folder"] = str(node.config.run_folder)


def pytest_collection_modifyitems(items):
    if firmware.compiler() is None:
        for item in items:
            if NEED_A_COMPILER.match(item.path.name):
                item.add_marker(pytest.mark.skip(reason=firmware.NO_COMPILER))


def _copy_of_the_notebooks(folder):
    """Copies notebooks/ and what it has links to; returns the copy's path."""
    copy = Path(tempfile.mkdtemp(prefix="copy-", dir=str(folder)))
    for name in "notebooks", "bitstream", "iop", "mb_src":
        shutil.copytree(str(ROOT / name), str(copy / name), symlinks=True, ignore=NOT_COPIED)
    return copy / "notebooks"


def _execute_a_copy(folder):
    """Makes nbval start a notebook's kernel in a copy of the notebook's folder."""
    try:
        from nbval import plugin
    except ImportError:  # the images' environments on a PC have none
        return

    class KernelOnACopy(plugin.RunningKernel):
        copy = None  # made when the first kernel starts: to collect tests does not need it

        def __init__(self, kernel_name, cwd=None, **options):
            ours = ROOT / "notebooks"
            if cwd is not None and ours in (Path(cwd), *Path(cwd).parents):
                KernelOnACopy.copy = KernelOnACopy.copy or _copy_of_the_notebooks(folder)
                cwd = str(KernelOnACopy.copy / Path(cwd).relative_to(ours))
            super().__init__(kernel_name, cwd=cwd, **options)

    plugin.RunningKernel = KernelOnACopy
