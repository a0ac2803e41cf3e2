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
from helpers.editions import contents, write
from helpers.kit import ROOT

pytestmark = pytest.mark.deploy

SEED = int(os.environ.get("SEED", "1"))
KILLS = 20

NAMES = [f"{folder}/{name}" for folder in ("iop", "images") for name in "abcde"]
OLD = {name: b"old " + name.encode() for name in NAMES}
NEW = {name: b"new " + name.encode() for name in [*NAMES[2:], "more/f"]}
MINE = {
    "mine.ipynb": b"mine",
    "iop/a": b"a, changed",
    "images/c": b"c, changed",
    "deep/er/data": bytes(range(256)),
}
SAVED = "iop/d"  # what a student saves during the run; it is as it was installed until then
TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "universal_newlines": True}


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    monkeypatch.setattr(os, "sync", lambda: None)


def prepare(folder):
    """A folder with the old edition, in which a student has worked."""
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.mkdir()
    tree.install(str(folder / "tutorial"), OLD, "old")
    write(folder / "tutorial", MINE)
    return folder / "tutorial"


def until(step, n, target, what):
    program = str(ROOT / "tests/deploy/programs/until.py")
    edition = json.dumps({name: text.decode() for name, text in NEW.items()})
    words = [sys.executable, program, step, str(n), str(target), what, SAVED]
    return subprocess.run(words, env=dict(os.environ, PYTHONPATH=str(ROOT)), input=edition, **TEXT)


def at_each(step, what, folder):
    """Yields the folder and the finished run, for each thing that a run asks of the system."""
    for n in range(1, 1000):
        target = prepare(folder)
        run = until(step, n, target, what)
        if run.returncode == 0 and int(run.stdout) < n:
            assert n > 50
            return
        there = contents(target)
        assert {name: there[name] for name in MINE} == MINE
        yield target, run


def complete(step, target):
    """Gives the command again; returns what it says."""
    if step == "install":
        return tree.install(str(target), NEW, "new")
    return tree.uninstall(str(target))


def whole(step, folder):
    target = prepare(folder)
    before = contents(target)
    complete(step, target)
    return before, contents(target)


@pytest.mark.parametrize("bare", ["", "on a bare file system"])
@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_killed_before_each_thing_it_asks_of_the_system(tmp_path, step, bare):
    """A file has its old contents or its new ones; while they are exchanged it may be under another
    name."""
    before, after = whole(step, tmp_path / "board")
    folders = {str((tmp_path / "board/tutorial" / name).parent) for name in [*after, "deep/x", "x"]}
    told = set()
    for target, killed in at_each(step, "killed" + bare, tmp_path / "board"):
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
        there = contents(target)
        assert all(there[n] in (before.get(n), NEW.get(n)) for n in there if n in OLD)
        if there != before:
            told.add("interrupted" in complete(step, target))
        complete(step, target)
        assert contents(target) == after
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"]
        assert (target / tree.MANIFEST).exists() == (step == "install")
        assert {str(path) for path in [target, *target.rglob("*")] if path.is_dir()} == folders
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
        if run.returncode:
            nothing = "nothing was changed" in run.stderr
            assert len(run.stderr.splitlines()) == 1, run.stderr
            assert "Input/output error" in run.stderr
            assert contents(target) == before if nothing else "same command again" in run.stderr
            said.add(nothing)
            complete(step, target)
        assert contents(target) == after
        assert [path.name for path in target.parent.iterdir()] == ["tutorial"]
    assert said == {True, False}


@pytest.mark.parametrize("how", ["saves", "renames"])
@pytest.mark.parametrize("step", ["install", "uninstall"])
def test_a_student_saves_at_each_thing_it_asks_of_the_system(tmp_path, step, how):
    after = dict(whole(step, tmp_path / "board")[1], **{SAVED: b"saved"})
    for target, run in at_each(step, how, tmp_path / "board"):
        assert run.returncode == 0, run.stderr
        there = contents(target)
        assert there.pop(SAVED + tree.NEW_EDITION, NEW[SAVED]) == NEW[SAVED]
        assert there == after


def test_killed_at_random_times(tmp_path):
    """The whole program, with the whole kit, from without its solutions to with them and back."""
    base_overlay.write(tmp_path / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base")
    target = tmp_path / "home/xilinx/jupyter_notebooks/pynq_tutorial"
    target.parent.mkdir(parents=True)

    def installation(answers):
        words = [sys.executable, "-m", "deploy.install", "--destdir", str(tmp_path)]
        words += [] if answers else ["--no-answers"]
        return subprocess.Popen(words, cwd=str(ROOT), **TEXT)

    def run(answers):
        process = installation(answers)
        said = process.communicate()
        assert process.returncode == 0, said
        return contents(target)

    run(False)
    mine = {"mine.ipynb": b"mine", "iop/xlnk.py": b"changed", "data/x": bytes(range(256)) * 1000}
    write(target, mine)
    start = time.monotonic()
    states = {answers: run(answers) for answers in (True, False)}
    seconds = (time.monotonic() - start) / 2
    chance, kills, now = random.Random(SEED), 0, False
    while kills < KILLS:
        process = installation(not now)
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        there = contents(target)
        assert {name: there[name] for name in mine} == mine, f"SEED={SEED}"
        now = not now
        assert run(now) == states[now], f"SEED={SEED}"
