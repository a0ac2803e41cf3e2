"""A widget that shows the mailbox while it changes."""

import time

import ipywidgets
from tornado.ioloop import PeriodicCallback  # every Jupyter kernel runs on it

from .pynq_tutorial import MAILBOX_WORDS
from .sharing import board_lock

LOOKS = 100  # milliseconds from one look to the next
CELL = (
    '<td style="border: 1px solid #777; padding: 6px 12px; color: #000; background: {}">'
    "{}<br><b>{}</b></td>"
)


def live_mailbox(mailbox, seconds=600):
    """The widget; leave it as a cell's last line to see it. It updates while no cell is running.

    It also ends when this process or another downloads an overlay. Then nobody knows what is at the
    mailbox's address, and a board may hang on an address where nothing answers.

    Args:
        mailbox: An MMIO of the four words.
        seconds: How long it goes on, unless somebody presses Stop.
    """
    lock = board_lock()
    overlay, end = lock.overlay(), time.monotonic() + seconds
    table, stop = ipywidgets.HTML(), ipywidgets.Button(description="Stop")
    shown = []  # the words that the table shows

    def look():
        if lock.overlay() != overlay:
            return close()
        words = [mailbox.read(4 * number) for number in range(len(MAILBOX_WORDS))]
        if words != shown:
            table.value = _table(words, shown or words)
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
    cells = ""
    for name, word, old in zip(MAILBOX_WORDS, words, before):
        color = "#f2f2f2" if word == old else "#f6c667"
        cells += CELL.format(color, name, hex(word) if name == "BUFFER_ADDR" else word)
    return f"<table><tr>{cells}</tr></table>"
