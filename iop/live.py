"""A widget that shows the mailbox while it changes."""

import time

import ipywidgets
from pynq import PL
from tornado.ioloop import PeriodicCallback  # every Jupyter kernel runs on it

from .pynq_tutorial import MAILBOX_WORDS
from .sharing import downloads

LOOKS = 100  # milliseconds from one look to the next


def live_mailbox(mailbox, seconds=600):
    """The widget; leave it as a cell's last line to see it.

    mailbox: an MMIO of the four words seconds: how long it goes on, unless somebody presses Stop;
    it updates only while no cell is running

    It also ends when this process or another downloads an overlay. Then nobody knows what is at the
    mailbox's address, and a board may hang on an address where nothing answers."""

    def circuit():
        count = downloads()
        return count or PL.timestamp

    overlay = circuit()
    table, stop = ipywidgets.HTML(), ipywidgets.Button(description="Stop")
    end = time.monotonic() + seconds
    shown = []  # the words that the table shows

    def look():
        if circuit() != overlay:
            return close()
        words = [mailbox.read(4 * number) for number in range(len(MAILBOX_WORDS))]
        if words != shown:
            table.value = _table(words, shown)
            shown[:] = words
        if time.monotonic() > end:
            close()

    def close(button=None):
        looks.stop()
        stop.disabled, stop.description = True, "Stopped"

    looks = PeriodicCallback(look, LOOKS)
    stop.on_click(close)
    look()
    looks.start()
    return ipywidgets.VBox([table, stop])


def _table(words, before):
    """HTML, with the colours of draw_words(): a word that has changed stands out."""
    cell = (
        '<td style="border: 1px solid #777; padding: 6px 12px; color: #000; background:'
        ' {}">{}<br><b>{}</b></td>'
    )
    return "<table><tr>{}</tr></table>".format(
        "".join(
            cell.format(
                "#f2f2f2" if word == old else "#f6c667",
                name,
                hex(word) if name == "BUFFER_ADDR" else word,
            )
            for name, word, old in zip(MAILBOX_WORDS, words, before or words)
        )
    )
