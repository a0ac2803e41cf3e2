"""python -m bench [--quick] [--json FILE]: prints the performance table, and writes the same as
JSON.

Each row stands beside something else that was measured in the same run. --quick takes few samples,
to see that all of it works; its figures say nothing. What this machine cannot measure is skipped,
with the reason. Ends with 1 if a row fails."""

import argparse
import json
import os
import platform
import signal
import sys

from . import boards, calls, cells, firmware, pins, starts, suite, table
from .measure import ON_BOARD, ROOT, Skipped

SECTIONS = [
    ("A call", calls),
    ("A cell of C", cells),
    ("The firmware", firmware),
    ("Pins", pins),
    ("Starting", starts),
    ("Doing nothing", boards),
    ("The slowest tests", suite),
]


def machine():
    """What was measured on, {what: which}; no names of machines or people."""
    found = {
        "place": "hardware" if ON_BOARD else "virtual board",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
    }
    import pynq

    found["pynq"] = pynq.__version__
    if not ON_BOARD:
        from virtual_board import qemu

        found["QEMU"] = ".".join(map(str, qemu.version(qemu.find())))
    return found


def measured(name, function):
    """The row, or why there is none."""
    try:
        return dict({"name": name}, **function())
    except Skipped as reason:
        return {"name": name, "skipped": str(reason)}
    except Exception as error:  # whatever it is, the other rows are measured, and the end is not 0
        return {"name": name, "failed": f"{type(error).__name__}: {error}"}


def measured_rows(title, section, quick):
    """Yields the rows of a section; a last one that failed if what all of them need could not be
    set up."""
    try:
        for name, function in section.rows(quick):
            yield measured(name, function)
    except Exception as error:
        yield {"name": title, "failed": f"{type(error).__name__}: {error}"}


def main():
    arguments = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__.split("\n\n")[1]
    )
    arguments.add_argument("--quick", action="store_true", help="few samples, to see that it works")
    arguments.add_argument(
        "--json",
        default=os.path.join(ROOT, "bench", "bench.json"),
        metavar="FILE",
        help="where the JSON goes; bench/bench.json if not given",
    )
    options = arguments.parse_args()
    if not ON_BOARD and os.environ.get("PYNQ_VIRTUAL_BOARD") == "0":
        sys.exit(
            "bench: there is no board here, and PYNQ_VIRTUAL_BOARD=0 keeps the virtual one off:"
            " unset it."
        )
    # what was started is ended on the way out
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))

    result = {"quick": options.quick, "machine": machine(), "rows": []}
    print(
        ", ".join(
            "{} {}".format(*pair) if pair[0] != "place" else "Measured on: " + pair[1]
            for pair in result["machine"].items()
        )
    )
    print(
        "All figures of a line are from the same run; a ratio above 1 means that the kit's is the"
        " larger."
    )
    if options.quick:
        print("Quick: shows that the bench works, and not how fast anything is.")
    for title, section in SECTIONS:
        print("\n" + table.line((title,) + table.HEADER[1:]))
        for row in measured_rows(title, section, options.quick):
            result["rows"].append(row)
            print("\n".join(table.lines(row)), flush=True)
    with open(options.json, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    failed = sum("failed" in row for row in result["rows"])
    if failed:
        sys.exit("bench: {} of {} rows failed".format(failed, len(result["rows"])))


if __name__ == "__main__":
    main()
