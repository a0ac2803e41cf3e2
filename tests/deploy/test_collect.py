"""make collect: whatever a student's board answers, nothing is written outside its folder, what was
collected stays until something whole replaces it, and what is left out is named."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from deploy import collect
from helpers.kit import ROOT
from helpers.waiting import soon

pytestmark = pytest.mark.deploy

NOTEBOOK = '{"cells": []}'
# Stands for what a student makes of the board's Python: it answers what lies in the folder.
ANSWERS = "import sys\nsys.stdout.buffer.write(open(sys.argv[1] + '/answer', 'rb').read())"


class Class:
    """A kit of its own, boards that are folders, and the folder that they are collected into."""

    def __init__(self, folder):
        self.folder, self.to, self.boards = folder, folder / "pc/to", []
        shutil.copytree(str(ROOT / "deploy"), str(folder / "kit/deploy"))

    def board(self, name, answer=None, connection="local", **files):
        """A new board's folder of notebooks. answer: what its Python says, where the kit's is not
        asked; files: {name: contents}, without .ipynb"""
        self.boards.append(
            f"    {name}: {{ansible_connection: {connection}, "
            f"destdir: {self.folder}/{name}, ansible_host: 127.0.0.1}}"
        )
        notebooks = self.folder / name / "home/xilinx/jupyter_notebooks/pynq_tutorial"
        notebooks.mkdir(parents=True)
        (notebooks / ".pynq_tutorial.json").write_text('{"files": {}}')
        for file, contents in files.items():
            (notebooks / (file + ".ipynb")).write_text(contents)
        if answer is not None:
            (notebooks / "answer").write_bytes(
                answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            )
            (self.folder / "kit/deploy/changed.py").write_text(ANSWERS)
        return notebooks

    def start(self, **options):
        (self.folder / "boards.yml").write_text("\n".join(["boards:", "  hosts:"] + self.boards))
        command = [
            sys.executable,
            "-B",
            "-m",
            "deploy.collect",
            "run",
            str(self.to),
            str(ROOT / ".deploy/bin/ansible-playbook"),
            "--forks=4",
            "-i",
            str(self.folder / "boards.yml"),
            "deploy/collect.yml",
        ]
        return subprocess.Popen(
            command,
            cwd=str(self.folder / "kit"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            start_new_session=True,
            env=dict(os.environ, LC_ALL="C.UTF-8", ANSIBLE_HOME=str(self.folder / "ansible")),
            **options,
        )

    def collect(self):
        """What it says, and whether it says that all is well."""
        run = self.start()
        said = run.communicate(timeout=900)[0]
        assert not (self.to / ".incoming").exists()
        assert said.replace("\n", "").isprintable(), said
        return said, run.returncode == 0

    def brought(self, board):
        return {
            str(path.relative_to(self.to / board))
            for path in (self.to / board).rglob("*")
            if path.is_file()
        } - {"left_out.txt"}


@pytest.fixture
def a_class(tmp_path):
    return Class(tmp_path)


def test_the_changed_notebooks_are_collected(boards, classroom, servers, tmp_path):
    classroom()
    board, other = (board.notebooks for board in boards[:2])
    own = {"1_memory.ipynb": NOTEBOOK, "a folder/my ütf-8 'notebook'.ipynb": '{"cells": [1]}'}
    for name, text in own.items():
        (board / name).parent.mkdir(exist_ok=True)
        (board / name).write_text(text)
    (board / ".ipynb_checkpoints").mkdir()
    (board / ".ipynb_checkpoints/1_memory-checkpoint.ipynb").write_text("{}")
    (board / "iop/xlnk.py").write_text("no notebook")
    servers.own(board)
    before = [one.files() for one in boards]
    to = tmp_path / "the collected"
    for text in NOTEBOOK, '{"cells": [2]}':
        (board / "1_memory.ipynb").write_text(text)
        own["1_memory.ipynb"] = text
        run, recap = classroom(f"DIR={to}", command="collect")
        assert recap["three"]["unreachable"] == "1" and run.returncode != 0
        assert recap["one"]["failed"] == recap["two"]["failed"] == "0", run.stdout
        assert "2 notebooks brought from 2 boards, 0 left out; nothing from three." in run.stdout
        assert "not everything was brought" in run.stdout
        files = {path.relative_to(to): path.read_text() for path in to.rglob("*") if path.is_file()}
        assert {str(path.relative_to("one")): text for path, text in files.items()} == own
        assert (to / "two").is_dir() and not (to / "three").exists()
    assert [one.files() for one in boards] == before
    (board / "1_memory.ipynb").unlink()
    classroom(f"DIR={to}", command="collect")
    assert (to / "one/1_memory.ipynb").read_text() == '{"cells": [2]}'  # maybe the only copy now


REFUSED = {
    "leads out": [
        "../../../secret.ipynb",
        "/secret.ipynb",
        "x/../../../../../secret.ipynb",
        "..",
        "./a.ipynb",
        "a//b.ipynb",
        "",
        "../../.ipynb",
        ".hidden/a.ipynb",
        "a.ipynb/",
    ],
    "cannot be printed": [
        "x\n/../../../../../secret.ipynb",
        "\x1b[2J.ipynb",
        "\u202eb.ipynb",
        "\x9b2J.ipynb",
        "\ud800.ipynb",
        "a\0.ipynb",
        "a\r.ipynb",
        "\u2028.ipynb",
    ],
    "not a notebook": ["secret", "a.ipynb.sh", "a.IPYNB"],
    "too long": ["x" * 5000 + ".ipynb", "x/" * 1000 + "a.ipynb", "ü" * 120 + ".ipynb"],
    "has no such names": ["CON.ipynb", "a/nul/b.ipynb", "c:\\x.ipynb", "com1 .ipynb", "a\\b.ipynb"],
    "in the place of a name": [
        5,
        None,
        {"a.ipynb": 1},
        ["a.ipynb"],
        [["a.ipynb"], "b"],
        ["a", 5],
        1e999,
    ],
    "takes? its name for that of": ["FINE.ipynb"],
    "could not be fetched": ["gone.ipynb", "x.ipynb/y.ipynb"],
    r"ha\?\[2Jha": [["a.ipynb", "ha\x1b[2Jha"]],
}
NO_LIST = [
    "",
    "Welcome",
    '{"a.ipynb": 1}',
    "5",
    "NaN",
    "[" * 100000,
    '["a.ipynb"',
    '["a.ipynb"]\n["b.ipynb"]',
    "\x1b[2J\u202e",
]


def test_whatever_boards_answer_nothing_leaves_their_folders(a_class):
    answers = [answer for answers in REFUSED.values() for answer in answers]
    board = a_class.board("refused", ["fine.ipynb"] + answers, fine=NOTEBOOK)
    for up in board.parents[:4]:
        (up / "secret.ipynb").write_text(NOTEBOOK)  # so that what an answer leads to is there
        (up / "secret").write_text("a board's")
    (board / "x\n").mkdir()
    a_class.board("no_list", "\x1b[2J\u202e", fine=NOTEBOOK)
    a_class.board("many", ["fine.ipynb"] * 10 + ["x.sh"] * 99990, fine=NOTEBOOK)
    said, well = a_class.collect()
    assert not well, said
    assert a_class.brought("refused") == a_class.brought("many") == {"fine.ipynb"}, said
    lines = [line for line in said.splitlines() if "left out refused/" in line]
    assert len(lines) == len(answers), lines
    for reason, answers in REFUSED.items():
        assert len([line for line in lines if re.search(reason, line)]) == len(answers), reason
    assert "no_list answered which notebooks were changed, which is no list of notebooks" in said
    assert "left out many/99000 more: of a board, at most 1000 are brought" in said
    assert "2 notebooks brought from 2 boards, " in said and "; nothing from no_list." in said
    assert [path.name for path in a_class.folder.glob("pc/**/*secret*")] == []
    assert os.listdir(str(a_class.folder / "pc")) == ["to"]


@pytest.mark.parametrize("answer", NO_LIST + [None, 5, ["a.ipynb"], {"a.ipynb": 1}], ids=range(13))
def test_an_answer_that_is_no_list(answer):
    with pytest.raises(ValueError, match="^which is no list of notebooks, but ['\"]") as said:
        collect.sort_answer(answer)
    assert str(said.value).isprintable() and len(str(said.value)) < 500


def put(path, contents):
    """Puts a file, a link, a pipe or a folder in place of whatever there is."""
    shutil.rmtree(str(path)) if path.is_dir() else path.unlink()
    if contents == "link":
        path.symlink_to("/etc/passwd")
    elif contents == "pipe":
        os.mkfifo(str(path))
    elif contents == "folder":
        path.mkdir()
    elif contents == "large":
        path.write_bytes(b'{"cells": [')
        os.truncate(str(path), (20 << 20) + 1)
    else:
        path.write_text(contents)


BROKEN = {
    "": "it is empty",
    "\0" * 100: "it is empty",
    '{"cells": [': "it is not a whole notebook",
    "{}": "it is not a notebook",
    '{"cells": {}}': "it is not a notebook",
    "[]": "it is not a notebook",
    "link": "it is a link",
    "pipe": "it is not a file",
    "large": "it has more than 20 MB",
}


def test_what_was_collected_stays_until_something_whole_is_there(a_class):
    names = [f"n{number}" for number in range(len(BROKEN))]
    board = a_class.board("one", **dict.fromkeys(names + ["other", "folder"], NOTEBOOK))
    said, well = a_class.collect()
    assert well and "11 notebooks brought from 1 boards, 0 left out." in said, said
    for name, contents in [*zip(names, BROKEN), ("folder", "folder"), ("other", '{"cells": [2]}')]:
        put(board / (name + ".ipynb"), contents)
    said, well = a_class.collect()
    assert not well and "1 notebooks brought from 1 boards, 9 left out." in said, said
    there = {path.stem: path.read_text() for path in (a_class.to / "one").glob("*.ipynb")}
    assert there == dict(dict.fromkeys(names + ["folder"], NOTEBOOK), other='{"cells": [2]}')
    for name, reason in zip(names, BROKEN.values()):
        line = re.search(f'left out one/({name}.ipynb: .*)"', said).group(1)
        assert reason in line and line in (a_class.to / "one/left_out.txt").read_text()
    for name in names:
        put(board / (name + ".ipynb"), '{"cells": [3]}')
    assert a_class.collect()[1]
    assert {path.read_text() for path in a_class.to.rglob("n*.ipynb")} == {'{"cells": [3]}'}
    assert not list(a_class.to.rglob("left_out.txt"))


def test_what_lies_in_the_place_of_a_notebook_is_not_followed(a_class):
    elsewhere = a_class.folder / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "mine.ipynb").write_text("the instructor's")
    for name in "inside", "board", "pipe":
        board = a_class.board(name, mine=NOTEBOOK, folder=NOTEBOOK, other=NOTEBOOK)
        (board / "sub").mkdir()
        (board / "sub/mine.ipynb").write_text(NOTEBOOK)
    (a_class.to / "inside/folder.ipynb").mkdir(parents=True)
    (a_class.to / "inside/mine.ipynb").symlink_to(elsewhere / "mine.ipynb")
    (a_class.to / "inside/sub").symlink_to(elsewhere / "sub")
    (a_class.to / "board").symlink_to(elsewhere)
    (a_class.to / "pipe").write_text("no folder")
    said, well = a_class.collect()
    assert not well and "1 notebooks brought from 1 boards, 3 left out" in said, said
    assert (elsewhere / "mine.ipynb").read_text() == "the instructor's"
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["mine.ipynb", "sub"]
    for name in (
        "mine.ipynb: there is a link",
        "folder.ipynb: Is a directory",
        "sub/mine.ipynb: there is a link",
    ):
        assert "left out inside/" + name in said
    assert "board is a link, and board's notebooks go into a folder: remove the link." in said
    assert "pipe: File exists" in said and "; nothing from board, pipe." in said


def test_a_board_that_sends_without_end_costs_bounded_memory_and_stops_no_other(a_class, tmp_path):
    """Its SSH server is the student's, too; here a program stands for it."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec yes\n")
    ssh.chmod(0o755)
    a_class.board("fine", mine=NOTEBOOK)
    a_class.board("endless", connection=f"ssh, ansible_ssh_executable: {ssh}")
    said, well = a_class.collect()
    assert not well and a_class.brought("fine") == {"mine.ipynb"}, said
    assert "nothing from endless." in said


