"""Pulses that devices send to an IOP, by the clock with which its program measures them."""

import time

HZ = 100 * 10**6
BEGINS = HZ // 5000  # ticks from the first look at a timer until a pulse begins
STEP = HZ // 100000  # ticks: the most that a count goes on from one read to the next meanwhile
PATIENCE = 0.05  # seconds that a pulse waits for a program that reads a timer


class Pulses:
    """A program measures a pulse by reading a timer's count and the pin in turn, which takes a
    thousand times longer here than on a board. So while a pulse is on its way, the timers go on by
    10 us at most from one read of a count to the next, and the count stops at each edge until it
    was read: the program finds the exact length. For a program that reads no timer, a pulse begins
    after 50 ms, and lasts as long by the PC's clock.

    Ticks are of 10 ns, since the zero of time.monotonic(). Only the thread that serves the IOP
    calls methods."""

    def __init__(self):
        self._waiting = []  # [(function to call with the level, ticks it lasts, when it was sent)]
        self._edge = self._level = self._by_timer = None  # the next edge of the first pulse

    def send(self, drive, ticks):
        """Sends a pulse after those before it. drive: a function that takes the pin's level."""
        self._waiting.append((drive, ticks, time.monotonic()))

    def clear(self):
        """Forgets those that are on their way. One that has begun ends now."""
        if self._edge is not None and not self._level:
            self._waiting[0][0](0)
        self._waiting, self._edge = [], None

    @property
    def deadline(self):
        """When catch_up() will have something to do, by time.monotonic(), or None."""
        if not self._waiting or self._edge is not None and self._by_timer:
            return None
        return self._waiting[0][2] + PATIENCE if self._edge is None else self._edge / HZ

    def catch_up(self):
        """Carries out the edge that is due by the PC's clock."""
        deadline = self.deadline
        if deadline is not None and deadline <= time.monotonic():
            if self._edge is None:
                self._begin(int(time.monotonic() * HZ), by_timer=False)
            self._pass()

    def until(self, shown, now):
        """The tick of the count that a program will read next.

        Args:
            shown: That of the one it has just read.
            now: Of the PC's clock."""
        if not self._waiting:
            return now
        if self._edge is None:
            self._begin(shown + BEGINS, by_timer=True)
        if self._by_timer and self._edge <= shown:
            self._pass()
        if not self._waiting or self._edge is None or not self._by_timer:
            return now
        return min(now, shown + STEP, self._edge)

    def _begin(self, tick, by_timer):
        self._edge, self._level, self._by_timer = tick, 1, by_timer

    def _pass(self):
        drive, ticks, _ = self._waiting[0]
        level, self._level = self._level, 0
        self._edge += ticks
        if not level:
            del self._waiting[0]
            self._edge = None
        drive(level)
