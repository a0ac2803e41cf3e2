"""AXI Timer (xilinx.com:ip:axi_timer, PG079): two counters of 32 bits, at 100 MHz."""

import time

from .peripheral import Peripheral
from .timer_counter import CAPT, ENIT, ENT, GENT, MDT, NEVER, PWMA, TINT, Counter

HZ = 100 * 10**6
# Ticks that an event may be early by the PC's clock: threads wake up to half a millisecond late.
AHEAD = HZ // 2000
# Ticks within which a program that enables a counter and then a capture does both at once.
AT_ONCE = HZ // 10


class Timer(Peripheral):
    """Events keep their order and have exact ticks; by the PC's clock each comes up to half a
    millisecond early. While a captured edge waits for the program to acknowledge it, time stands
    still for both counters, so that no edge is lost however slow the emulation is. A read of TCR0
    or TCR1 returns the count at the access before, not the current one.

    Args:
        capture_period: A function that returns the ticks between rising edges on the capture pin of
            the first counter, 0 if there are none; the second counter's has no pin (base.tcl).
        interrupt: A function that takes the level of the interrupt output."""

    KIND = "xilinx.com:ip:axi_timer"
    TCSR0, TLR0, TCR0, TCSR1, TLR1, TCR1 = 0x00, 0x04, 0x08, 0x10, 0x14, 0x18
    WRITTEN = TCSR0, TCSR1
    READ = TCR0, TCR1

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, iop.connector.capture_period)

    @classmethod
    def for_linux(cls, ip, words, bus):
        return cls(words, 0, lambda: 0, interrupt=bus.interrupt(ip, "interrupt"))

    def __init__(
        self, words, base, capture_period, clock=time.monotonic, interrupt=lambda level: None
    ):
        super().__init__(words, base)
        self._capture_period, self._clock, self._interrupt = capture_period, clock, interrupt

    def reset(self):
        self._began, self._now = self._clock(), 0
        first = Counter(self, self.TCSR0, self._capture_period)
        self._counters = first, Counter(self, self.TCSR1, lambda: 0)

    @property
    def pwm(self):
        """(period, high time) of the signal PWM0 in ticks, or None while there is none."""
        if not all(counter.has(PWMA | GENT | ENT, MDT) for counter in self._counters):
            return None
        return self._counters[0].span(self[self.TLR0]), self._counters[1].span(self[self.TLR1])

    @property
    def deadline(self):
        """When catch_up() will have something to do, by time.monotonic(). None: not before another
        write."""
        due, _ = self._next()
        return None if due == NEVER else self._began + (due - AHEAD) / HZ

    def catch_up(self):
        """Carries out the events that are due."""
        due, counter = self._next()
        while due - AHEAD <= self._ticks():
            self._now = due
            counter.happen(due)
            due, counter = self._next()
        self._interrupt(any(counter.has(ENIT | TINT) for counter in self._counters))

    def written(self, offset, value):
        counter, other = self._counters if offset == self.TCSR0 else self._counters[::-1]
        ticks = self._ticks()
        captures = value & CAPT and value & ENT and not counter.has(ENT | TINT)
        if captures and other.may_begin_again(ticks - AT_ONCE):
            self._now = other.begin_again()
        elif not self._holds_an_edge():
            # events that are due come after this write
            self._now = max(self._now, min(ticks, self._next()[0]))
        counter.written(value, self._now)
        self.catch_up()

    def was_read(self, offset):
        self[offset] = self._counters[offset // self.TCSR1].count(max(self._now, self._ticks()))

    def before_read(self, offset):
        self.catch_up()
        if offset in self.READ:
            self.was_read(offset)

    def _ticks(self):
        return int((self._clock() - self._began) * HZ)

    def _holds_an_edge(self):
        return any(counter.has(ENT | MDT | TINT) for counter in self._counters)

    def _next(self):
        """(tick, counter) of the event that is next; the tick is NEVER if there is none."""
        if self._holds_an_edge():
            return NEVER, None
        events = [(counter.due(self._now), counter) for counter in self._counters]
        return min(events, key=lambda event: event[0])
