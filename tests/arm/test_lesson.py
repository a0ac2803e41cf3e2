"""The lesson and pynq's own classes on a real ARM kernel: /dev/mem, sysfs, UIO, contiguous memory.
One process of the board's imports pynq, and all programs are forks of it (programs/in_turn.py)."""

import json

import pytest

from helpers.freed import REFUSED, SERVED
from helpers.two_notebooks import ALLOWED

TWO_AT_ONCE = ["ask.py 1 5", "ask.py 2 5"]
STEPS = [
    ["example.py"],
    ["which.py"],
    ["freed.py pynq"],
    ["thermometer.py"],
    ["interrupt.py"],
    TWO_AT_ONCE,
    ["downloaded.py"],
    ["base.py"],
]


@pytest.fixture(scope="module")
def said(board, installed):
    """A function that takes a command, and returns the lines that it has printed. AssertionError
    with these if it failed."""
    ran = json.loads(board.python("in_turn.py", json.dumps(STEPS)).splitlines()[-1])

    def said_by(command):
        lines, status = ran[command]
        assert status == 0, lines
        return lines

    return said_by


def test_the_lesson_in_its_own_order(said):
    said("example.py")


def test_it_is_a_board_for_pynq_and_32_bits(said):
    assert said("which.py")[-1] == "3.1.2 EmbeddedDevice 4"


def test_a_freed_buffer_is_refused(said):
    lines = said("freed.py pynq")
    assert lines[-3:-1] == [SERVED, REFUSED] and lines[-1].endswith("True 0"), lines


def test_a_module_by_pynqs_own_driver(said):
    """Through both overlays; the IOP's I2C is the fabric's."""
    assert said("thermometer.py")[-2:] == 2 * ["[21.5, 21.5, 21.5]"]


def test_an_interrupt_wakes_asyncio(said):
    """It goes from an IOP's pin through the ARM's interrupt controller and UIO."""
    assert said("interrupt.py")[-4:] == 4 * ["woke 1"]


def test_two_kernels_on_one_iop(said):
    """Linux's lock on /dev/mem keeps their requests apart."""
    for command in TWO_AT_ONCE:
        served, errors, wrong = json.loads(said(command)[-1])
        assert served > 5 and not wrong, said(command)
        assert all(ALLOWED.match(error) for error in errors), errors


def test_a_download_by_another_notebook_is_seen(said):
    """Linux reports it, by inotify on the real sysfs; and the base overlay is what it was."""
    assert said("downloaded.py")[-1].startswith("An overlay was downloaded")
    said("base.py")
