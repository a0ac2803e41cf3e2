"""One fixture for the scenarios: `board` is switched on, has the tutorial installed, and runs under
each pynq of the stock images. What nobody knows about a real board, such as its state after
power-up, is a parameter or a loop."""

import fcntl
import os
import pickle
import subprocess
import zlib
from pathlib import Path

import pytest

import board as stand_in
from helpers.base_overlay import STOCK
from systems import images

# pynq's; image v2.5 has 2.5.4, with the same classes as 2.6.2
RELEASES = sorted({release for release, _, _ in images.IMAGES})


@pytest.fixture(scope="session", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def environment(release):
    """The folder of the environment with that pynq, which `make test-images` shares."""
    ways = [(version, pins) for of, version, pins in images.IMAGES if of == release]
    found = [(*way, images.find_python(way[0])) for way in ways]
    found = [way for way in found if way[2]]
    if not found:
        pytest.skip(f"pynq {release} needs Python {ways[0][0]}, which is not here")
    own = images.environment(release, *found[0])
    folder = Path(own).parent.parent
    # as an image's are; else each program would compile all that it imports
    subprocess.call([own, "-m", "compileall", "-qq", str(folder / "lib")])
    return folder


@pytest.fixture(scope="session")
def library():
    missing = stand_in.missing()
    if missing:
        pytest.skip(missing)
    return stand_in.build_library()


@pytest.fixture
def base_overlay(request, release):
    """The folder of a stock base overlay: the next test or the next release takes the other."""
    turn = zlib.crc32(request.function.__name__.encode()) + RELEASES.index(release)
    path = list(STOCK.values())[turn % len(STOCK)]
    if not path.exists():
        pytest.skip(f"{path} is not beside the project")
    return path.parent


@pytest.fixture
def cached(tmp_path_factory, release, environment, base_overlay, library):
    """Board.cached(), made by one of the processes that share the tests."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with open(str(folder / f"cached-{release}-{base_overlay.name}"), "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not file.tell():
            with stand_in.Board(release, environment, base_overlay, library) as board:
                pickle.dump(board.cached(), file)
        file.seek(0)
        return pickle.load(file)


@pytest.fixture
def board(release, environment, base_overlay, library, cached):
    with stand_in.Board(release, environment, base_overlay, library) as board:
        for name, contents in cached.items():
            (board.pynq / name).write_bytes(contents)
        board.power_up()
        board.output("make", "install")
        yield board
