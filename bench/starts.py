"""How long it takes until one can begin, in fresh processes, and pynq's own share of it."""

import json
import subprocess
import sys

from .measure import ON_BOARD, OVERLAY, ROOT


def parts(*names):
    """A function that returns the seconds of these parts of a start."""

    def sample():
        command = [sys.executable, "-m", "bench.start_in_parts", OVERLAY]
        said = subprocess.check_output(command, cwd=ROOT, timeout=120).decode()
        taken = json.loads(said.splitlines()[-1])
        return sum(taken[name] for name in names)

    return sample


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    runs = 2 if quick else 7
    pynqs = {"import pynq": parts("import pynq")}
    pynqs["import pynq"]()  # not counted: from now on all files are in Linux's cache
    ways = {"Pynq_Tutorial": parts("Pynq_Tutorial"), **pynqs}
    yield "Pynq_Tutorial(...) to READY", "s", ways, runs
    if not ON_BOARD:
        everything = parts("import pynq.lib", "activate", "Overlay", "Pynq_Tutorial")
        ways = {"all but import pynq": everything, **pynqs}
        yield "virtual board, all up to READY", "s", ways, runs
