"""One fixture for the scenarios: `board` is switched on, has the tutorial installed, and runs under
each pynq of the stock images. What nobody knows about a real board, such as its state after
power-up, is a parameter or a loop."""

from pathlib import Path

import arm_python
import pytest

import board as stand_in
from arm_board.debian import DebianError
from helpers.base_overlay import STOCK
from systems import images

# pynq's; image v2.5 has 2.5.4, with the same classes as 2.6.2
RELEASES = [*sorted({release for release, _, _ in images.IMAGES}), arm_python.RELEASE]


def pytest_collection_modifyitems(config, items):
    """An emulated Python is slow, so it runs the scenarios that are marked alone."""
    others = [
        item
        for item in items
        if item.callspec.params["release"] == arm_python.RELEASE
        and not item.get_closest_marker("arm")
    ]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def arm_root(release):
    """The ARM Python and its libraries, or None for this machine's own Python."""
    if release != arm_python.RELEASE:
        return None
    missing = stand_in.missing() or arm_python.missing()
    if missing:
        pytest.skip(missing)
    try:
        return arm_python.root()
    except DebianError as error:
        pytest.skip(f"the board stand-in with an ARM Python cannot be made. {error}")


@pytest.fixture(scope="session")
def environment(release, arm_root):
    """The folder of the environment with that pynq, which `make test-images` shares."""
    if arm_root:
        return arm_python.environment(arm_root)
    ways = [(version, pins) for of, version, pins in images.IMAGES if of == release]
    found = [(*way, images.find_python(way[0])) for way in ways]
    found = [way for way in found if way[2]]
    if not found:
        pytest.skip(f"pynq {release} needs Python {ways[0][0]}, which is not here")
    return Path(images.environment(release, *found[0])).parent.parent


@pytest.fixture(scope="session")
def library(arm_root):
    missing = stand_in.missing()
    if missing:
        pytest.skip(missing)
    return stand_in.build_library(arm_python.CC if arm_root else "cc")


@pytest.fixture(scope="session")
def base_overlay(release):
    """The folder of a stock base overlay, of either design in turn."""
    path = list(STOCK.values())[RELEASES.index(release) % 2]
    if not path.exists():
        pytest.skip(f"{path} is not beside the project")
    return path.parent


@pytest.fixture(scope="session")
def switched_off(release, environment, base_overlay, library, arm_root):
    """The board of all tests of a release in this process."""
    with stand_in.Board(release, environment, base_overlay, library, arm_root) as board:
        board.power_up()
        if release.startswith("3.") and not arm_root:  # which would take twenty seconds for it
            board.output("python3", "-c", stand_in.CACHED, folder="/")
        yield board


@pytest.fixture
def board(switched_off):
    switched_off.power_up()
    if not switched_off.path(stand_in.NAME).exists():
        switched_off.output("make", "install")
    return switched_off
