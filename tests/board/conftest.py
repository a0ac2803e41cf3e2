"""One fixture for the scenarios: `power_up` gives a board that was just switched on, under each
pynq of the stock images and with both base overlays. What nobody knows about a real board, such as
its state after power-up, is a parameter."""

import fcntl
import os
import pickle
from pathlib import Path

import pytest

import board as stand_in
from helpers.base_overlay import STOCK
from systems import images

ROOT = Path(__file__).resolve().parent.parent.parent

NAME = stand_in.NOTEBOOKS + "/pynq_tutorial"
# what the FPGA manager may report after power-up; nobody knows which a board does
POWER_UPS = "unknown", "operating"

# In a process of its own, as in a kernel of its own. What is printed is compared.
BASE = """
from pynq import Overlay
base = Overlay("base.bit")
print(sorted(base.hierarchy_dict), sorted(base.ip_dict) > ["iop"], base.iop_pmoda.mb_info["ip_name"], base.bitfile_name)
"""


def base(board):
    """What pynq makes of the image's own base overlay, as text."""
    return board.python(BASE)


def releases():
    """{pynq's release: its environment's Python and pins}, of each the first for which there is a
    Python here."""
    found = {}
    for release, version, pins in images.IMAGES:
        if found.get(release, (None,))[0] is None:
            found[release] = images.find_python(version), version, pins
    return found


RELEASES = releases()


def pytest_collection_modifyitems(config, items):
    """Each test runs under each release, with one of the two base overlays: the next test or the
    next release takes the other."""
    turns = {}  # of each test, whatever release and base overlay: its number
    left_out = []
    for item in items:
        parameters = dict(item.callspec.params)
        if "release" not in parameters:  # it is about no board
            continue
        release, base_overlay = (
            list(RELEASES).index(parameters.pop("release")),
            list(STOCK).index(parameters.pop("base_overlay")),
        )
        turn = turns.setdefault((item.function, str(parameters)), len(turns))
        if (turn + release + base_overlay) % len(STOCK):
            left_out.append(item)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    missing = stand_in.missing()
    for item in items:
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def environment(release):
    """The environment with that pynq, which `make test-images` shares."""
    python, version, pins = RELEASES[release]
    if python is None:
        pytest.skip(f"pynq {release} needs Python {version}, which is not here")
    return Path(images.environment(release, version, pins, python)).parent.parent


@pytest.fixture(scope="session", params=STOCK)
def base_overlay(request):
    """The folder of a base overlay."""
    if not STOCK[request.param].exists():
        pytest.skip(f"the base overlay of design {request.param} is not beside the project")
    return STOCK[request.param].parent


@pytest.fixture(scope="session")
def library():
    return stand_in.build_library()


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """once(name, make): what make() returns, which is called by one of the processes that share the
    tests; the others get a copy."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def made(name, make):
        with open(str(folder / name), "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not file.tell():
                pickle.dump(make(), file)
            file.seek(0)
            return pickle.load(file)

    return made


@pytest.fixture(scope="session")
def precached(once, release, environment, base_overlay, library):
    return once(
        f"precached {release} {base_overlay.name}",
        lambda: stand_in.cache_metadata(release, environment, base_overlay, library),
    )


@pytest.fixture(scope="session")
def kernels(release, environment, base_overlay, library):
    # whose import makes a device with a server thread, which no fork would have
    if release.startswith("2.5"):
        yield None
        return
    with stand_in.Board(release, environment, base_overlay, library) as board:
        kernels = stand_in.Kernels(board)
        yield kernels
        kernels.close()


@pytest.fixture
def power_up(release, environment, base_overlay, library, precached, kernels):
    """power_up(state="unknown", boot=..., installed=True, **options of Board) returns a board that
    was just switched on, as power_up() of Board does."""
    boards = []

    def new(state="unknown", boot=None, installed=True, **options):
        board = stand_in.Board(
            release,
            environment,
            base_overlay,
            library,
            precached=precached,
            kernels=kernels,
            **options,
        )
        boards.append(board)
        board.power_up(state, boot)
        if installed:
            board.output("make", "install", folder=stand_in.HOME_KIT)
        return board

    yield new
    for board in boards:
        board.close()


@pytest.fixture
def untouched(once, power_up, release, base_overlay):
    """untouched(state): what the base overlay is on a board that never saw the tutorial."""

    def found(state):
        text = once(
            f"untouched {release} {base_overlay.name} {state}",
            lambda: base(power_up(state, installed=False)),
        )
        assert "iop_pmodb" in text
        return text

    return found
