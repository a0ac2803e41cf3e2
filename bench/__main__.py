"""python -m bench [--quick]: prints how fast the kit is.

Each row stands beside something else that was measured in the same run. --quick takes few samples,
to see that all of it works; its figures say nothing. What this machine cannot measure is skipped,
with the reason.
"""

import os
import platform
import sys

from . import boards, calls, firmware, starts, whole_board
from .measure import ON_BOARD, Skipped, row

SECTIONS = [
    ("A call", calls.rows),
    ("A cell of C", calls.cells),
    ("The firmware", firmware.rows),
    ("Starting", starts.rows),
    ("Doing nothing", boards.rows),
    ("The whole board", whole_board.rows),
]
LINE = "{:40} {:>24}  {:39} {:>24} {:>7}"
SCALES = {  # of each unit: at least this much, suffix, factor
    "s": [(1, "s", 1), (1e-3, "ms", 1e-3), (1e-6, "us", 1e-6), (0, "ns", 1e-9)],
    "bytes": [(1e9, "GB", 1e9), (1e6, "MB", 1e6), (0, "B", 1)],
    "instructions": [(0, "", 1)],
    "cores": [(0, "%", 0.01)],
}


def number(value):
    """Three digits, and no exponent."""
    return f"{float(f'{value:.3g}'):g}"


def figure(unit, low, median, high):
    """A median and its spread, as `12.3 us (12.1 - 12.9)`; of a constant no spread."""
    _, suffix, factor = next(scale for scale in SCALES[unit] if median >= scale[0])
    low, median, high = (number(part / factor) for part in (low, median, high))
    text = f"{median} {suffix}".strip()
    return text if low == high else f"{text} ({low} - {high})"


def lines(name, unit, ways, runs):
    """Measures a row. A line of text for each thing that it is compared with."""
    (_, spread, _), *others = row(ways, runs)
    own, result = (name, figure(unit, *spread)), []
    for other, spread, ratio in others:
        result.append(LINE.format(*own, other, figure(unit, *spread), number(ratio)))
        own = "", ""
    return result


def machine():
    """What was measured on, {what: which}; no names of machines or people."""
    import pynq

    found = {
        "place": "hardware" if ON_BOARD else "virtual board",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "pynq": pynq.__version__,
    }
    if not ON_BOARD:
        from virtual_board.microblaze import qemu

        found["QEMU"] = ".".join(map(str, qemu.version(qemu.find())))
    return found


def main(quick):
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    print("A ratio above 1 means that the kit's figure is the larger one.")
    if quick:
        print("Quick: shows that the bench works, and not how fast anything is.")
    for title, section in SECTIONS:
        median = "median (middle half)"
        print("\n" + LINE.format(title, median, "compared with", median, "ratio"))
        try:
            for each in section(quick):
                print("\n".join(lines(*each)), flush=True)
        except Skipped as reason:
            print("skipped:", reason)


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
