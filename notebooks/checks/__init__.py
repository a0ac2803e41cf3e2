"""What the exercises' checks share.

    @says("the buffer counts down, whatever its length.")
    def write(count_down):
        ...  # raises Wrong("it is one word short.")

A check prints one line, which begins with "Right: " or with "Not yet: ". It never raises, not even if the answer does, and it
ends, even if the answer does not. (limit.py says how. What nothing ends is one call of a C library that does not return.)
"""

import contextlib
import dis
import functools
import threading

from iop.xlnk import Xlnk

from .limit import Limit, TooLong

LIMIT = 30  # seconds


class Wrong(Exception):
    """What is wrong with an answer, as one sentence."""


@contextlib.contextmanager
def allocated(shape, dtype, cacheable=0):
    """A buffer for the block of a `with` statement. pynq's own buffers do for a `with` too, but with 2.5 their block ends with an
    error, and with 2.7 what pynq.allocate() handed out stays allocated."""
    buffer = Xlnk().cma_array(shape, dtype, cacheable)
    try:
        yield buffer
    finally:
        buffer.freebuffer()


def says(shown):
    """Makes a check of a function that raises Wrong, or lets the student's exception escape, or returns: then all is
    right. shown: what the student has shown then, as one sentence. A check may be called from the main thread alone, as a cell
    is."""
    def decorate(function):
        @functools.wraps(function)
        def check(*answers):
            print(" ".join(_verdict(function, answers, shown).split("\n")))
        return check
    return decorate


def _verdict(function, answers, shown):
    if any(map(_is_untouched, answers)):
        return "Not yet: fill in the cell above, then run both again."
    if threading.current_thread() is not threading.main_thread():
        return "Not yet: a check cannot run in a thread; call it from a cell."
    limit = Limit(LIMIT, answers)
    try:
        with limit:
            function(*answers)
    except KeyboardInterrupt:  # the stop button
        raise
    except Wrong as wrong:
        return "Not yet: {}".format(wrong)
    except TooLong:
        return "Not yet: your code had not ended after {} s; does it wait for something that never comes?".format(LIMIT)
    except BaseException as error:  # SystemExit too
        return "Not yet: your code raised {}{}".format(type(error).__name__, _text(error))
    if limit.threads:
        return "Not yet: your code had ended, but a thread that it started had not."
    return "Right: {}".format(shown)


def _text(error):
    try:
        return ": {}".format(error)
    except Exception:  # an exception of the student's may be unable to say what it is
        return ""


def _is_untouched(answer):
    """Whether it is the `...` that the notebook came with, nothing at all, or a function that does nothing."""
    return answer is ... or answer is None or hasattr(answer, "__code__") and _steps(answer) == _steps(_nothing)


def _steps(function):
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


def _nothing():
    ...
