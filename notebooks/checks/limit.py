"""Ends a student's code after some seconds.

A signal raises TooLong in it. `except Exception: pass` lets a BaseException through. Code that
catches everything gets it again and again at random moments, and soon one of these is outside of
its `try`. The kit's own code, above all its cleaning up, is never interrupted."""

import itertools
import random
import signal
import sys

SECOND_TRY = 0.5  # seconds, in which methods of the kit that the code called stop the IOP
NEXT_TRY = 1e-4  # seconds at most; a `pass` after an `except` takes a hundredth of that
REPEAT = 0.01  # seconds; a signal that comes just before a wait begins does not end it


class TooLong(BaseException):
    """The time is over."""


def names_of(answers):
    """The global names of what a student wrote, by which its frames are known."""
    students = [answer.__globals__ for answer in answers if hasattr(answer, "__globals__")]
    return [*students, vars(sys.modules["__main__"])]


def limited(seconds, function, answers):
    """Calls function(*answers), in the main thread, and ends a student's code in it after a time.

    Args:
        answers: what the student wrote: functions, and other things, which do not matter here.

    Raises:
        TooLong: if the code was ended.
    """
    students = names_of(answers)
    tries = itertools.count()

    def ring(number, frame):
        while frame.f_code is not limited.__code__:
            if any(frame.f_globals is names for names in students):
                wait = random.uniform(1e-6, NEXT_TRY) if next(tries) else SECOND_TRY
                signal.setitimer(signal.ITIMER_REAL, wait, REPEAT)
                raise TooLong
            frame = frame.f_back

    before = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT)
    try:
        function(*answers)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)  # somebody else's goes on
