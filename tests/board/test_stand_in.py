"""The stand-in itself: nothing of it is left, whatever way its test ends, and what it lacks is
named."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import board as stand_in

SLEEP = f"100000.{os.getpid()}"  # seconds; tells this test's own process from all others
KILLED = """
import sys; sys.path.insert(0, {here!r})
from board import Board
with Board({release!r}, {environment!r}, {base!r}, {library!r}) as board:
    board.power_up()
    board.start("sleep", {sleep!r})
    print(board.pid, flush=True)
    board.run("sleep", {sleep!r}, timeout=100)
"""


def sleepers():
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if SLEEP.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:  # it has just ended
            pass
    return found


def test_nothing_is_left_of_a_test_that_is_killed(release, environment, base_overlay, library):
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            KILLED.format(
                here=str(stand_in.HERE),
                release=release,
                environment=str(environment),
                base=str(base_overlay),
                library=library,
                sleep=SLEEP,
            ),
        ],
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    first_process = Path("/proc", run.stdout.readline().strip())
    deadline = time.monotonic() + 60
    while len(sleepers()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(sleepers()) >= 2
    run.kill()
    run.communicate(timeout=300)
    while (first_process.exists() or sleepers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not first_process.exists() and sleepers() == []
    assert str(stand_in.MOUNT_POINT) not in Path("/proc/mounts").read_text()
    assert list(stand_in.MOUNT_POINT.iterdir()) == []


@pytest.mark.parametrize(
    "module, name, found, remedy",
    [
        (os, "geteuid", 1000, "sudo make test-board"),
        (os, "access", False, "/dev/fuse"),
        (stand_in.ctypes.util, "find_library", None, "sudo apt-get install fuse3"),
        (stand_in.shutil, "which", None, "sudo apt-get install gcc"),
    ],
)
def test_what_this_machine_lacks_is_named(monkeypatch, module, name, found, remedy):
    assert stand_in.missing() is None
    monkeypatch.setattr(module, name, lambda *given: found)
    assert (
        stand_in.missing().startswith("the board stand-in needs ") and remedy in stand_in.missing()
    )
