"""Shows the mailbox while it changes. A notebook keeps what it showed last, as a table."""

import time

from IPython.display import display
from tornado.ioloop import PeriodicCallback  # every Jupyter kernel runs on it

from .pictures import table
from .pynq_tutorial import MAILBOX_WORDS
from .sharing import downloads

LOOKS = 100  # milliseconds from one look to the next
_ends = []  # what ends the last call


def live_mailbox(mailbox, seconds=600):
    """Shows the four words below a cell, and the changes in them while no cell is running.

    It ends after some time, and when it is called again. It also ends when this process or another
    downloads an overlay. Then nobody knows what is at the mailbox's address, and a board may hang
    on an address where nothing answers.

    Args:
        mailbox: An MMIO of the four words.
        seconds: How long it goes on.
    """
    while _ends:
        _ends.pop()()
    overlay, last = downloads.last(), time.monotonic() + seconds
    until = time.strftime("%H:%M:%S on %d %B", time.localtime(time.time() + seconds))
    until = f"live until {until}, or until the kernel ends"

    def read():
        words = [mailbox.read(4 * number) for number in range(len(MAILBOX_WORDS))]
        return [hex(words[0])] + [str(word) for word in words[1:]]

    def picture(before, note):
        row = ["* " * (word != old) + word for word, old in zip(words, before)]
        return table({"mailbox": row}, MAILBOX_WORDS, f"* changed last; {note}")

    def look():
        nonlocal words
        if downloads.last() != overlay or time.monotonic() > last:
            return end()
        before, words = words, read()
        if words != before:
            output.update(picture(before, until))

    def end():
        looks.stop()
        output.update(picture(words, "no longer live"))

    words = read()
    output, looks = display(picture(words, until), display_id=True), PeriodicCallback(look, LOOKS)
    looks.start()
    _ends.append(end)
