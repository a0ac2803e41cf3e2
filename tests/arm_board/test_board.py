"""What `make board` says if it cannot start, and what is left then. `make test-arm` tries that it
starts."""

import os
import socket

import pytest

from arm_board import BoardError, build, kernel, machine
from helpers.programs import programs


@pytest.fixture
def qemu(tmp_path, monkeypatch):
    """Puts a program of this text in QEMU's place."""

    def put(text):
        path = programs(tmp_path / "bin", **{machine.NAME: text})
        monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")

    return put


def test_without_qemu_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BoardError, match="needs qemu-system-arm, and it is not here: .*apt-get"):
        machine.find()


def test_an_old_qemu_is_refused(qemu):
    qemu("echo QEMU emulator version 5.2.0")
    with pytest.raises(BoardError, match="is QEMU 5.2.0, and the board needs 7.2 or newer"):
        machine.find()


def test_a_qemu_that_ends_says_why(qemu, tmp_path):
    qemu("[ $1 != --version ] || exec echo QEMU emulator version 9.0.0\necho no card >&2; exit 1")
    with open(os.devnull) as memory, pytest.raises(BoardError, match="started, and said: no card"):
        machine.Machine(memory.fileno(), tmp_path, tmp_path / "card.img")


def test_a_port_in_use_is_left_to_whom_it_belongs():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert machine.free_port(taken) not in (0, taken)


def test_a_program_that_is_missing_or_fails(tmp_path):
    with pytest.raises(BoardError, match="no-such is not here.*sh setup.sh arm"):
        kernel.run("compiling", ["no-such"], tmp_path)
    with pytest.raises(BoardError, match="compiling failed:\n  why"):
        kernel.run("compiling", ["sh", "-c", "echo why; exit 1"], tmp_path)


def test_what_was_cut_off_or_is_of_another_edition_is_built_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache, built = tmp_path / "pynq-tutorial/arm", []

    def build_it(folder):
        folder.mkdir()
        built.append(folder)
        return folder

    monkeypatch.setattr(build, "_build", build_it)
    for old in "booted-0123456789ab", "booted-0123456789ab.new":
        (cache / old).mkdir(parents=True)
        (cache / old / "card.img").touch()
    folder = build.files()
    assert [path.name for path in cache.glob("booted-*")] == [folder.name]
    assert build.files() == folder and len(built) == 1
