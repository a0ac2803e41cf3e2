"""The virtual board's own messages about a student's device or program, and about its limits."""

import _thread
import sys
import threading
import traceback

FAILED = object()  # stands for the result of a student's method that raised an exception


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


def of_a_students_code(error, caller):
    """(what identifies the place of an error in a student's code, its traceback as text).

    Args:
        caller: The file that called that code, whose own frames are left out."""
    within = error.__traceback__
    while within is not None and within.tb_frame.f_code.co_filename == caller:
        within = within.tb_next
    trace = "".join(traceback.format_exception(type(error), error, within))
    return (type(error), within and within.tb_lineno), trace


def missing(what):
    """The sentence that the virtual board has no such part, as "video"."""
    return f"The virtual board has no {what}: use it on a board."
