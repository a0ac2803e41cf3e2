"""AXI Timer (PG079): two counters of 32 bits, at 100 MHz."""

import time

from .peripheral import Peripheral

HZ = 100 * 10**6
AHEAD = HZ // 2000  # ticks that an event may be ahead of the PC's clock, as nothing wakes in time for half a millisecond
BEHIND = HZ // 50  # ticks within which a program that sets up both counters counts as having done so at once
ALL = 2**32 - 1


class _Counter:
    start = since = 0  # it counts from this value, since this tick
    due = None  # the tick of its next event: it expires, or captures an edge
    halted = False  # it has expired, and is not to begin anew


class Timer(Peripheral):
    """Events come in their exact order and at exact ticks, each when the PC's clock is about there. While a captured edge waits
    for the program to acknowledge it, time stands still for both counters, so that no edge is lost however slow the
    emulation is. A read of TCR0 or TCR1 gives the count at the access before.

    capture_period: a function that gives the ticks between rising edges on the capture pin, 0 if there are none
    """

    NAME = "AXI Timer"
    TCSR0, TLR0, TCR0, TCSR1, TLR1, TCR1 = 0x00, 0x04, 0x08, 0x10, 0x14, 0x18
    WRITTEN = TCSR0, TCSR1
    READ = TCR0, TCR1

    # TCSR0 and TCSR1
    MDT, UDT, GENT, CAPT, ARHT, LOAD = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
    ENIT, ENT, TINT, PWMA, ENALL, CASC = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800

    def __init__(self, words, base, not_modelled, capture_period, clock=time.monotonic):
        super().__init__(words, base, not_modelled)
        self._capture_period, self._clock = capture_period, clock

    def reset(self):
        self._began, self._now = self._clock(), 0
        self._counters = _Counter(), _Counter()
        self._status = [0, 0]  # TCSR0 and TCSR1, as they were before the processor wrote to them
        for offset in (self.TCSR0, self.TLR0, self.TCR0, self.TCSR1, self.TLR1, self.TCR1):
            self[offset] = 0

    @property
    def pwm(self):
        """(period, high time) of the signal PWM0 in ticks, or None while there is none."""
        wanted = self.PWMA | self.GENT | self.ENT
        if any(status & (wanted | self.MDT) != wanted for status in self._status):
            return None
        return self._span(0, self[self.TLR0]), self._span(1, self[self.TLR1])

    @property
    def deadline(self):
        """When catch_up() will have something to do, in seconds as time.monotonic() counts them. None: not before another write."""
        due = self._next()[0]
        return None if due is None else self._began + (due - AHEAD) / HZ

    def catch_up(self):
        """Lets happen what is due."""
        due, number = self._next()
        while due is not None and due - AHEAD <= self._ticks():
            self._now = due
            self._happen(number)
            due, number = self._next()

    def written(self, offset, value):
        for bit, name in ((self.ENIT, "TCSR.ENIT"), (self.CASC, "TCSR.CASC")):
            if value & bit:
                self.lacks(name)
        if not self._holds_an_edge():
            ticks, due = self._ticks(), self._next()[0]
            if due is None:
                self._now = max(self._now, ticks)
            elif ticks - self._now > BEHIND:
                self._now = min(ticks, due)  # what has not happened yet comes after this write
        number = offset // self.TCSR1
        self._control(number, value & ~self.TINT | self._status[number] & ~value & self.TINT)
        if value & self.ENALL:
            self._control(1 - number, self._status[1 - number] | self.ENT)
        self.catch_up()

    def was_read(self, offset):
        self[offset] = self._count(offset // self.TCSR1, max(self._now, self._ticks()))

    def _ticks(self):
        return int((self._clock() - self._began) * HZ)

    def _load_register(self, number):
        return self[self.TLR1 if number else self.TLR0]

    def _control(self, number, status):
        counter = self._counters[number]
        counter.start, counter.since = self._count(number, self._now), self._now
        self._status[number] = self[self.TCSR1 * number] = status
        if status & self.LOAD:
            counter.start = self._load_register(number)
        if status & self.LOAD or not status & self.ENT:
            counter.halted = False
        counter.due = self._due(number)
        self[self.TCSR1 * number + self.TCR0] = counter.start

    def _runs(self, number):
        return self._status[number] & (self.ENT | self.LOAD) == self.ENT and not self._counters[number].halted

    def _span(self, number, start):
        """Ticks from a value to the end of the count."""
        return (start if self._status[number] & self.UDT else ALL - start) + 2

    def _count(self, number, tick):
        counter, status = self._counters[number], self._status[number]
        if not self._runs(number):
            return counter.start
        start, elapsed = counter.start, tick - counter.since
        if status & self.ARHT and not status & self.MDT and elapsed >= self._span(number, start):
            elapsed -= self._span(number, start)
            start = self._load_register(number)
            elapsed %= self._span(number, start)
        return start + (-elapsed if status & self.UDT else elapsed) & ALL

    def _due(self, number):
        status, counter = self._status[number], self._counters[number]
        if not self._runs(number) or status & self.TINT:  # there is nothing more to be seen until that is acknowledged
            return None
        if status & self.MDT:
            period = self._capture_period() if status & self.CAPT else 0
            return (self._now // period + 1) * period if period else None
        return counter.since + self._span(number, counter.start)

    def _holds_an_edge(self):
        captured = self.ENT | self.MDT | self.TINT
        return any(status & captured == captured for status in self._status)

    def _next(self):
        """(tick, number of the counter) of what happens next; (None, None) if nothing does."""
        if self._holds_an_edge():
            return None, None
        return min(((counter.due, number) for number, counter in enumerate(self._counters) if counter.due is not None),
                   default=(None, None))

    def _happen(self, number):
        counter, status = self._counters[number], self._status[number]
        if status & self.MDT:
            self[self.TLR1 if number else self.TLR0] = self._count(number, self._now)
        else:
            counter.start, counter.since = self._load_register(number), self._now
            if not status & self.ARHT:
                counter.start, counter.halted = 0 if status & self.UDT else ALL, True
        counter.due = None
        self._status[number] = self[self.TCSR1 * number] = status | self.TINT
