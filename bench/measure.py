"""Takes samples, and makes rows of them.

Machines differ, so speed is a ratio. The things that are compared are measured in turn, and a ratio
is the median of the ratios of each turn: what disturbs the machine for a while disturbs both.
"""

import os

import numpy as np

import virtual_board

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# on a board, the installed one
OVERLAY = os.path.join(os.environ.get("TUTORIAL", ROOT), "bitstream", "pynq_tutorial.bit")
ON_BOARD = os.path.exists(virtual_board.FPGA_MANAGER)


class Skipped(Exception):
    """Why this machine cannot measure something, in a few words."""


def row(ways, runs):
    """Measures each way once a run, beginning with another one each time.

    Args:
        ways: {name: function that returns a sample, or a constant}; the row is about the first.
        runs: how many samples of each.

    Returns:
        [(name, 25th, 50th and 75th percentile, ratio of the first way to this one), ...]
    """
    names, samples = list(ways), {name: [] for name in ways}
    for run in range(runs):
        first = run % len(names)
        for name in names[first:] + names[:first]:
            way = ways[name]
            samples[name].append(way() if callable(way) else way)
    ours = samples[names[0]]
    # The middle half says more of the spread than the extremes, which are another process's doing.
    return [
        (name, np.percentile(theirs, [25, 50, 75]), np.median(np.divide(ours, theirs)))
        for name, theirs in samples.items()
    ]
