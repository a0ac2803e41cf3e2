"""Three minutes of everything at once (storm.py), from a seed that is printed; SEED=... plays one
again, as far as threads do the same twice. Now and then the whole process is killed, as a kernel
is, and a new one goes on."""

import os
import random
import subprocess
import sys
import time

import pytest

from helpers.kit import ROOT
from helpers.processes import soon

SECONDS = 180
STORM = str(ROOT / "tests" / "helpers" / "storm.py")


def children(pid):
    """The processes that a process has started, and what these have started."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[1] == str(pid):
                    found += [int(process)] + children(int(process))
        except OSError:
            pass
    return found


@pytest.mark.long
def test_a_storm(tmp_path):
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"\nSEED={seed}")
    chance, end = random.Random(seed), time.monotonic() + SECONDS
    shared_memory = set(os.listdir("/dev/shm"))
    part = 0
    while time.monotonic() < end:
        part += 1
        seconds, killed = chance.uniform(10, 25), chance.random() < 0.4
        run = subprocess.Popen(
            [sys.executable, STORM, str(seed + part), str(seconds)],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            env=dict(os.environ, PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path)),
        )
        try:
            first = run.stdout.readline()
            if killed:
                time.sleep(seconds * chance.random())
            else:
                said = run.communicate(timeout=seconds + 120)[0]
                assert run.returncode == 0 and "WRONG" not in said, (
                    f"SEED={seed} part {part}:\n{first + said}"
                )
                print(f"part {part}: {said.strip()}")
        finally:
            left = children(run.pid)
            run.kill()
            run.communicate()
        assert all(soon(pid, "ZX", 10) for pid in left), f"SEED={seed}: left of a killed process"
        assert killed or not left
        if killed:
            print(f"part {part}: killed, with {len(left)} processes under it")
        assert os.listdir(str(tmp_path)) == [] and set(os.listdir("/dev/shm")) <= shared_memory
