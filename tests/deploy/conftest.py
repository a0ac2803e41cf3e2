"""Boards that answer over ssh, and a classroom of them."""

import csv
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from helpers import base_overlay, checkout
from helpers.kit import ROOT, make
from helpers.sshd import Servers
from helpers.waiting import soon

COPIES = re.compile(r"ansible|pynq_tutorial[.-]\w{10}")
INVENTORY = """
boards:
  hosts:
    one: {{ansible_port: {0.port}, destdir: {0.root}}}
    two: {{ansible_port: {1.port}, destdir: {1.root}}}
    three: {{ansible_port: {2.port}, destdir: {2.root}}}
  vars:
    ansible_host: 127.0.0.1
    ansible_user: xilinx
    ansible_ssh_common_args: -F {folder}/ssh_config
    ansible_ssh_use_tty: false  # a container may have no terminals to give
"""


@pytest.fixture(scope="session")
def servers():
    # not in pytest's folder, which nobody else may enter
    folder = Path(tempfile.mkdtemp(prefix="boards-"))
    folder.chmod(0o755)
    try:
        yield Servers(folder)
    finally:
        shutil.rmtree(str(folder))


class Board:
    """A pretended board: the root of its files, and the port of its SSH server."""

    def __init__(self, servers, name):
        self.root, self.port = servers.folder / name, servers.start()
        base_overlay.write(self.root / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base")
        self.notebooks = self.root / "home/xilinx/jupyter_notebooks/pynq_tutorial"
        self.notebooks.parent.mkdir(parents=True)
        servers.own(self.root)

    def files(self):
        paths = (path for path in self.root.rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self.root)) for path in paths)

    def has_edition(self):
        return (self.notebooks / "bitstream/pynq_tutorial.bit").exists()


@pytest.fixture
def boards(servers):
    """Three boards; the last one's server is down."""
    try:
        boards = [Board(servers, name) for name in ("one", "two", "three")]
        down = servers.processes.pop()
        down.terminate()
        down.wait()
        yield boards
    finally:
        servers.stop()
        for name in "one", "two", "three":
            shutil.rmtree(str(servers.folder / name), ignore_errors=True)


@pytest.fixture
def ssh(servers):
    """SSH=..., for a board."""
    return lambda board: f"SSH=ssh -F {servers.folder}/ssh_config -p {board.port}"


@pytest.fixture
def install(boards, ssh):
    """Runs `make install`, or another command, for the first board's address."""

    def run(*options, board=boards[0], command="install", **more):
        options = [f"DESTDIR={board.root}", ssh(board), *options]  # of two, make takes the last
        return make(command, "HOST=127.0.0.1", *options, **more)

    return run


@pytest.fixture
def classroom(boards, servers, tmp_path):
    """Runs `make classroom` with more options; returns its end and {board: its line of the
    recap}."""

    def run(*options, command="classroom", inventory="boards.yml", **environment):
        path = tmp_path / inventory
        path.write_text(INVENTORY.format(*boards, folder=servers.folder))
        finished = make(command, f"BOARDS={path}", *options, **environment)
        recap = dict(re.findall(r"^(\w+) +: (ok=.*)$", finished.stdout, re.M))
        return finished, {name: dict(re.findall(r"(\w+)=(\d+)", recap[name])) for name in recap}

    return run


@pytest.fixture
def kit(tmp_path):
    """A checkout in a folder of an awkward name, with this one's Ansible."""
    folder = tmp_path / "Ada's kit"
    checkout.copy(ROOT, folder)
    (folder / ".deploy").symlink_to(ROOT / ".deploy")
    return folder


@pytest.fixture
def nothing_is_left(servers):
    """Nothing of the kit's may stay in /tmp, here or on a board."""
    before = set(os.listdir("/tmp"))
    yield
    assert soon(lambda: not [one for one in {*os.listdir("/tmp")} - before if COPIES.search(one)])


@pytest.fixture
def collected(tmp_path):
    """write(path, content) puts a file into the folder that run() reports on; run() returns what is
    printed, and the table."""
    folder = tmp_path / "collected"

    def write(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        content = content if isinstance(content, (str, bytes)) else json.dumps(content)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)

    def run():
        finished = make("--no-print-directory", "report", f"DIR={folder}")
        assert finished.returncode == 0, finished.stdout
        with open(str(folder / "report.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        return finished.stdout, {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}

    run.folder = folder
    return write, run
