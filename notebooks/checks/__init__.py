"""What the exercises' checks share.

    @says("the buffer counts down, whatever its length.")
    def write(count_down):
        case = Case("count_down(buffer, 5) with 3 words", "5, 4, 3", "Each word is one less.")
        case.of(count_down, buffer, 5)
        case.holds(buffer.tolist() == [5, 4, 3], "the buffer holds 5, 4, 4")

A check prints one line, which begins with "Right: " or with "Not yet: ". It never raises, not even
if the answer does, and it ends, even if the answer does not. (limit.py says how. It cannot end a
call into a C library that does not return.)"""

import contextlib
import dis
import functools
import inspect
import numbers
import reprlib

import numpy as np
from pynq.buffer import PynqBuffer

from iop.buffers import is_allocated
from iop.xlnk import Xlnk

from .limit import TooLong, limited

LIMIT = 30  # seconds
OLD = (
    "this cell is not the one that the check knows: it may be of an older edition. Copy it anew"
    " from the notebook's new edition, which is in the same folder."
)
LOST = (
    "{0} is None, as after a call that returns nothing, like write_to_buffer: `{0} = ` in front of"
    " it loses what {0} was. Run the cell again that first gave {0} a value, and then the call"
    " without `{0} = `."
)

_short = reprlib.Repr()
_short.maxother = _short.maxstring = 60  # characters
_short.maxlist = _short.maxtuple = 4
shown = _short.repr  # a value in a sentence, cut off where it gets long


class Wrong(Exception):
    """What is wrong with an answer."""


class Untouched(Wrong):
    """The answer is what the notebook came with."""

    def __init__(self):
        super().__init__("fill in the cell above, then run both again.")


class Case:
    """One case that a check tries. All that it says of an answer has the same four parts.

    Args:
        tried: what was asked for.
        expected: what should have come.
        rule: why, as a sentence of its own.
    """

    def __init__(self, tried, expected, rule):
        self._tried, self._expected, self._rule = tried, expected, rule

    def wrong(self, came):
        """The Wrong to raise. came: what came, as a clause."""
        came = came.rstrip("?")
        return Wrong(f"{self._tried}: {came}. Expected: {self._expected}. {self._rule}")

    def holds(self, condition, came):
        """Raises Wrong if the condition does not hold."""
        if not condition:
            raise self.wrong(came)

    def of(self, function, *given, raises=()):
        """Returns what the student's function returns. Raises Wrong if that raises, or has no end.

        Args:
            raises: the exceptions that it should raise; then the result is `raises` itself.
        """
        try:
            return function(*given)
        except KeyboardInterrupt:  # the stop button
            raise
        except TooLong:
            came = f"your code had not ended after {LIMIT} s, as if it waited for something"
        except BaseException as error:  # SystemExit too
            if isinstance(error, raises):
                return raises
            came = raised(error, getattr(function, "__globals__", None))
        raise self.wrong(came)


@contextlib.contextmanager
def allocated(shape, dtype, cacheable=0):
    """A buffer for a `with` block. pynq's own fail there with 2.5, and with 2.7 stay allocated."""
    buffer = Xlnk().cma_array(shape, dtype, cacheable)
    try:
        yield buffer
    finally:
        buffer.freebuffer()


def compare(tried, words, expected, rule):
    """Raises Wrong for the first word that is not as expected."""
    words = words.ravel().astype(np.int64)
    for word in np.flatnonzero(words != expected)[:1]:
        raise Case(tried, f"{expected[word]} there", rule).wrong(f"word {word} is {words[word]}")


def count(number, noun):
    """As in "1 word" and "2,000 words"."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def whole(value):
    """A whole number as an int, also if it is 768.0. None if the value is something else."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return int(value) if number and value % 1 == 0 else None


def is_buffer(value):
    """Whether it is a buffer that is allocated now, and not a part of one, nor a copy."""
    return isinstance(value, PynqBuffer) and is_allocated(value)


def says(right):
    """Makes a check of a function that raises Wrong, or returns if all is right.

    Args:
        right: what the student has shown then, as one sentence.
    """

    def decorate(function):
        @functools.wraps(function)
        def check(*answers):
            try:
                _judge(function, answers)
                print("Right:", right)
            except Wrong as wrong:
                print("Not yet:", str(wrong).replace("\n", " "))

        return check

    return decorate


def _judge(function, answers):
    parameters = inspect.signature(function).parameters
    if len(parameters) != len(answers):
        raise Wrong(OLD)
    if any(map(is_untouched, answers)):
        raise Untouched
    for name, answer in zip(parameters, answers):
        if answer is None:
            raise Wrong(LOST.format(name))
    try:
        limited(LIMIT, function, answers)
    except (KeyboardInterrupt, Wrong):  # the first is the stop button
        raise
    except TooLong:
        raise Wrong(
            f"your code had not ended after {LIMIT} s; does it wait for something?"
        ) from None
    except BaseException as error:  # SystemExit too
        raise Wrong(f"{raised(error)}.") from None


def raised(error, students=None):
    """A clause about an exception, with the last line of the student's that it came by.

    Args:
        students: the student's global names.
    """
    text = f": {error}".rstrip(".: ")
    at, line = error.__traceback__, ""
    while at:
        if at.tb_frame.f_globals is students:
            line = f" (in line {at.tb_lineno} of its cell)"
        at = at.tb_next
    return f"your code raised {type(error).__name__}{text}{line}"


def is_untouched(answer):
    """Whether it is the `...` that the notebook came with, or a function that does nothing."""
    return answer is ... or hasattr(answer, "__code__") and _steps(answer) == _steps(_nothing)


def _steps(function):
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


def _nothing(): ...
