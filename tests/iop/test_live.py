"""The mailbox, shown live below a cell."""

import asyncio
import threading

import pytest
from pynq import MMIO
from tornado.ioloop import IOLoop

from iop import live
from iop.pynq_tutorial import MAILBOX


@pytest.fixture
def mailbox(iop):
    yield MMIO(0x40000000 + MAILBOX, 16)
    while live._ends:
        live._ends.pop()()


@pytest.fixture
def shown(monkeypatch):
    """What was shown, from the first picture to the last, in words."""
    shown = []

    class Output:
        def update(self, picture):
            shown.append(repr(picture))

    def display(picture, display_id):
        assert display_id is True and "<table>" in picture._repr_html_()
        shown.append(repr(picture))
        return Output()

    monkeypatch.setattr(live, "display", display)
    return shown


def looks_until(condition):
    """Lets it look, as a kernel does between two cells."""

    async def wait():
        while not condition():
            await asyncio.sleep(0.05)

    IOLoop.current().run_sync(wait, timeout=60)


def words_in(text):
    """The words of the mailbox, and what is said below them."""
    _, row, note = text.splitlines()
    return row.replace("* ", "*").split()[1:], note


def test_it_shows_what_changes_until_it_is_called_again(mailbox, shown):
    threads = set(threading.enumerate())
    live.live_mailbox(mailbox)
    words, note = words_in(shown[0])
    assert words[3] == "1" and "live until" in note
    mailbox.write(4, 77)
    looks_until(lambda: "* 77" in shown[-1])
    assert words_in(shown[-1])[0] == ["0x0", "*77", *words[2:]]
    live.live_mailbox(mailbox)
    assert "no longer live" in shown[-2] and "live until" in shown[-1]
    mailbox.write(4, 78)
    looks_until(lambda: "* 78" in shown[-1])
    assert sum("78" in text for text in shown) == 1  # the first one has not looked again
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_it_ends_by_itself(mailbox, shown, seconds):
    live.live_mailbox(mailbox, seconds)
    looks_until(lambda: "no longer live" in shown[-1])
    mailbox.write(4, 79)
    IOLoop.current().run_sync(lambda: asyncio.sleep(0.15))
    assert "79" not in shown[-1]


def test_it_does_not_look_into_another_overlay(mailbox, shown, overlay):
    live.live_mailbox(mailbox)
    overlay.download()
    mailbox.write(4, 654)
    looks_until(lambda: "no longer live" in shown[-1])
    assert "654" not in "".join(shown)
