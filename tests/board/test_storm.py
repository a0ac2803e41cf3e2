"""Two processes do everything at once (helpers/storm.py), from a seed that is printed; SEED=...
plays one again, as far as threads do the same twice. With pynq 3 one of them is killed now and
then, as a kernel is, and a new one goes on."""

import os
import random
import signal
import time

import pytest

from board import HOME_KIT, NAME

SECONDS = float(os.environ.get("STORM", 4))


class Kernel:
    """One of the two processes, which is replaced by a new one when it has ended."""

    def __init__(self, board, chance):
        self._board, self._chance = board, chance
        self._start()

    def _start(self):
        seconds = self._chance.uniform(3, min(20, 1.5 * SECONDS))
        # The server of pynq 2 does not survive the end of a process that is just talking to it.
        self._killed = self._chance.random() < 0.4 and self._board.release.startswith("3.")
        killed_after = seconds * self._chance.random() if self._killed else float("inf")
        self._end = time.monotonic() + min(seconds, killed_after)
        numbers = self._chance.randrange(10**6), seconds, killed_after
        self._process = self._board.start_command(
            *("python3", "-B", HOME_KIT + "/tests/helpers/storm.py", *map(str, numbers)),
            PYTHONPATH=f".:{HOME_KIT}/tests:{HOME_KIT}",
            TUTORIAL=NAME,
        )
        self._process.stdout.readline()  # it has begun

    def go_on(self):
        """Ends the process if its time is over, and starts a new one."""
        if time.monotonic() > self._end:
            self.stop()
            self._start()

    def stop(self):
        out, error = self._process.communicate(timeout=280)
        # its own end may come before
        ways = (0, -signal.SIGKILL, 128 + signal.SIGKILL) if self._killed else (0,)
        assert self._process.returncode in ways and "WRONG" not in out, out + error
        print(out.strip() or "killed")


@pytest.mark.timeout(SECONDS + 300)
def test_a_storm_of_two_processes(board):
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"\nSEED={seed}")
    board.power_up("operating")
    kernels = [Kernel(board, random.Random(seed + number)) for number in range(2)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for kernel in kernels:
            kernel.go_on()
        time.sleep(0.05)
    for kernel in kernels:
        kernel.stop()
    meminfo = board.path("/proc/meminfo").read_text().splitlines()
    sizes = dict(line.split()[:2] for line in meminfo)
    assert sizes["CmaFree:"] == sizes["CmaTotal:"], "memory of a process that has ended is lost"
    board.python("base.py")
