"""python -m bench [--quick] [--json FILE]: prints the performance table, and writes the same as
JSON.

Each row stands beside something else that was measured in the same run. --quick takes few samples,
to see that all of it works; its figures say nothing. What this machine cannot measure is skipped,
with the reason. Exits with 1 if a section fails.
"""

import argparse
import json
import os
import platform
import signal
import sys

from . import boards, calls, firmware, pins, starts
from .measure import ON_BOARD, ROOT, Skipped, row

SECTIONS = [
    ("A call", calls.rows),
    ("A cell of C", calls.cells),
    ("The firmware", firmware.rows),
    ("Pins", pins.rows),
    ("Starting", starts.rows),
    ("Doing nothing", boards.rows),
]
HEADER = "", "median (middle half)", "compared with", "median (middle half)", "ratio"
WIDTHS = 40, -24, 39, -24, -7  # characters; negative: to the right
SCALES = {  # of each unit: at least this much, suffix, factor
    "s": [(1, "s", 1), (1e-3, "ms", 1e-3), (1e-6, "us", 1e-6), (0, "ns", 1e-9)],
    "bytes": [(1e9, "GB", 1e9), (1e6, "MB", 1e6), (0, "B", 1)],
    "instructions": [(0, "", 1)],
    "cores": [(0, "%", 0.01)],
}


def figure(unit, part):
    """A median and its spread, as `12.3 us (12.1 - 12.9)`; of a constant no spread."""
    _, suffix, factor = next(scale for scale in SCALES[unit] if part["median"] >= scale[0])
    median, low, high = (number(part[name] / factor) for name in ("median", "low", "high"))
    text = f"{median} {suffix}".strip()
    return text if low == high else f"{text} ({low} - {high})"


def number(value):
    """Three digits, two below 1, and no exponent; a whole number as it is."""
    value = round(value, 9)  # a division by the scale leaves 15.000000000000002
    if value == int(value):
        return str(int(value))
    digits = max(0, 3 - len(str(int(abs(value)))))
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.{digits}f}"


def lines(row):
    """A line of text for each thing that a row is compared with."""
    for word in ("skipped", "failed"):
        if word in row:
            return [f"{row['name'].ljust(WIDTHS[0] + 1)}{word}: {row[word]}"]
    result, own = [], (row["name"], figure(row["unit"], row))
    for other in row["compared_with"]:
        cells = other["name"], figure(row["unit"], other), number(other["ratio"])
        result.append(line(own + cells))
        own = "", ""
    return result


def line(cells):
    columns = zip(cells, WIDTHS)
    return " ".join(c.ljust(w) if w > 0 else c.rjust(-w) for c, w in columns).rstrip()


def measured(title, section, quick):
    """Yields the rows of a section; the last one says why the others are missing, if they are."""
    try:
        for name, unit, ways, runs in section(quick):
            yield dict(row(unit, ways, runs), name=name)
    except Skipped as reason:
        yield {"name": title, "skipped": str(reason)}
    except Exception as error:  # whatever it is, the other sections are measured
        yield {"name": title, "failed": f"{type(error).__name__}: {error}"}


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
        from virtual_board import qemu

        found["QEMU"] = ".".join(map(str, qemu.version(qemu.find())))
    return found


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n\n")[1])
    parser.add_argument("--quick", action="store_true", help="few samples, to see that it works")
    parser.add_argument("--json", metavar="FILE", default=os.path.join(ROOT, "bench", "bench.json"))
    options = parser.parse_args()
    if not ON_BOARD and os.environ.get("PYNQ_VIRTUAL_BOARD") == "0":
        sys.exit("bench: PYNQ_VIRTUAL_BOARD=0 keeps the virtual board off: unset it.")
    # what was started is ended on the way out
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda number, frame: sys.exit(128 + number))

    result = {"quick": options.quick, "machine": machine(), "rows": []}
    print(", ".join(f"{name}: {value}" for name, value in result["machine"].items()))
    print("A ratio above 1 means that the kit's figure is the larger one.")
    if options.quick:
        print("Quick: shows that the bench works, and not how fast anything is.")
    for title, section in SECTIONS:
        print("\n" + line((title,) + HEADER[1:]))
        for each in measured(title, section, options.quick):
            result["rows"].append(each)
            print("\n".join(lines(each)), flush=True)
    with open(options.json, "w") as file:
        json.dump(result, file, indent=1)
    failed = sum("failed" in each for each in result["rows"])
    if failed:
        sys.exit(f"bench: {failed} of {len(SECTIONS)} sections failed")


if __name__ == "__main__":
    main()
