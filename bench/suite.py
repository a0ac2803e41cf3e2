"""The slowest tests of `make test`, each beside all of it. On a PC alone."""

import functools
import re
import time

from .measure import ON_BOARD, Skipped, row, run

NUMBER = 10
NAME = 40  # characters of a test's name that the table has room for
QUICK = "tests/iop/test_mailbox.py", "tests/setup/test_links.py"
LIMIT = 1200  # seconds


def slowest(quick):
    """(seconds of all, [(seconds, test), ...]), the slowest first. A test's set-up and its end
    count on their own."""
    began = time.perf_counter()
    output = run(
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "-rfE",
        "-n",
        "2",
        "--dist",
        "loadfile",
        f"--durations={NUMBER}",
        "--durations-min=0",
        *(QUICK if quick else ("tests", "notebooks")),
        timeout=LIMIT,
    )
    found = re.findall(r"^ *([\d.]+)s (?:call|setup|teardown) +(.*)", output, re.M)
    return time.perf_counter() - began, [(float(seconds), test) for seconds, test in found]


def rows(quick):
    """Yields (name, function that returns the row) of each."""
    if ON_BOARD:

        def skip():
            raise Skipped("on a board, make test is another one")

        yield "slowest tests", skip
        return
    all_of_it, tests = slowest(quick)
    for seconds, test in tests:
        yield (
            test.rpartition("/")[2][:NAME],
            functools.partial(row, "s", {test: seconds, "all of make test": all_of_it}),
        )
