"""Everything at once (helpers/storm.py), from a seed that is printed; SEED=... plays one again, as
far as threads do the same twice. Every second process is killed in the middle, as a kernel is."""

import os
import random
import subprocess
import sys
import time

import pytest

from helpers.kit import ROOT
from helpers.processes import children, soon

STORM = str(ROOT / "tests" / "helpers" / "storm.py")


@pytest.mark.parametrize(
    "seconds", [pytest.param(8, marks=pytest.mark.slow), pytest.param(180, marks=pytest.mark.long)]
)
def test_a_storm(tmp_path, seconds):
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"\nSEED={seed}")
    chance, end = random.Random(seed), time.monotonic() + seconds
    shared_memory = set(os.listdir("/dev/shm"))
    parts = 0
    while time.monotonic() < end:
        killed, lasts = parts % 2, chance.uniform(0.5, 1) * min(seconds, 25)
        parts += 1
        run = subprocess.Popen(
            [sys.executable, STORM, str(chance.randrange(10**6)), str(lasts)],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            env=dict(os.environ, PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path)),
        )
        try:
            said = run.stdout.readline()
            if killed:
                time.sleep(lasts * chance.random())
            else:
                said += run.communicate(timeout=lasts + 120)[0]
                assert run.returncode == 0 and "WRONG" not in said, f"SEED={seed}: {said}"
        finally:
            left = children(run.pid)
            run.kill()
            run.communicate()
        print(said.strip(), f"killed, with {len(left)} processes under it" if killed else "")
        assert all(soon(pid, "ZX") for pid in left), "left of a killed process"
        assert killed or not left
        assert os.listdir(str(tmp_path)) == [] and set(os.listdir("/dev/shm")) <= shared_memory
