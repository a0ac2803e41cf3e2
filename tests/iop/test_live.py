"""The widget that shows the mailbox live."""

import asyncio
import threading

import pytest
from pynq import MMIO
from tornado.ioloop import IOLoop

from iop.live import live_mailbox
from iop.pynq_tutorial import MAILBOX


@pytest.fixture
def mailbox(iop):
    return MMIO(0x40000000 + MAILBOX, 16)


def looks_until(condition):
    """Lets the widget look, as a kernel does between two cells."""

    async def wait():
        while not condition():
            await asyncio.sleep(0.05)

    IOLoop.current().run_sync(wait, timeout=60)


def test_it_shows_what_changes_until_it_is_stopped(mailbox):
    threads = set(threading.enumerate())
    table, stop = live_mailbox(mailbox).children
    assert "STATUS<br><b>1</b>" in table.value and "#f6c667" not in table.value
    mailbox.write(4, 77)
    looks_until(lambda: '#f6c667">ARRAY_LENGTH<br><b>77</b>' in table.value)
    assert table.value.count("#f6c667") == 1
    stop.click()
    mailbox.write(4, 78)
    IOLoop.current().run_sync(lambda: asyncio.sleep(0.15))
    assert "<b>77</b>" in table.value and stop.disabled
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_it_ends_by_itself(mailbox, seconds):
    _, stop = live_mailbox(mailbox, seconds).children
    looks_until(lambda: stop.disabled)


def test_it_does_not_look_into_another_overlay(mailbox, overlay):
    table, stop = live_mailbox(mailbox).children
    overlay.download()
    mailbox.write(4, 654)
    looks_until(lambda: stop.disabled)
    assert "654" not in table.value
