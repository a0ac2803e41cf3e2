"""All or nothing: an installation that is killed leaves the old edition or the new one, whole, and every byte of a student's."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import base_overlay
from conftest import ROOT
from deploy import tree
from test_install import contents

pytestmark = pytest.mark.deploy

SEED = int(os.environ.get("SEED", "1"))
KILLS = 60

OLD = {"{}/{}".format(folder, name): "old {}".format(name).encode() for folder in ("iop", "images") for name in "abcde"}
NEW = dict({name: text.replace(b"old", b"new") for name, text in list(OLD.items())[2:]}, **{"more/f": b"new f"})
MINE = {"mine.ipynb": b"mine", "iop/a": b"a, changed", "images/c": b"c, changed", "deep/er/data": bytes(range(256))}
# At the n-th thing that it asks of the system it kills itself or has an I/O error, or it prints how many there were.
UNTIL = """
import json, os, signal, sys
from deploy import tree
edition = {name: text.encode() for name, text in json.load(sys.stdin).items()}
step, n, target, fails = sys.argv[1], int(sys.argv[2]), sys.argv[3], len(sys.argv) > 4
asked = 0
def count(event, details):
    global asked
    if event.split(".")[0] in ("open", "os", "shutil", "fcntl", "ctypes"):
        asked += 1
        if asked == n and fails:
            raise OSError(5, "Input/output error")
        if asked == n:
            os.kill(os.getpid(), signal.SIGKILL)
os.sync = lambda: None  # a kill does not need it, and hundreds of them would take minutes
sys.addaudithook(count)
try:
    tree.install(target, edition, "new") if step == "install" else tree.uninstall(target)
except tree.InstallError as error:
    sys.exit(str(error))
print(asked)
"""


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    monkeypatch.setattr(os, "sync", lambda: None)


def prepare(folder):
    """A folder with the old edition, in which a student has worked."""
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.mkdir()
    target = folder / "tutorial"
    tree.install(str(target), OLD, "old")
    for name, text in MINE.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(text)
    return target


def until(step, n, target, *fails):
    return subprocess.run([sys.executable, "-c", UNTIL, step, str(n), str(target), *fails], cwd=str(ROOT),
                          input=json.dumps({name: text.decode() for name, text in NEW.items()}),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_killed_before_each_thing_it_asks_of_the_system(tmp_path, step):
    target = prepare(tmp_path / "board")
    before = contents(target)
    finished = until(step, 0, target)
    assert finished.returncode == 0, finished.stderr
    after = contents(target)
    assert after != before
    states, n = [], 0
    while True:
        n += 1
        target = prepare(tmp_path / "board")
        killed = until(step, n, target)
        there = contents(target)
        assert there in (before, after), "killed at {}".format(n)
        assert {name: there[name] for name in MINE} == MINE
        states.append(there == after)
        if killed.returncode == 0:
            break
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        # A second run completes it, and cleans up.
        tree.install(str(target), NEW, "new") if step == "install" else tree.uninstall(str(target))
        assert contents(target) == after, "killed at {}".format(n)
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"]
        assert (target / tree.MANIFEST).exists() == (step == "install")
    print("{}: killed at each of {} moments; {} left the old state, {} the new".format(
        step, n - 1, states.count(False), states.count(True)))
    assert n > 50 and states == sorted(states) and False in states and True in states[:-1]


@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_an_error_at_each_thing_it_asks_of_the_system(tmp_path, step):
    """What it says of it is true: either nothing was changed, or it does not say so."""
    target = prepare(tmp_path / "board")
    before = contents(target)
    assert until(step, 0, target).returncode == 0
    after, said, n = contents(target), set(), 0
    while True:
        n += 1
        target = prepare(tmp_path / "board")
        run = until(step, n, target, "fails")
        there = contents(target)
        if run.returncode:
            assert len(run.stderr.splitlines()) == 1 and "Input/output error" in run.stderr, (n, run.stderr)
            assert there == (before if "nothing was changed" in run.stderr else after), (n, run.stderr)
            said.add("nothing was changed" in run.stderr)
            tree.install(str(target), NEW, "new") if step == "install" else tree.uninstall(str(target))
        elif int(run.stdout) < n:
            break
        assert contents(target) == after, n
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"], n
    assert n > 50 and said == {True, False}


def test_killed_at_random_times(tmp_path):
    """The whole program, with the whole kit, there and back between two editions."""
    base = base_overlay.write(tmp_path / "root/usr/local/lib/python3.6/dist-packages/pynq/overlays/base")
    target = tmp_path / "root/home/xilinx/jupyter_notebooks/pynq_tutorial"
    target.parent.mkdir(parents=True)
    kits = [tmp_path / "one", tmp_path / "two"]
    for kit in kits:
        kit.mkdir()
        subprocess.run(["sh", "-c", 'sh "$0/deploy/pack.sh" | tar -x -z -C "$1"', str(ROOT), str(kit)], check=True)
    for path in list(kits[1].glob("notebooks/*.ipynb")) + list(kits[1].glob("iop/*")):
        path.write_bytes(path.read_bytes() + b"\n")
    (kits[1] / "mb_src/compiler.py").unlink()
    (kits[1] / "mb_src/more.py").write_text("more")
    edition = kits[1] / "deploy/edition.txt"
    edition.write_text(edition.read_text().replace("mb_src/compiler.py", "mb_src/more.py"))

    def installation(kit):
        return subprocess.Popen([sys.executable, "-m", "deploy.install", "--destdir", str(tmp_path / "root"),
                                 "--base-overlay", str(base)], cwd=str(kit), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, universal_newlines=True)

    def run(kit):
        process = installation(kit)
        said = process.communicate()[0]
        assert process.returncode == 0, said

    run(kits[0])
    mine = {"mine.ipynb": b"mine", "iop/xlnk.py": b"changed", "data/x": bytes(range(256)) * 1000}
    for name, text in mine.items():
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_bytes(text)
    run(kits[1])  # from here on the changed file has its new edition beside it
    states = []
    for kit in kits:
        start = time.monotonic()
        run(kit)
        seconds = time.monotonic() - start
        states.append(contents(target))
    chance, kills, left = random.Random(SEED), 0, [0, 0]
    now = 1
    while kills < KILLS:
        process = installation(kits[1 - now])
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        there = contents(target)
        assert {name: there[name] for name in mine} == mine, "SEED={}".format(SEED)
        assert there in states, "SEED={}".format(SEED)
        left[there == states[1 - now]] += 1
        run(kits[1 - now])
        now = 1 - now
        assert contents(target) == states[now]
        assert [path.name for path in target.parent.iterdir()] == ["pynq_tutorial"]
    print("{} kills within {:.2f} s; old state {} times, new {} times".format(kills, seconds, *left))
