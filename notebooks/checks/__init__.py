"""What the exercises' checks share.

    @says("the buffer counts down, whatever its length.")
    def write(count_down):
        case = Case("count_down(buffer, 5) with 3 words", "5, 4, 3", "It leaves data, data - 1, data
        - 2, ... .")
        case.of(count_down, buffer, 5)
        ...
        raise case.wrong("the buffer holds 5, 4, 4")

A check prints one line, which begins with "Right: " or with "Not yet: ". It never raises, not even
if the answer does, and it ends, even if the answer does not. (limit.py says how. It cannot end a
call into a C library that does not return.)"""

import contextlib
import dis
import functools
import inspect
import math
import numbers
import reprlib
import threading

from pynq.buffer import PynqBuffer

from iop.buffers import is_allocated
from iop.xlnk import Xlnk

from .limit import Limit, TooLong

LIMIT = 30  # seconds

_short = reprlib.Repr()
_short.maxother = _short.maxstring = 60  # characters
_short.maxlist = _short.maxtuple = 4
shown = _short.repr  # a value in a sentence, cut off where it gets long


class Wrong(Exception):
    """What is wrong with an answer; a Case puts the sentences together."""


class Case:
    """One case that a check tries, so that all that it says of an answer has the same four
    parts."""

    def __init__(self, tried, expected, rule):
        """tried: what was asked for; expected: what should have come; rule: why, as a sentence of
        its own."""
        self._tried, self._expected, self._rule = tried, expected, rule

    def wrong(self, came):
        """The Wrong to raise. came: what came, as a clause."""
        return Wrong(
            "{}: {}. Expected: {}. {}".format(
                self._tried, came.rstrip("?"), self._expected, self._rule
            )
        )

    def of(self, function, *given, raises=None):
        """What the student's function returns. Wrong if it raises, or does not end.

        raises: the exception that it should raise: then that is what is returned
        """
        try:
            return function(*given)
        except KeyboardInterrupt:  # the stop button
            raise
        except TooLong:
            came = (
                f"your code had not ended after {LIMIT} s, as if it waited for something that never"
                " comes"
            )
        except BaseException as error:  # SystemExit too
            if raises and isinstance(error, raises):
                return raises
            came = _raised(error, getattr(function, "__globals__", None))
        raise self.wrong(came)


@contextlib.contextmanager
def allocated(shape, dtype, cacheable=0):
    """A buffer for the block of a `with` statement. pynq's own buffers do for a `with` too, but
    with 2.5 their block ends with an error, and with 2.7 what pynq.allocate() handed out stays
    allocated."""
    buffer = Xlnk().cma_array(shape, dtype, cacheable)
    try:
        yield buffer
    finally:
        buffer.freebuffer()


def count(number, noun):
    """As in "1 word" and "2,000 words"."""
    return "{:,} {}{}".format(number, noun, "" if number == 1 else "s")


def whole(value):
    """A whole number as an int, also if it came as 768.0 from a division. None if it is something
    else."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not math.isfinite(value)
        or value != int(value)
    ):
        return None
    return int(value)


def is_buffer(value):
    """Whether it is a buffer that is allocated now, and not a part of one, nor a copy."""
    return isinstance(value, PynqBuffer) and is_allocated(value)


def says(right):
    """Makes a check of a function that raises Wrong or returns: then all is right. right: what the
    student has shown then, as one sentence. A check may be called from the main thread alone, as a
    cell is."""

    def decorate(function):
        @functools.wraps(function)
        def check(*answers):
            print(" ".join(_verdict(function, answers, right).split("\n")))

        return check

    return decorate


def _verdict(function, answers, right):
    try:
        inspect.signature(function).bind(*answers)
    except TypeError:
        return (
            "Not yet: this cell is not the one that the check knows: it may be of an older edition."
            " Copy it anew from the notebook's new edition, which is in the same folder."
        )
    if any(map(_is_untouched, answers)):
        return "Not yet: fill in the cell above, then run both again."
    for name, answer in zip(inspect.signature(function).parameters, answers):
        if answer is None:
            return (
                f"Not yet: {name} is None, which is what a call returns that only does something,"
                f" like write_to_buffer: `{name} = ` in front of it loses what {name} was. Run the"
                f" cell again that first gave {name} a value, and then the call without `{name}"
                " = `."
            )
    if threading.current_thread() is not threading.main_thread():
        return "Not yet: a check cannot run in a thread; call it from a cell."
    limit = Limit(LIMIT, answers)
    try:
        with limit:
            function(*answers)
    except KeyboardInterrupt:  # the stop button
        raise
    except Wrong as wrong:
        return f"Not yet: {wrong}"
    except TooLong:
        return (
            f"Not yet: your code had not ended after {LIMIT} s; does it wait for something that"
            " never comes?"
        )
    except BaseException as error:  # SystemExit too
        return f"Not yet: {_raised(error)}."
    if limit.threads:
        return "Not yet: your code had ended, but a thread that it started had not."
    return f"Right: {right}"


def _raised(error, students=None):
    """A clause about an exception, with the last line of the student's that it came by. students:
    their global names"""
    try:
        text = f": {error}".rstrip(".: ")
    except Exception:  # an exception of the student's may be unable to say what it is
        text = ""
    at, line = error.__traceback__, None
    while at:
        if at.tb_frame.f_globals is students:
            line = at.tb_lineno
        at = at.tb_next
    return "your code raised {}{}{}".format(
        type(error).__name__, text, f" (in line {line} of its cell)" if line else ""
    )


def _is_untouched(answer):
    """Whether it is the `...` that the notebook came with, or a function that does nothing."""
    return answer is ... or hasattr(answer, "__code__") and _steps(answer) == _steps(_nothing)


def _steps(function):
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


def _nothing(): ...
