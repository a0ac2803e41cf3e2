"""The stand-in itself: nothing of it is left, whatever way its test ends."""

import os
import subprocess
import sys
from pathlib import Path

import board as stand_in
from helpers.waiting import soon

SLEEP = f"100000.{os.getpid()}"  # seconds; tells this test's own processes from all others


def sleepers():
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if words[0] == b"sleep" and SLEEP.encode() in words:
            found.append(process.name)
    return found


def test_nothing_is_left_of_a_test_that_is_killed(release, environment, base_overlay, library):
    program = str(stand_in.HERE / "programs" / "sleeps.py")
    run = subprocess.Popen(
        [sys.executable, program, release, str(environment), str(base_overlay), library, SLEEP],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=f"{stand_in.KIT}:{stand_in.KIT}/tests:{stand_in.HERE}"),
        universal_newlines=True,
    )
    first_process = Path("/proc", run.stdout.readline().strip())
    assert soon(lambda: len(sleepers()) == 2)
    run.kill()
    run.communicate(timeout=280)
    assert soon(lambda: not first_process.exists() and not sleepers())
    assert str(stand_in.MOUNT_POINT) not in Path("/proc/mounts").read_text()
    assert list(stand_in.MOUNT_POINT.iterdir()) == []


def test_a_qemu_that_is_replaced_sees_the_same_board(board):
    """One that takes too long on a busy machine is."""
    board.output("pkill", "-KILL", "-f", "qemu-system-microblaze")
    board.python("tutorial.py")
