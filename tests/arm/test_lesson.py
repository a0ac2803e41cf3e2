"""The lesson and pynq's own classes on a real ARM kernel: /dev/mem, sysfs, UIO, contiguous
memory."""

import json

from remote import OF_THE_STAND_IN

from helpers.freed import REFUSED, SERVED


def test_the_lesson_in_its_own_order(board, installed):
    assert "edition" in installed
    board.python("example.py")


def test_it_is_a_board_for_pynq_and_32_bits(board):
    said = board.as_root(
        "python3 -c 'import pynq, struct; from pynq import Device;"
        ' print(pynq.__version__, type(Device.active_device).__name__, struct.calcsize("P"))\''
    )
    assert said.splitlines()[-1] == "3.1.2 EmbeddedDevice 4"


def test_a_freed_buffer_is_refused(board, installed):
    said = board.python("freed.py", "pynq").splitlines()
    assert said[-3:-1] == [SERVED, REFUSED] and said[-1].endswith("True 0"), said


def test_a_module_by_pynqs_own_driver(board, installed):
    """Through both overlays; the IOP's I2C is the fabric's."""
    assert board.python("thermometer.py").splitlines()[-2:] == 2 * ["[21.5, 21.5, 21.5]"]


def test_an_interrupt_wakes_asyncio(board, installed):
    """It goes from an IOP's pin through the ARM's interrupt controller and UIO."""
    said = board.python("interrupt.py")
    assert said.splitlines()[-4:] == 4 * ["woke 1"], said


def test_two_kernels_on_one_iop(board, installed):
    """Linux's lock on /dev/mem keeps their requests apart."""
    ask = f"PYTHONPATH=. python3 {OF_THE_STAND_IN}/ask.py"
    both = f"{ask} 1 5 >/tmp/first & {ask} 2 5 >/tmp/second & wait; cat /tmp/first /tmp/second"
    said = board.as_root("{ " + both + "; }")
    results = [json.loads(line) for line in said.splitlines() if line[0] == "["]
    assert len(results) == 2
    for served, errors, wrong in results:
        assert served > 5 and not wrong and not errors, results


def test_a_download_by_another_notebook_is_seen(board, installed):
    """Linux reports it, by inotify on the real sysfs."""
    said = board.python("downloaded.py").splitlines()[-1]
    assert said.startswith("An overlay was downloaded"), said
    board.python("base.py")
