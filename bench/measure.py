"""Samples, and what becomes of them: a row of the table, as a dictionary that is also its JSON.

Speed is judged as a ratio to something else, because machines differ. So the things that are
compared are measured in turn, and a ratio is the median of the ratios of each turn: what disturbs
the machine for a while disturbs both. (pyperf measures one thing after the other, each in processes
of its own.)"""

import gc
import importlib
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


# What Python's garbage collector lists in the kernel of a notebook that has drawn something, and
# the modules that bring most of it.
OBJECTS = 300000
MODULES = "ipykernel.kernelapp", "ipywidgets", "matplotlib.pyplot"


class Skipped(Exception):
    """A row, or something to compare it with, that this machine cannot give: why, in a few
    words."""


def like_a_notebook():
    """Imports what a notebook's kernel has, as far as it is here, and makes as many objects as are
    in there. Returns them: this process is like a kernel for as long as the caller keeps them."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    return [[] for _ in range(OBJECTS - len(gc.get_objects()))]


def in_turn(ways, runs):
    """Measures each way once a run, beginning with another one each time.

    ways: {name: function that returns a sample, ...} Returns {name: samples, ...}; a way that
    raises Skipped has its reason, a text, in place of the samples."""
    names, samples = list(ways), {name: [] for name in ways}
    for run in range(runs):
        first = run % len(names)
        for name in names[first:] + names[:first]:
            try:
                if isinstance(samples[name], list):
                    samples[name].append(ways[name]())
            except Skipped as reason:
                samples[name] = str(reason)
    return samples


def row(unit, samples):
    """A row: its own figure and what it is compared with.

    unit: "s", "bytes", "instructions" or "cores" (of the processor, in use) samples: {name: samples
    or a constant or the reason why there are none, ...}; the first is what the row is about"""
    (own, ours), *others = samples.items()
    if isinstance(ours, str):
        raise Skipped(ours)
    compared = []
    for name, theirs in others:
        if isinstance(theirs, str):
            compared.append({"name": name, "skipped": theirs})
        else:
            ratios = np.asarray(ours, float) / np.asarray(theirs, float)
            compared.append(dict(_summary(theirs), name=name, ratio=float(np.median(ratios))))
    return dict(_summary(ours), of=own, unit=unit, compared_with=compared)


def _summary(samples):
    # The middle half says more of the spread than the extremes, which are another process's doing.
    low, median, high = np.percentile(samples, [25, 50, 75]).tolist()
    return {"median": median, "low": low, "high": high, "runs": int(np.size(samples))}


def run(*arguments, **options):
    """Runs a Python of its own in the kit's folder, and returns what it prints. RuntimeError, with
    the end of what it said, if it fails.

    timeout: seconds, 120 if not given; env: its environment
    """
    # In a session of its own, Ctrl-C reaches it through us alone, once, and it has time to end what
    # it started.
    process = subprocess.Popen(
        [sys.executable] + list(arguments),
        cwd=ROOT,
        env=options.get("env"),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    try:
        output = process.communicate(timeout=options.get("timeout", 120))[0]
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        raise
    if process.returncode:
        raise RuntimeError(
            "python {} failed: {}".format(" ".join(arguments)[:60], output.strip()[-300:])
        )
    return output
