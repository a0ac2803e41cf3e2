"""Ends a student's code after some seconds, whatever it does to go on.

A signal raises TooLong in it. It derives from BaseException, not from Exception, so `except
Exception: pass` lets it through. Code that catches all there is has it raised again and again at
random moments, and soon one of these is outside of its `try`. What the kit itself does meanwhile,
above all cleaning up behind the student's code, is never interrupted."""

import ctypes
import os
import random
import signal
import sys
import time

SECOND_TRY = 0.5  # seconds, in which the kit's methods that the code has called stop the IOP
# seconds at most to each of the tries after it; a `pass` after an `except` takes a hundredth of
# that
NEXT_TRY = 1e-4
# seconds; a signal that comes just before a wait begins does not end it, so more of them follow
REPEAT = 0.01
# seconds that threads of the student's may go on after the code that started them
THREADS_MAY_TAKE = 1.0
DEADLY = "_exit", "abort"  # what of `os` would end the kernel


class TooLong(BaseException):
    """The time is over."""


class Deadly(BaseException):
    """What the student's code wanted to do to the kernel."""


class Limit:
    """A context, in which student's code is given some seconds. TooLong: it had not ended. Main
    thread only.

    threads: afterwards, those that the student's code started and that had to be ended
    """

    def __init__(self, seconds, answers):
        """answers: what the student wrote: functions, and other things, which do not matter
        here."""
        self._seconds, self._tries, self._over, self.threads = seconds, 0, False, []
        main = sys.modules["__main__"]
        self._students = [vars(main)] + [
            answer.__globals__ for answer in answers if hasattr(answer, "__globals__")
        ]

    def __enter__(self):
        self._outside = sys._getframe(1)
        self._earlier = set(sys._current_frames())  # threads
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._deadly = []  # (the names of a module, one of them, the function of that name)
        for name in DEADLY:
            function = getattr(os, name)
            # `from os import _exit` is a student's own name for it
            for names in [vars(os)] + self._students:
                self._deadly += [
                    (names, bound, function) for bound, value in names.items() if value is function
                ]
        for names, bound, function in self._deadly:
            names[bound] = self._refusal(function)
        self._began = time.monotonic()
        # somebody else's goes on afterwards
        self._timer = signal.setitimer(signal.ITIMER_REAL, self._seconds, REPEAT)

    def __exit__(self, *error):
        self._over = True
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            if self._timer[0]:
                left = self._timer[0] - (time.monotonic() - self._began)
                signal.setitimer(signal.ITIMER_REAL, max(left, REPEAT), self._timer[1])
            self._end_threads()
        finally:
            for names, bound, function in self._deadly:
                names[bound] = function
            # a frame that knows this object, and the student's buffers: together they would stay
            self._outside = None

    @staticmethod
    def _refusal(function):
        kernel = os.getpid()

        def refuse(*status):
            if os.getpid() != kernel:  # a process that was forked may well end so
                return function(*status)
            raise Deadly(f"os.{function.__name__}() ends the whole kernel")

        return refuse

    def _ring(self, number, frame):
        if self._over or not self._runs_students_code(frame):
            return
        self._tries += 1
        signal.setitimer(
            signal.ITIMER_REAL,
            SECOND_TRY if self._tries == 1 else random.uniform(1e-6, NEXT_TRY),
            REPEAT,
        )
        raise TooLong()

    def _runs_students_code(self, frame):
        """Whether a frame is a student's, or was called by one."""
        while frame is not None and frame is not self._outside:
            if any(frame.f_globals is students for students in self._students):
                return True
            frame = frame.f_back
        return False

    def _end_threads(self):
        """Ends what the student's code left running."""
        deadline = time.monotonic() + THREADS_MAY_TAKE
        while self._running() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.threads = self._running()
        deadline = time.monotonic() + THREADS_MAY_TAKE
        while self._running() and time.monotonic() < deadline:
            for thread in self._running():
                # SystemExit ends a thread without a word.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(SystemExit)
                )
            time.sleep(0.001)

    def _running(self):
        return [
            thread
            for thread, frame in sys._current_frames().items()
            if thread not in self._earlier and self._runs_students_code(frame)
        ]
