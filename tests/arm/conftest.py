"""`board` is one that make board has started, with a kit on it; all tests of a process share it."""

import pytest
from launcher import Launcher
from remote import HOST, Remote, answered

from arm_board import BoardError, build
from helpers.temporary import temporary


@pytest.fixture(scope="session")
def files():
    """What the board starts from."""
    try:
        return build.files()
    except BoardError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def launcher(files):
    launcher = Launcher()
    try:
        yield launcher
    finally:
        launcher.end()


@pytest.fixture(scope="session")
def folder():
    with temporary() as folder:
        yield folder


@pytest.fixture(scope="session")
def board(launcher, folder):
    board = Remote(launcher.wait()[0], folder)
    board.allow_key()
    board.bring_kit()
    return board


@pytest.fixture(scope="session")
def installed(board):
    """What `make install` says on a PC for a board on which the tutorial never was; the passwords
    are typed in a terminal."""
    return answered(["make", "install", f"HOST={HOST}", board.option])
