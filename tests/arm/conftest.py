"""`board` is one that make board has started, with a kit on it; all tests share it."""

import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from remote import HOST, Remote, answered

from arm_board import BoardError, build
from helpers.kit import ROOT

STARTS_WITHIN = 1200  # seconds


class Launcher:
    """`python3 -m arm_board`, which is what make board runs."""

    def __init__(self):
        self.said, self._ready = "", threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "arm_board"],
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

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(60)


@pytest.fixture(scope="session")
def files():
    """What the board starts from."""
    try:
        return build.files()
    except BoardError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def launcher(files):
    launcher = Launcher()
    try:
        yield launcher
    finally:
        launcher.end()


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def board(launcher, folder):
    board = Remote(launcher.wait()[0], folder)
    board.allow_key()
    board.bring_kit()
    return board


@pytest.fixture(scope="session")
def installed(board):
    """What `make install` says on a PC for a board on which the tutorial never was; the passwords
    are typed in a terminal."""
    return answered(["make", "install", f"HOST={HOST}", board.option])
