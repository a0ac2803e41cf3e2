"""Ends a student's code after some seconds, whatever it does to go on.

A signal raises TooLong in it. `except Exception: pass` lets a BaseException through. Code that
catches everything gets it again and again at random moments, and soon one of these is outside of
its `try`. The kit's own code, above all its cleaning up, is never interrupted."""

import ctypes
import os
import random
import signal
import sys
import time

SECOND_TRY = 0.5  # seconds, in which methods of the kit that the code called stop the IOP
NEXT_TRY = 1e-4  # seconds at most; a `pass` after an `except` takes a hundredth of that
REPEAT = 0.01  # seconds; a signal that comes just before a wait begins does not end it
THREADS_MAY_TAKE = 1.0  # seconds, after the code that started them


class TooLong(BaseException):
    """The time is over."""


class Deadly(BaseException):
    """The student's code called what would have ended the kernel."""


class Limit:
    """A context that gives a student's code some seconds, in the main thread. It raises TooLong.

    Args:
        answers: what the student wrote: functions, and other things, which do not matter here.

    Attributes:
        threads: afterwards, those that the code started and that had to be ended.
    """

    def __init__(self, seconds, answers):
        self._seconds, self._tries, self._over, self.threads = seconds, 0, False, []
        names = [answer.__globals__ for answer in answers if hasattr(answer, "__globals__")]
        self._students = [vars(sys.modules["__main__"])] + names
        self._deadly = {name: getattr(os, name) for name in ("_exit", "abort")}

    def __enter__(self):
        self._outside = sys._getframe(1)
        self._earlier = set(sys._current_frames())  # threads
        vars(os).update({name: _refusal(end) for name, end in self._deadly.items()})
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._timer = signal.setitimer(signal.ITIMER_REAL, self._seconds, REPEAT)

    def __exit__(self, *error):
        self._over = True
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            signal.setitimer(signal.ITIMER_REAL, *self._timer)  # somebody else's goes on
            self._end_threads()
        finally:
            vars(os).update(self._deadly)
            self._outside = None  # its frame knows this object and the student's buffers

    def _ring(self, number, frame):
        if not self._over and self._runs_students_code(frame):
            self._tries += 1
            wait = SECOND_TRY if self._tries == 1 else random.uniform(1e-6, NEXT_TRY)
            signal.setitimer(signal.ITIMER_REAL, wait, REPEAT)
            raise TooLong()

    def _runs_students_code(self, frame):
        """Whether a frame is a student's, or was called by one."""
        while frame is not None and frame is not self._outside:
            if any(frame.f_globals is names for names in self._students):
                return True
            frame = frame.f_back
        return False

    def _end_threads(self):
        ends = time.monotonic() + THREADS_MAY_TAKE
        while self._running() and time.monotonic() < ends:
            time.sleep(0.01)
        self.threads = self._running()
        ends = time.monotonic() + THREADS_MAY_TAKE
        while self._running() and time.monotonic() < ends:
            for thread in map(ctypes.c_ulong, self._running()):
                # SystemExit ends a thread without a word
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(SystemExit))
            time.sleep(0.001)

    def _running(self):
        """The student's threads. A variable with the frames would keep the student's buffers."""
        return [
            thread
            for thread, frame in sys._current_frames().items()
            if thread not in self._earlier and self._runs_students_code(frame)
        ]


def _refusal(end):
    """A function in place of one that ends the process: it refuses to, in this process alone."""
    kernel = os.getpid()

    def refuse(*status):
        if os.getpid() != kernel:  # a process that was forked may end so
            return end(*status)
        raise Deadly(f"os.{end.__name__}() ends the whole kernel")

    return refuse
