"""make collect: whatever a student's board answers, nothing is written outside its folder, what was
collected stays until something whole replaces it, and what is left out is named."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from deploy import collect
from helpers.kit import ROOT
from helpers.programs import programs
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
        place = f"destdir: {self.folder}/{name}, ansible_host: 127.0.0.1"
        self.boards.append(f"    {name}: {{ansible_connection: {connection}, {place}}}")
        notebooks = self.folder / name / "home/xilinx/jupyter_notebooks/pynq_tutorial"
        notebooks.mkdir(parents=True)
        (notebooks / ".pynq_tutorial.json").write_text('{"files": {}}')
        for file, contents in files.items():
            (notebooks / (file + ".ipynb")).write_text(contents)
        if answer is not None:
            answer = answer if isinstance(answer, str) else json.dumps(answer)
            (notebooks / "answer").write_text(answer)
            (self.folder / "kit/deploy/changed.py").write_text(ANSWERS)
        return notebooks

    def start(self):
        inventory = self.folder / "boards.yml"
        inventory.write_text("\n".join(["boards:", "  hosts:"] + self.boards))
        playbook = [str(ROOT / ".deploy/bin/ansible-playbook"), "--forks=4", "-i", str(inventory)]
        run = [sys.executable, "-B", "-m", "deploy.collect", "run", str(self.to), *playbook]
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        output.update(stdin=subprocess.DEVNULL, cwd=str(self.folder / "kit"))
        settings = dict(os.environ, LC_ALL="C.UTF-8", ANSIBLE_HOME=str(self.folder / "ansible"))
        run.append("deploy/collect.yml")
        return subprocess.Popen(run, start_new_session=True, env=settings, **output)

    def collect(self):
        """What it says, and whether it says that all is well."""
        run = self.start()
        said = run.communicate(timeout=900)[0]
        assert not (self.to / ".incoming").exists()
        assert said.replace("\n", "").isprintable(), said
        return said, run.returncode == 0

    def brought(self, board):
        found = (path for path in (self.to / board).rglob("*.ipynb") if path.is_file())
        return {str(path.relative_to(self.to / board)) for path in found}


@pytest.fixture
def a_class(tmp_path):
    return Class(tmp_path)


def test_the_changed_notebooks_are_collected(boards, classroom, servers, tmp_path):
    classroom()
    board, to = boards[0].notebooks, tmp_path / "the collected"
    own = {"1_memory.ipynb": NOTEBOOK, "a folder/my ütf-8 'notebook'.ipynb": '{"cells": [1]}'}
    for name in [*own, ".ipynb_checkpoints/1_memory-checkpoint.ipynb"]:
        (board / name).parent.mkdir(exist_ok=True)
        (board / name).write_text(own.get(name, "{}"))
    (board / "iop/xlnk.py").write_text("no notebook")
    servers.own(board)
    before = [one.files() for one in boards]
    for text in NOTEBOOK, '{"cells": [2]}':
        (board / "1_memory.ipynb").write_text(text)
        own["1_memory.ipynb"] = text
        run, recap = classroom(f"DIR={to}", command="collect")
        assert recap["three"]["unreachable"] == "1" and run.returncode != 0
        assert recap["one"]["failed"] == recap["two"]["failed"] == "0", run.stdout
        assert "2 notebooks brought from 2 boards, 0 left out; failed: three." in run.stdout
        assert "not everything was brought" in run.stdout
        files = {path.relative_to(to): path.read_text() for path in to.rglob("*") if path.is_file()}
        assert {str(path.relative_to("one")): text for path, text in files.items()} == own
        assert (to / "two").is_dir() and not (to / "three").exists()
    assert [one.files() for one in boards] == before


REFUSED = {
    "leads out|hidden": (
        "../../../secret.ipynb /secret.ipynb x/../../../../../secret.ipynb .. ./a.ipynb a//b.ipynb "
        "../../.ipynb .hidden/a.ipynb a.ipynb/ a\\b.ipynb"
    ).split()
    + [""],
    "cannot be printed": ["x\n/../../../../../secret.ipynb", "\x1b[2J.ipynb", "\u202eb.ipynb"]
    + ["\x9b2J.ipynb", "\ud800.ipynb", "a\0.ipynb", "a\r.ipynb", "\u2028.ipynb"],
    "not a notebook": ["secret", "a.ipynb.sh", "a.IPYNB"],
    "too long": ["x" * 5000 + ".ipynb", "x/" * 1000 + "a.ipynb", "ü" * 120 + ".ipynb"],
    "in the place of a name": [5, None, {"a": 1}, ["a"], [["a.ipynb"], "b"], ["a", 5], 1e999],
    "some systems take its name for that of": ["FINE.ipynb"],
    "could not be fetched": ["gone.ipynb", "x.ipynb/y.ipynb"],
    r"ha\?\[2Jha": [["a.ipynb", "ha\x1b[2Jha"]],
}


def test_whatever_boards_answer_nothing_leaves_their_folders(a_class):
    """A board's SSH server is the student's, too: a program that writes without end stands for
    one."""
    answers = [answer for answers in REFUSED.values() for answer in answers]
    board = a_class.board("refused", ["fine.ipynb", *answers], fine=NOTEBOOK)
    for up in board.parents[:4]:
        (up / "secret.ipynb").write_text(NOTEBOOK)  # so that what an answer leads to is there
        (up / "secret").write_text("a board's")
    (board / "x\n").mkdir()
    a_class.board("no_list", "\x1b[2J\u202e", fine=NOTEBOOK)
    a_class.board("many", ["fine.ipynb"] * 10 + ["x.sh"] * 99990, fine=NOTEBOOK)
    ssh = programs(a_class.folder / "bin", ssh="exec yes") + "/ssh"
    a_class.board("endless", connection=f"ssh, ansible_ssh_executable: {ssh}")
    said, well = a_class.collect()
    assert not well, said
    assert a_class.brought("refused") == a_class.brought("many") == {"fine.ipynb"}, said
    lines = [line for line in said.splitlines() if "left out refused/" in line]
    assert len(lines) == len(answers), lines
    for reason, answers in REFUSED.items():
        assert len([line for line in lines if re.search(reason, line)]) == len(answers), reason
    assert "no_list answered which notebooks were changed, which is not a list of notebooks" in said
    assert "left out many/99000 more: of a board, at most 1000 are brought" in said
    assert "2 notebooks brought from 2 boards, " in said and "; failed: endless, no_list." in said
    assert [path.name for path in a_class.folder.glob("pc/**/*secret*")] == []
    assert os.listdir(str(a_class.folder / "pc")) == ["to"]


@pytest.mark.parametrize(
    "answer", ["", '{"a.ipynb": 1}', "5", "NaN", "[" * 100000, '["a"]\n["b"]', "\x1b[2J"]
)
def test_an_answer_that_is_no_list(answer):
    with pytest.raises(ValueError, match="^which is not a list of notebooks, but ['\"]") as said:
        collect.sort_answer(answer)
    assert str(said.value).isprintable() and len(str(said.value)) < 500


@pytest.mark.parametrize("name", [".hidden", "..", "a/b", "\x1b[2J"])
def test_a_board_whose_name_cannot_be_a_folders(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be a folder's name"):
        bring(tmp_path, name, {})
    assert not list(tmp_path.iterdir())


BROKEN = {
    "": "it is empty",
    "\0" * 100: "it is empty",
    '{"cells": [': "it is not a whole notebook",
    '{"cells": {}}': "it is not a notebook",
    "[]": "it is not a notebook",
    "link": "it is a link",
    "pipe": "it is not a file",
    "large": "it has more than 20 MB",
}


def put(path, contents):
    """Puts a file, a link or a pipe in the place of one."""
    path.unlink()
    if contents == "link":
        path.symlink_to("/etc/passwd")
    elif contents == "pipe":
        os.mkfifo(str(path))
    else:
        path.write_text(contents)
        if contents == "large":
            os.truncate(str(path), (20 << 20) + 1)


def test_what_was_collected_stays_until_something_whole_is_there(a_class):
    names = [f"n{number}" for number in range(len(BROKEN))]
    board = a_class.board("one", **dict.fromkeys([*names, "other"], NOTEBOOK))
    said, well = a_class.collect()
    assert well and "9 notebooks brought from 1 boards, 0 left out." in said, said
    for name, contents in [*zip(names, BROKEN), ("other", '{"cells": [2]}')]:
        put(board / (name + ".ipynb"), contents)
    (board / "other.ipynb").rename(board / "other.txt")  # one that is gone stays, too
    said, well = a_class.collect()
    assert not well and "0 notebooks brought from 1 boards, 8 left out." in said, said
    assert {path.read_text() for path in (a_class.to / "one").glob("*.ipynb")} == {NOTEBOOK}
    for name, reason in zip(names, BROKEN.values()):
        line = re.search(f'left out one/({name}.ipynb: .*)"', said).group(1)
        assert reason in line and line in (a_class.to / "one/left_out.txt").read_text()
    for name in names:
        put(board / (name + ".ipynb"), '{"cells": [3]}')
    assert a_class.collect()[1]
    assert {path.read_text() for path in a_class.to.rglob("n*.ipynb")} == {'{"cells": [3]}'}
    assert not list(a_class.to.rglob("left_out.txt"))


def bring(to, board, files):
    """What is done of a board with these files: {name: contents, or the error of fetching it}"""

    def fetch(name):
        if isinstance(files[name], BaseException):
            raise files[name]
        return files[name].encode()

    return collect.bring(to, board, json.dumps(list(files)), fetch)


def test_what_lies_in_the_place_of_a_notebook_is_not_followed(tmp_path):
    to, elsewhere = tmp_path / "to", tmp_path / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "mine.ipynb").write_text("the instructor's")
    (to / "one/folder.ipynb").mkdir(parents=True)
    (to / "one/mine.ipynb").symlink_to(elsewhere / "mine.ipynb")
    (to / "one/sub").symlink_to(elsewhere / "sub")
    (to / "board").symlink_to(elsewhere)
    (to / "pipe").write_text("no folder")
    names = ["mine.ipynb", "folder.ipynb", "sub/mine.ipynb", "other.ipynb"]
    assert bring(to, "one", dict.fromkeys(names, NOTEBOOK)) == [
        "brought other.ipynb",
        f"left out one/mine.ipynb: there is a link in its place, {to}/one/mine.ipynb",
        "left out one/folder.ipynb: Is a directory",
        f"left out one/sub/mine.ipynb: there is a link in its place, {to}/one/sub/mine.ipynb",
    ]
    with pytest.raises(ValueError, match="is a link, and board's notebooks go into a folder"):
        bring(to, "board", {"other.ipynb": NOTEBOOK})
    with pytest.raises(FileExistsError):
        bring(to, "pipe", {"other.ipynb": NOTEBOOK})
    assert (elsewhere / "mine.ipynb").read_text() == "the instructor's"
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["mine.ipynb", "sub"]


def test_a_board_that_is_lost_leaves_what_came_and_names_the_rest(tmp_path):
    with pytest.raises(SystemError):
        bring(tmp_path, "one", {"a.ipynb": NOTEBOOK, "b.ipynb": SystemError(), "c.ipynb": NOTEBOOK})
    assert (tmp_path / "one/a.ipynb").read_text() == NOTEBOOK
    lines = (tmp_path / "one/left_out.txt").read_text().splitlines()
    assert lines == [f"{name}.ipynb: the board was lost before it came" for name in "bc"]


@pytest.fixture
def hanging(a_class):
    """A run that waits for a file that does not come, and has brought another one before."""
    board = a_class.board("one", ["a.ipynb", "pipe.ipynb"], a=NOTEBOOK)
    os.mkfifo(str(board / "pipe.ipynb"))
    run = a_class.start()
    assert soon(lambda: a_class.brought("one"), 300)
    yield run, board
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=300)


def test_cut_off_it_leaves_nothing_half(a_class, hanging):
    run, _ = hanging
    os.killpg(run.pid, signal.SIGTERM)
    said = run.communicate(timeout=300)[0]
    assert run.returncode and "What was collected before is still in" in said, said
    assert os.listdir(str(a_class.to)) == ["one"] and a_class.brought("one") == {"a.ipynb"}


def test_two_at_once_and_what_a_killed_one_leaves(a_class, hanging):
    run, board = hanging
    said = a_class.start().communicate(timeout=300)[0]
    assert run.poll() is None and re.search("another make collect is writing.*wait for it", said)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=300)
    assert (a_class.to / ".incoming").is_dir()
    (board / "answer").write_text('["a.ipynb"]')
    said, well = a_class.collect()
    assert well and a_class.brought("one") == {"a.ipynb"}, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_what_was_collected(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)], check=True)
    try:
        bring(tmp_path, "one", {"mine.ipynb": NOTEBOOK})
        large = json.dumps({"cells": ["x" * (2 << 20)]})
        lines = bring(tmp_path, "one", {"mine.ipynb": large, "other.ipynb": NOTEBOOK})
        assert lines == ["brought other.ipynb", "left out one/mine.ipynb: No space left on device"]
        assert (tmp_path / "one/mine.ipynb").read_text() == NOTEBOOK
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
