"""One core for a QEMU and the thread that serves it, while the processor stops again and again: the
two take turns, and on one core no other has to be woken up for each turn."""

import ctypes
import os


class OneCore:
    """For the thread that serves a QEMU. Does nothing on another system than Linux."""

    def __init__(self):
        self._before = {}  # number of a thread: the cores on which it may run

    def enter(self, pid):
        """Has all threads of the process with this number, and this thread, stay on the core on
        which this thread runs."""
        try:
            core = {ctypes.CDLL(None).sched_getcpu()}
            threads = [0, *map(int, os.listdir(f"/proc/{pid}/task"))]
            self._before = {thread: os.sched_getaffinity(thread) for thread in threads}
            for thread in threads:
                os.sched_setaffinity(thread, core)
        except (AttributeError, OSError):  # another system, or the process has ended
            self.leave()

    def leave(self):
        """They may run again where they could before."""
        before, self._before = self._before, {}
        for thread, cores in before.items():
            try:
                os.sched_setaffinity(thread, cores)
            except OSError:  # it has ended
                pass
