"""`python3 -m arm_board`, which is what make board runs, as a process."""

import re
import signal
import subprocess
import sys
import threading

from helpers.kit import ROOT
from helpers.waiting import soon

STARTS_WITHIN = 1200  # seconds


class Launcher:
    """Starts it. Once it is ready, wait() returns."""

    def __init__(self):
        self.said, self._ready = "", threading.Event()
        self.process = subprocess.Popen(
            # it ends with this process, whatever way that ends
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "arm_board"],
            cwd=str(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C" in line:
                self._ready.set()
        self._ready.set()

    def wait(self):
        """Waits until it says where the board answers; returns the ports for SSH and Jupyter."""
        assert self._ready.wait(STARTS_WITHIN) and self.process.poll() is None, self.said
        (ssh,) = re.findall(r"ssh -p (\d+) xilinx@127.0.0.1\n", self.said)
        (jupyter,) = re.findall(r"http://127.0.0.1:(\d+)", self.said)
        return int(ssh), int(jupyter)

    def wait_for_linux(self):
        """Waits until its kernel is up."""
        assert soon(lambda: "Linux 6" in self.said or self._ready.is_set(), STARTS_WITHIN)
        assert self.process.poll() is None, self.said

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(60)
