"""How long it takes until one can begin, in fresh processes, and pynq's own share of it."""

import glob
import importlib.util
import json
import os
import time

from .measure import ON_BOARD, OVERLAY, ROOT, Skipped, run

PROGRAMS = os.path.join(ROOT, "bench", "programs")
PARTS = os.path.join(PROGRAMS, "start_in_parts.py")
TO_THE_TENTH_WORD = os.path.join(PROGRAMS, "to_the_tenth_word.py")
EMPTY_KERNELS = os.path.join(PROGRAMS, "empty_kernels.py")


def parts(*names, less=()):
    """A function that returns the seconds of these parts of a start, without some others."""

    def sample():
        taken = json.loads(run(PARTS, OVERLAY).splitlines()[-1])
        return sum(taken[name] for name in names) - sum(taken[name] for name in less)

    return sample


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    runs = 2 if quick else 7
    run(PARTS, OVERLAY)  # not counted: from now on all files are in Linux's cache
    pynqs = {"import pynq": parts("import pynq")}
    ways = {"Pynq_Tutorial": parts("Pynq_Tutorial"), **pynqs}
    yield "Pynq_Tutorial(...) to READY", "s", ways, runs
    if not ON_BOARD:
        ways = {"activate, QEMU": parts("activate", "download"), **pynqs}
        yield "virtual board's own start", "s", ways, runs
        everything = parts("import pynq.lib", "activate", "Overlay", "Pynq_Tutorial")
        ways = {"all but import pynq": everything, **pynqs}
        yield "virtual board, all up to READY", "s", ways, runs
    ways = {"Overlay": parts("Overlay", less=("download",)), **pynqs}
    yield "pynq's share: Overlay(...)", "s", ways, runs
    if ON_BOARD or importlib.util.find_spec("nbval") is None:
        raise Skipped("the notebooks' kernels and nbval are measured on a PC that has them")

    (example,) = glob.glob(os.path.join(ROOT, "notebooks", "2_*.ipynb"))
    cold = {
        "kernel and cells": lambda: float(run(TO_THE_TENTH_WORD, example).splitlines()[-1]),
        "an empty kernel, ended": lambda: empty_kernels(1),
        "start and import pynq": lambda: seconds("-c", "import pynq"),
    }
    yield "kernel's start to the tenth word", "s", cold, runs
    paths = sorted(glob.glob(os.path.join(ROOT, "notebooks", "**", "*.ipynb"), recursive=True))
    paths = paths[:1] if quick else paths
    suite = {
        "pytest notebooks": lambda: seconds("-m", "pytest", "-q", "-rf", *paths, timeout=600),
        f"{len(paths)} empty kernels": lambda: empty_kernels(len(paths)),
    }
    yield "notebook suite", "s", suite, 1 if quick else 3


def seconds(*arguments, **options):
    """How long a Python takes."""
    began = time.perf_counter()
    run(*arguments, **options)
    return time.perf_counter() - began


def empty_kernels(number):
    """The seconds of so many kernels that do nothing, one after the other."""
    # A kernel of .venv is empty only without the virtual board, which would import pynq.
    return seconds(EMPTY_KERNELS, str(number), timeout=600, PYNQ_VIRTUAL_BOARD="0")