@pytest.fixture
def hanging(a_class):
    """A run that waits for a file that does not come, and has brought another one before."""
    board = a_class.board("one", ["a.ipynb", "pipe.ipynb"], a=NOTEBOOK)
    a_class.to.mkdir(parents=True)
    os.mkfifo(str(board / "pipe.ipynb"))
    run = a_class.start()
    incoming = a_class.to / ".incoming"
    assert soon(lambda: list(incoming.glob("one/*/0")), 120)
    time.sleep(1)  # whichever moment of the second file's: nothing is expected of it
    yield run, board
    try:
        os.killpg(run.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    run.communicate(timeout=300)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cut_off_it_leaves_nothing_half(a_class, hanging, number):
    run, _ = hanging
    os.killpg(run.pid, number)
    said = run.communicate(timeout=300)[0]
    assert run.returncode and "What was collected before is still in" in said, said
    assert os.listdir(str(a_class.to)) == []


def test_two_at_once_and_what_a_killed_one_leaves(a_class, hanging):
    run, board = hanging
    said, well = a_class.start().communicate(timeout=300)[0], run.poll()
    assert well is None and "another make collect is writing into" in said and "wait for it" in said
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=300)
    assert os.listdir(str(a_class.to)) == [".incoming"]
    (board / "answer").write_text('["a.ipynb"]')
    said, well = a_class.collect()
    assert well and a_class.brought("one") == {"a.ipynb"}, said
    assert os.listdir(str(a_class.to)) == ["one"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_what_was_collected(a_class):
    board = a_class.board("one", mine=NOTEBOOK, other=NOTEBOOK)
    a_class.to.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(a_class.to)], check=True)
    try:
        assert a_class.collect()[1]
        (board / "mine.ipynb").write_text(json.dumps({"cells": ["x" * (2 << 20)]}))
        said, well = a_class.collect()
        assert not well and "left out one/mine.ipynb: " in said, said
        assert (a_class.to / "one/mine.ipynb").read_text() == NOTEBOOK
        assert (a_class.to / "one/other.ipynb").read_text() == NOTEBOOK
    finally:
        subprocess.run(["umount", str(a_class.to)], check=True)
