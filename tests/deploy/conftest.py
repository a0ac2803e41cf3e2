"""Boards that answer over ssh, and a classroom of them."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from helpers import base_overlay
from helpers.kit import make
from helpers.sshd import Servers

COPIES = re.compile(r"ansible|pynq_tutorial[.-]\w{10}")


@pytest.fixture(scope="session")
def servers():
    # not in pytest's, which nobody else may enter
    folder = Path(tempfile.mkdtemp(prefix="boards-"))
    folder.chmod(0o755)
    servers = None
    try:
        servers = Servers(folder)
        yield servers
    finally:
        if servers:
            servers.stop()
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
        return sorted(
            str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()
        )


@pytest.fixture
def boards(servers):
    """Three boards; the last one's server is down."""
    boards = [Board(servers, name) for name in ("one", "two", "three")]
    down = servers.processes.pop()
    down.terminate()
    down.wait()
    yield boards
    servers.stop()
    servers.processes.clear()
    for board in boards:
        shutil.rmtree(str(board.root))


@pytest.fixture
def ssh(servers):
    """SSH=..., for a board."""
    return lambda board: f"SSH=ssh -F {servers.folder}/ssh_config -p {board.port}"


@pytest.fixture
def classroom(boards, servers, tmp_path):
    """Runs `make classroom` with more options; returns its end and {board: its line of the
    recap}."""
    inventory = tmp_path / "boards.yml"
    lines = ["boards:", "  hosts:"]
    for name, board in zip(("one", "two", "three"), boards):
        lines.append(
            f"    {name}: {{ansible_host: 127.0.0.1, ansible_port: {board.port}, destdir:"
            f" {board.root}}}"
        )
    lines += [
        "  vars:",
        "    ansible_user: xilinx",
        f"    ansible_ssh_common_args: -F {servers.folder}/ssh_config",
        "    ansible_ssh_use_tty: false",
    ]  # a container may have no terminals to give
    inventory.write_text("\n".join(lines) + "\n")

    def run(*options, command="classroom", **environment):
        finished = make(command, f"BOARDS={inventory}", *options, **environment)
        recap = dict(re.findall(r"^(\w+) +: (ok=.*)$", finished.stdout, re.M))
        return finished, {
            name: dict(re.findall(r"(\w+)=(\d+)", line)) for name, line in recap.items()
        }

    return run


@pytest.fixture
def nothing_is_left(servers):
    """Nothing of the kit's may stay in /tmp, here or on a board."""
    before = set(os.listdir("/tmp"))
    yield
    assert [name for name in set(os.listdir("/tmp")) - before if COPIES.search(name)] == []
