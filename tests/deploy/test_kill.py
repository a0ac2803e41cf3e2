"""An installation that is killed, that meets an I/O error, or in the middle of which a student
saves: at each thing that it asks of the system. Every byte of a student's stays, and the next run
completes it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from deploy import tree
from helpers import base_overlay
from helpers.editions import contents
from helpers.kit import ROOT

pytestmark = pytest.mark.deploy

SEED = int(os.environ.get("SEED", "1"))
KILLS = 20

OLD = {
    f"{folder}/{name}": f"old {name}".encode() for folder in ("iop", "images") for name in "abcde"
}
NEW = dict(
    {name: text.replace(b"old", b"new") for name, text in list(OLD.items())[2:]},
    **{"more/f": b"new f"},
)
MINE = {
    "mine.ipynb": b"mine",
    "iop/a": b"a, changed",
    "images/c": b"c, changed",
    "deep/er/data": bytes(range(256)),
}
SAVED = "iop/d"  # what a student saves during the run; it is as it was installed until then
# At the n-th thing that it asks of the system something happens. It prints how many there were.
UNTIL = """
import json, os, signal, sys
from deploy import tree
edition = {name: text.encode() for name, text in json.load(sys.stdin).items()}
step, n, target, what, saved = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
asked = 0
def count(event, details):
    global asked
    if event.split(".")[0] not in ("open", "os", "shutil", "fcntl", "ctypes"):
        return
    asked += 1
    if "bare" in what and event in ("os.link", "os.chmod", "os.chown", "fcntl.flock"):
        raise PermissionError(1, "Operation not permitted")
    if asked != n:
        return
    if "fails" in what:
        raise OSError(5, "Input/output error")
    if "killed" in what:
        os.kill(os.getpid(), signal.SIGKILL)
    path = os.path.join(target, saved)
    if "saves" in what:  # as Jupyter does
        with open(path, "w") as file:
            file.write("saved")
    if "renames" in what:  # as other editors do
        with open(path + "~", "w") as file:
            file.write("saved")
        os.replace(path + "~", path)
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


def until(step, n, target, what):
    return subprocess.run(
        [sys.executable, "-c", UNTIL, step, str(n), str(target), what, SAVED],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        input=json.dumps({name: text.decode() for name, text in NEW.items()}),
        universal_newlines=True,
    )


def at_each(step, what, folder):
    """Yields the folder and the finished run, for each thing that a run asks of the system."""
    for n in range(1, 1000):
        target = prepare(folder)
        run = until(step, n, target, what)
        if run.returncode == 0 and int(run.stdout) < n:
            assert n > 50
            return
        yield target, run


def complete(step, target):
    """Gives the command again; returns what it says."""
    return (
        tree.install(str(target), NEW, "new") if step == "install" else tree.uninstall(str(target))
    )


def whole(step, folder):
    target = prepare(folder)
    before = contents(target)
    complete(step, target)
    return before, contents(target)


@pytest.mark.parametrize("bare", ["", "on a bare file system"])
@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_killed_before_each_thing_it_asks_of_the_system(tmp_path, step, bare):
    before, after = whole(step, tmp_path / "board")
    told = set()
    for target, killed in at_each(step, "killed" + bare, tmp_path / "board"):
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
        there = contents(target)
        assert {name: there[name] for name in MINE} == MINE
        # A file has its old contents or its new ones. While they are exchanged it may be under
        # another name.
        assert all(
            there[name] in (before.get(name), NEW.get(name)) for name in there if name in OLD
        )
        if there != before:
            told.add("interrupted" in complete(step, target))
        complete(step, target)
        assert contents(target) == after
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"]
        assert (target / tree.MANIFEST).exists() == (step == "install")
        assert {path for path in target.rglob("*") if path.is_dir()} == {
            parent
            for name in after
            for parent in (target / name).parents
            if target in parent.parents
        }
    assert step == "uninstall" or True in told


def test_killed_twice_then_removed(tmp_path):
    """The kit's files are known as such whatever was cut off before."""
    for target, _ in at_each("install", "killed", tmp_path / "board"):
        until("install", 90, target, "killed")
        tree.uninstall(str(target))
        assert contents(target) == MINE


@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_an_error_at_each_thing_it_asks_of_the_system(tmp_path, step):
    """What it says of it is true: either nothing was changed, or it does not say so."""
    before, after = whole(step, tmp_path / "board")
    said = set()
    for target, run in at_each(step, "fails", tmp_path / "board"):
        there = contents(target)
        assert {name: there[name] for name in MINE} == MINE
        if run.returncode:
            assert len(run.stderr.splitlines()) == 1 and "Input/output error" in run.stderr, (
                run.stderr
            )
            said.add("nothing was changed" in run.stderr)
            assert "nothing was changed" not in run.stderr or there == before
            assert "nothing was changed" in run.stderr or "the same command again" in run.stderr
            complete(step, target)
        assert contents(target) == after
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"]
    assert said == {True, False}


@pytest.mark.parametrize("how", ["saves", "renames"])
@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_a_student_saves_at_each_thing_it_asks_of_the_system(tmp_path, step, how):
    beside = SAVED + tree.NEW_EDITION
    after = dict(whole(step, tmp_path / "board")[1], **{SAVED: b"saved"})
    for target, run in at_each(step, how, tmp_path / "board"):
        assert run.returncode == 0, run.stderr
        there = contents(target)
        assert there[SAVED] == b"saved"
        assert there.pop(beside, NEW[SAVED]) == NEW[SAVED]
        assert there == after


def test_killed_at_random_times(tmp_path):
    """The whole program, with the whole kit, there and back between two editions."""
    base = base_overlay.write(
        tmp_path / "root/usr/local/lib/python3.6/dist-packages/pynq/overlays/base"
    )
    target = tmp_path / "root/home/xilinx/jupyter_notebooks/pynq_tutorial"
    target.parent.mkdir(parents=True)
    kits = [tmp_path / "one", tmp_path / "two"]
    for kit in kits:
        kit.mkdir()
        subprocess.run(
            ["sh", "-c", 'sh "$0/deploy/pack.sh" | tar -x -z -C "$1"', str(ROOT), str(kit)],
            check=True,
        )
    for path in list(kits[1].glob("notebooks/*.ipynb")) + list(kits[1].glob("iop/*")):
        path.write_bytes(path.read_bytes() + b"\n")
    (kits[1] / "mb_src/compiler.py").rename(kits[1] / "mb_src/more.py")
    edition = kits[1] / "deploy/edition.txt"
    edition.write_text(edition.read_text().replace("mb_src/compiler.py", "mb_src/more.py"))

    def installation(kit):
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "deploy.install",
                "--destdir",
                str(tmp_path / "root"),
                "--base-overlay",
                str(base),
            ],
            cwd=str(kit),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )

    def run(kit):
        process = installation(kit)
        said = process.communicate()[0]
        assert process.returncode == 0, said
        return contents(target)

    run(kits[0])
    mine = {"mine.ipynb": b"mine", "iop/xlnk.py": b"changed", "data/x": bytes(range(256)) * 1000}
    for name, text in mine.items():
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_bytes(text)
    run(kits[1])  # from here on the changed file has its new edition beside it
    start = time.monotonic()
    states = [run(kit) for kit in kits]
    seconds = (time.monotonic() - start) / 2
    chance, kills, now = random.Random(SEED), 0, 1
    while kills < KILLS:
        process = installation(kits[1 - now])
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        there = contents(target)
        assert {name: there[name] for name in mine} == mine, f"SEED={SEED}"
        now = 1 - now
        assert run(kits[now]) == states[now], f"SEED={SEED}"
