"""A QEMU that stops again and again shares a core with the thread that serves it, and only then."""

import os
import signal

import pytest
from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2

from helpers.kit import OVERLAY
from helpers.waiting import soon
from virtual_board.microblaze.one_core import OneCore
from virtual_board.pmods import Tmp2

pytestmark = pytest.mark.slow


@pytest.fixture
def driver(board):
    overlay = Overlay(OVERLAY)
    board.plug(Tmp2(celsius=30))
    return Pmod_TMP2(overlay.iop1.mb_info)


def cores(board):
    """On which the threads of QEMU and the one that serves it may run."""
    owner = board.microblaze._owner.native_id
    threads = [owner, *map(int, os.listdir(f"/proc/{board.microblaze.pid}/task"))]
    return [os.sched_getaffinity(thread) for thread in threads]


@pytest.fixture
def entered(board, monkeypatch):
    """What cores() was each time that a row of stops had begun."""
    seen, enter = [], OneCore.enter

    def note(self, pid):
        enter(self, pid)
        seen.append(cores(board))

    monkeypatch.setattr(OneCore, "enter", note)
    return seen


def test_they_share_one_while_it_stops_in_a_row(board, driver, entered):
    everywhere = os.sched_getaffinity(0)
    for _ in range(20):
        assert driver.read() == 30
    assert soon(lambda: entered)
    assert all(len(set.union(*threads)) == 1 for threads in entered)
    assert soon(lambda: set(map(frozenset, cores(board))) == {frozenset(everywhere)})


def test_a_killed_qemu_leaves_the_serving_thread_free(board, driver, monkeypatch):
    everywhere, enter = os.sched_getaffinity(0), OneCore.enter
    killed = []

    def enter_and_kill(self, pid):
        enter(self, pid)
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    monkeypatch.setattr(OneCore, "enter", enter_and_kill)
    driver.set_log_interval_ms(10)
    driver.start_log()  # which does not wait for an answer
    assert soon(lambda: killed)
    owner = board.microblaze._owner.native_id
    assert soon(lambda: os.sched_getaffinity(owner) == everywhere)
