"""How long it takes until one can begin, in fresh processes; what is pynq's own share of it; and
the notebooks."""

import functools
import glob
import importlib.util
import json
import os
import time

import numpy as np

from .measure import ON_BOARD, OVERLAY, ROOT, Skipped, in_turn, row, run

# Prints the seconds of each part. The overlay's download, on a PC the start of QEMU, happens within
# Overlay(); all else in there is pynq's: it reads the .hwh.
START = f"""
import json, time
seconds, last = {{}}, time.perf_counter()
def part(name):
    global last
    seconds[name], last = time.perf_counter() - last, time.perf_counter()

import pynq
part("import pynq")
import pynq.lib
part("import pynq.lib")
import virtual_board
board = virtual_board.activate()
part("activate")
download = 0.0
if board is not None:
    def timed_download(stock=board.download):
        global download
        started = time.perf_counter()
        stock()
        download += time.perf_counter() - started
    board.download = timed_download
from pynq import Overlay
overlay = Overlay({OVERLAY!r})
part("Overlay")
seconds["download"] = download
from iop.pynq_tutorial import Pynq_Tutorial
Pynq_Tutorial(overlay.iop1.mb_info)
part("Pynq_Tutorial")
print(json.dumps(seconds))
if board is not None:
    board.close()
"""

EMPTY_KERNELS = """
import sys
from jupyter_client.manager import start_new_kernel
for _ in range(int(sys.argv[1])):
    manager, client = start_new_kernel()
    client.stop_channels()
    manager.shutdown_kernel()
"""


# Executes notebook 2 up to its first write, looks at the words, and prints the seconds since the
# kernel's start.
COLD_START = """
import json, os, sys, time
from jupyter_client.manager import start_new_kernel
with open(sys.argv[1]) as file:
    cells = ["".join(cell["source"]) for cell in json.load(file)["cells"] if cell["cell_type"] == "code"]
last = next(number for number, cell in enumerate(cells) if "iop.write_to_buffer(" in cell)
began = time.perf_counter()
manager, client = start_new_kernel(cwd=os.path.dirname(sys.argv[1]))
try:
    for cell in cells[:last + 1]:
        answer = client.execute_interactive(cell, timeout=60, output_hook=lambda message: None,
                                            user_expressions={"words": "buffer[:10].tolist()"})["content"]
        if answer["status"] != "ok":
            sys.exit("a cell failed: " + cell)
    end = time.perf_counter()
    words = answer["user_expressions"]["words"]["data"]["text/plain"]
    if words != str(list(range(1, 11))):
        sys.exit("the buffer has " + words)
    print(end - began)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


@functools.lru_cache(maxsize=None)
def starts(runs):
    """{part: seconds of each run, ...}; "python" is a Python that does nothing. All other parts of
    a run are one process's, so that they belong together."""
    run("-c", START)  # not counted: from now on all files are in Linux's cache
    samples = []
    for _ in range(runs):
        began = time.perf_counter()
        run("-c", "pass")
        python = time.perf_counter() - began
        samples.append(dict(json.loads(run("-c", START).splitlines()[-1]), python=python))
    return {name: np.array([sample[name] for sample in samples]) for name in samples[0]}


def rows(quick):
    """Yields (name, function that returns the row) of each."""
    runs = 2 if quick else 9

    def beside_pynq(name, parts, less=(), only_virtual=False):
        """The row of the sum of some parts, without some others, beside importing pynq."""

        def measure():
            if only_virtual and ON_BOARD:
                raise Skipped("only a PC has a virtual board")
            seconds = starts(runs)
            return row(
                "s",
                {
                    name: (
                        sum(seconds[part] for part in parts) - sum(seconds[part] for part in less)
                    ),
                    "import pynq": seconds["import pynq"],
                },
            )

        return measure

    yield "Pynq_Tutorial(...) to READY", beside_pynq("Pynq_Tutorial", ["Pynq_Tutorial"])
    yield (
        "virtual board's own start",
        beside_pynq("activate, QEMU", ["activate", "download"], only_virtual=True),
    )
    yield (
        "virtual board, all up to READY",
        beside_pynq(
            "all but import pynq",
            ["import pynq.lib", "activate", "Overlay", "Pynq_Tutorial"],
            only_virtual=True,
        ),
    )
    yield (
        "pynq's share: import pynq",
        lambda: row(
            "s",
            {
                "import pynq": starts(runs)["import pynq"],
                "start and end of Python alone": starts(runs)["python"],
            },
        ),
    )
    yield "pynq's share: import pynq.lib", beside_pynq("import pynq.lib", ["import pynq.lib"])
    yield "pynq's share: Overlay(...)", beside_pynq("Overlay", ["Overlay"], less=["download"])
    yield "kernel's start to the tenth word", lambda: cold_start(runs)
    yield "notebook suite", lambda: notebooks(quick)


def _seconds(*arguments, **options):
    began = time.perf_counter()
    run(*arguments, **options)
    return time.perf_counter() - began


def _empty_kernels(number):
    """The seconds that so many kernels take that do nothing, one after the other."""
    # A kernel of the kit's environment is empty only without the virtual board, which would import
    # pynq.
    return _seconds(
        "-c", EMPTY_KERNELS, str(number), env=dict(os.environ, PYNQ_VIRTUAL_BOARD="0"), timeout=600
    )


def _need(*modules):
    if ON_BOARD:
        raise Skipped("on a board, make test executes the installed ones")
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise Skipped(f"there is no {module} here")


def cold_start(runs):
    """The row of a new kernel with notebook 2's cells up to the first write, beside an empty one
    and importing pynq."""
    _need("jupyter_client")
    (notebook,) = glob.glob(os.path.join(ROOT, "notebooks", "2_*.ipynb"))

    def to_the_tenth_word():
        return float(run("-c", COLD_START, notebook).splitlines()[-1])

    to_the_tenth_word()  # not counted, as in starts()
    return row(
        "s",
        in_turn(
            {
                "kernel and cells": to_the_tenth_word,
                "an empty kernel, ended": lambda: _empty_kernels(1),
                "start and import pynq": lambda: _seconds("-c", "import pynq"),
            },
            runs,
        ),
    )


def notebooks(quick):
    """The row of all notebooks, executed and compared, beside a kernel for each that does nothing.
    The quick one has the first notebook alone."""
    _need("nbval", "jupyter_client")
    paths = sorted(glob.glob(os.path.join(ROOT, "notebooks", "**", "*.ipynb"), recursive=True))
    if quick:
        paths = paths[:1]
    return row(
        "s",
        in_turn(
            {
                "pytest notebooks": lambda: _seconds(
                    "-m", "pytest", "-q", "-rf", *paths, timeout=600
                ),
                "{} empty kernel{}".format(len(paths), "s" if len(paths) > 1 else ""): lambda: (
                    _empty_kernels(len(paths))
                ),
            },
            1 if quick else 3,
        ),
    )
