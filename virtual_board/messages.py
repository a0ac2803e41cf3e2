"""The virtual board's own messages about a student's device or program, and about its limits."""

import _thread
import sys
import threading


def tell(text):
    """Writes text to standard error, for the cell that runs now, and returns when it is written.

    A kernel shows a thread's output below the cell that started the thread, and nobody looks at the
    one that downloaded the overlay. Output of a thread that the kernel does not know goes to the
    current cell."""
    written = threading.Event()

    def write():
        try:
            sys.stderr.write(text)
        finally:
            written.set()

    _thread.start_new_thread(write, ())
    written.wait(1)


def missing(what):
    """The sentence that the virtual board has no such part, as "video"."""
    return f"The virtual board has no {what}: use it on a board."
