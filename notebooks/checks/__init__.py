"""What the exercises' checks share.

    @says("the buffer counts down, whatever its length.")
    def write(count_down):
        case = Case("count_down(buffer, 5) with 3 words", "5, 4, 3", "Each word is one less.")
        case.of(count_down, buffer, 5)
        case.holds(buffer.tolist() == [5, 4, 3], "the buffer holds 5, 4, 4")

A check shows a verdict, whose text begins with "Right: " or with "Not yet: ". It is about what the
answer's cell says now (runs.py). A check never raises, not even if the answer does, and it ends,
even if the answer does not. (limit.py says how. It cannot end a call into a C library that does not
return.)"""

import contextlib
import dis
import functools
import html
import inspect
import numbers
import re
import reprlib

import numpy as np
from IPython.display import display
from pynq.buffer import PynqBuffer

from iop.buffers import is_allocated
from iop.verdicts import NOT_TRIED, NOT_YET, RIGHT, UNTOUCHED
from iop.xlnk import Xlnk

from . import runs
from .limit import TooLong, limited, names_of

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

GIVEN = "iop", "microblaze", "buffer", "mb_info"  # parameters that are no answers, if others are
EXERCISES = {}  # {a check's module: {its name: (state, answers' names, number of runs then)}}
# A verdict in more than its colour; these two can be seen on white and on black.
LOOKS = {RIGHT: ("\u2714", "solid #2e9e4f"), NOT_YET: ("\u2718", "dashed #d9822b")}

STOPPED = (
    "the check could not judge this answer ({}). Is it of the kind that the text asks for? If so,"
    " tell your instructor."
)

_short = reprlib.Repr()
_short.maxother = _short.maxstring = 60  # characters
_short.maxlist = _short.maxtuple = 4
shown = _short.repr  # a value in a sentence, cut off where it gets long


class Wrong(Exception):
    """What is wrong with an answer.

    Attributes:
        details: lines to show below the verdict.
    """

    details = ""


class Untouched(Wrong):
    """The answer is what the notebook came with."""

    def __init__(self):
        super().__init__(UNTOUCHED.partition(": ")[2])


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
        except TooLong as error:
            seconds = (error.args or [LIMIT])[0]
            came = f"your code had not ended after {seconds} s, as if it waited for something"
        except BaseException as error:  # SystemExit too
            if isinstance(error, raises):
                return raises
            came = raised(error, names_of([function]))
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


class Verdict:
    """What a check shows: text for a terminal and for make report, HTML for a notebook."""

    def __init__(self, state, text, details=""):
        self._state, self._text, self._details = state, text.replace("\n", " "), details

    def __repr__(self):
        return f"{self._state.capitalize()}: {self._text}\n{self._details}".rstrip()

    def _repr_html_(self):
        symbol, line = LOOKS[self._state]
        verdict = f"<strong>{symbol} {self._state.capitalize()}:</strong> {html.escape(self._text)}"
        details = f"<pre>{html.escape(self._details)}</pre>" if self._details else ""
        style = f"border-left: 4px {line}; padding-left: 0.6em"
        return f'<div style="{style}">{verdict}{details}</div>'


class Summary:
    """The state of a notebook's exercises. exercises: [(name, state), ...]"""

    def __init__(self, exercises):
        self._exercises = exercises

    def __repr__(self):
        return "\n".join(f"{name.capitalize()}: {state}" for name, state in self._exercises)

    def _repr_html_(self):
        lines = []
        for name, state in self._exercises:
            symbol, _ = LOOKS.get(state, ("\u25cb", ""))
            state = f"<strong>{symbol} {state}</strong>" if state in LOOKS else f"{symbol} {state}"
            lines.append(f"<div>{name.capitalize()}: {state}</div>")
        return "".join(lines)


def says(right, as_it_came=None):
    """Makes a check of a function that raises Wrong, or returns if all is right. Its module gets
    summary(), which lists all checks of the module.

    Args:
        right: what the student has shown then, as one sentence.
        as_it_came: a pattern of what the answer's cell has before anybody has changed it, where
            that is more than `...`.
    """

    def decorate(function):
        module, name = function.__module__, function.__name__
        parameters = list(inspect.signature(function).parameters)
        names = [one for one in parameters if one not in GIVEN] or parameters[-1:]
        EXERCISES.setdefault(module, {})[name] = NOT_TRIED, [], 0
        function.__globals__.setdefault("summary", functools.partial(_summary, module))

        @functools.wraps(function)
        def check(*answers):
            by_name = dict(zip(parameters, answers))
            # A program in C has the name of its file.
            called = [str(by_name.get(one)) if one == "source" else one for one in names]
            try:
                _judge(function, parameters, answers, called)
                state, verdict = RIGHT, Verdict(RIGHT, right)
            except Wrong as wrong:  # whose traceback has this frame: no variable may keep it
                came = as_it_came and re.search(as_it_came, runs.last_answer())
                state = NOT_TRIED if came or isinstance(wrong, Untouched) else NOT_YET
                text = str(wrong) if state == NOT_YET else str(Untouched())
                verdict = Verdict(NOT_YET, text, wrong.details if state == NOT_YET else "")
            EXERCISES[module][name] = state, called, len(runs.RUNS)
            display(verdict)

        return check

    return decorate


def _summary(module):
    """Shows for each exercise whether it is right, not yet right, or was not tried."""
    exercises = []
    for name, (state, called, runs_then) in EXERCISES[module].items():
        if any(run.makes(answer) for answer in called for run in runs.RUNS[runs_then:]):
            state = "its cell has run since the check: run the check again"
        exercises.append((name, state))
    display(Summary(exercises))


def _judge(function, parameters, answers, called):
    if len(parameters) != len(answers):
        raise Wrong(OLD)
    for doubt in filter(None, (runs.doubt(name, by_use=name in GIVEN) for name in called)):
        raise Wrong(doubt)
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
        if _line(error, names_of(answers)):
            raise Wrong(f"{raised(error, names_of(answers))}.") from None
        raise Wrong(STOPPED.format(_told(error))) from None


def raised(error, students):
    """A clause about an exception, with the last line of the student's that it came by.

    Args:
        students: the student's global names, as names_of() gives them.
    """
    line = _line(error, students)
    if not line:  # such as a call with the wrong number of arguments
        return f"the call raised {_told(error)}"
    return f"your code raised {_told(error)} (in line {line} of its cell)"


def _told(error):
    return type(error).__name__ + f": {error}".rstrip(".: ")


def _line(error, students):
    """The number of the last line of the student's that an exception came by, or None."""
    at, line = error.__traceback__, None
    while at:
        if any(at.tb_frame.f_globals is names for names in students):
            line = at.tb_lineno
        at = at.tb_next
    return line


def is_untouched(answer):
    """Whether it is the `...` that the notebook came with, or a function that does nothing."""
    came = _steps(_nothing), _steps(_nothing_async)
    return answer is ... or hasattr(answer, "__code__") and _steps(answer) in came


def _steps(function):
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


def _nothing(): ...


async def _nothing_async(): ...
