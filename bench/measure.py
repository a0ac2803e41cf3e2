"""Takes samples, and makes rows of them: dictionaries that are also the JSON.

Machines differ, so speed is a ratio. The things that are compared are measured in turn, and a ratio
is the median of the ratios of each turn: what disturbs the machine for a while disturbs both.
"""

import os
import signal
import subprocess
import sys

import numpy as np

import virtual_board

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# on a board, the installed one
OVERLAY = os.path.join(os.environ.get("TUTORIAL", ROOT), "bitstream", "pynq_tutorial.bit")
ON_BOARD = os.path.exists(virtual_board.FPGA_MANAGER)


class Skipped(Exception):
    """Why this machine cannot measure something, in a few words."""


def row(unit, ways, runs):
    """Measures each way once a run, beginning with another one each time.

    Args:
        unit: "s", "bytes", "instructions" or "cores" (of the processor, in use).
        ways: {name: function that returns a sample, or a constant}; the row is about the first.
        runs: how many samples of each.
    """
    names, samples = list(ways), {name: [] for name in ways}
    for run in range(runs):
        first = run % len(names)
        for name in names[first:] + names[:first]:
            way = ways[name]
            samples[name].append(way() if callable(way) else way)
    (own, ours), *others = samples.items()
    compared = [
        dict(_summary(theirs), name=name, ratio=float(np.median(np.divide(ours, theirs))))
        for name, theirs in others
    ]
    return dict(_summary(ours), of=own, unit=unit, compared_with=compared)


def _summary(samples):
    # The middle half says more of the spread than the extremes, which are another process's doing.
    low, median, high = np.percentile(samples, [25, 50, 75]).tolist()
    return {"median": median, "low": low, "high": high, "runs": len(samples)}


def run(*arguments, timeout=120, **variables):
    """Runs a Python of its own in the kit's folder, and returns what it prints.

    Args:
        timeout: seconds.
        variables: added to its environment.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    # In a session of its own, Ctrl-C reaches it through us alone, once, and it has time to end what
    # it started.
    process = subprocess.Popen(
        [sys.executable] + list(arguments), cwd=ROOT, env=dict(os.environ, **variables),
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, universal_newlines=True,
    )  # fmt: skip
    try:
        output = process.communicate(timeout=timeout)[0]
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        raise
    if process.returncode:
        words = " ".join(arguments)[:60]
        raise RuntimeError(f"python {words} failed: {output.strip()[-300:]}")
    return output
