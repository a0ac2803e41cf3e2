"""Two processes do everything at once (helpers/storm.py), from a seed that is printed; SEED=... plays
one again, as far as threads do the same twice. With pynq 3 one of them is killed now and then, as a
kernel is, and a new one goes on."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from board import HOME_KIT
from conftest import NAME, base

SECONDS = float(os.environ.get("STORM", 6))
STORM = HOME_KIT + "/tests/helpers/storm.py"


class Kernel:
    """One of the two processes, which is replaced by a new one when it has ended."""

    def __init__(self, board, chance):
        self._board, self._chance = board, chance
        self.said = []
        self._start()

    def _start(self):
        self._seconds = self._chance.uniform(3, min(20, 1.5 * SECONDS))
        # The server of pynq 2 does not survive the end of a process that is just talking to it.
        self._killed = self._chance.random() < 0.4 and self._board.release.startswith("3.")
        killed_after = self._seconds * self._chance.random() if self._killed else float("inf")
        self._end = time.monotonic() + min(self._seconds, killed_after)
        self._process = self._board.start_python(
            "import sys; sys.path[:0] = {!r}, '.'\nfrom helpers import storm\nstorm.main({}, {}, '{}')".format(
                HOME_KIT + "/tests", self._chance.randrange(10**6), self._seconds, killed_after
            ),
            NAME,
            PYTHONPATH=HOME_KIT,
            TUTORIAL=NAME,
        )
        self._process.stdout.readline()  # it has begun

    def go_on(self):
        """Ends the process if its time is over, and starts a new one; to be called again and
        again."""
        if time.monotonic() > self._end:
            self.stop()
            self._start()

    def stop(self):
        out, error = self._process.communicate(timeout=300)
        # its own end may come before
        ways = (0, -signal.SIGKILL, 128 + signal.SIGKILL) if self._killed else (0,)
        assert self._process.returncode in ways and "WRONG" not in out, out + error
        self.said.append(out.strip() or "killed")


@pytest.mark.timeout(SECONDS + 300)
def test_a_storm_of_two_processes(power_up, untouched):
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"\nSEED={seed}")
    expected = untouched("operating")
    board = power_up("operating", leftover=0xA5)
    kernels = [Kernel(board, random.Random(seed + number)) for number in range(2)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for kernel in kernels:
            kernel.go_on()
        time.sleep(0.05)
    for kernel in kernels:
        kernel.stop()
        print("\n".join(kernel.said))
    meminfo = dict(
        line.split()[:2] for line in Path(board.path("/proc/meminfo")).read_text().splitlines()
    )
    assert meminfo["CmaFree:"] == meminfo["CmaTotal:"], "memory of a process that has ended is lost"
    assert base(board) == expected
