"""One of the two counters of the AXI Timer (xilinx.com:ip:axi_timer, PG079)."""

import math

ALL = 2**32 - 1
NEVER = math.inf  # a tick

TCSR, TLR, TCR = 0x0, 0x4, 0x8
# TCSR
MDT, UDT, GENT, CAPT, ARHT, LOAD = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
ENIT, ENT, TINT, PWMA = 0x40, 0x80, 0x100, 0x200


class Counter:
    """Its registers begin at the offset `base` of the timer. It has no clock: the caller gives the
    current tick. capture_period: as for a Timer, for this counter's pin"""

    def __init__(self, timer, base, capture_period):
        self._timer, self._base, self._capture_period = timer, base, capture_period
        self._status = 0  # TCSR as it was before the processor wrote to it
        self._start = self._since = 0  # it counts from this value, since this tick
        self._begun = None  # these two, if the last write to TCSR enabled it
        self._halted = False  # it has expired, and does not reload
        timer[base + TCSR] = timer[base + TLR] = timer[base + TCR] = 0

    def has(self, set_bits, clear_bits=0):
        """Whether TCSR has some bits set and others clear."""
        return self._status & (set_bits | clear_bits) == set_bits

    def written(self, value, now):
        """TCSR was written."""
        self._control(value & ~TINT | self._status & ~value & TINT, now)  # writing 1 clears TINT

    def count(self, now):
        """The value of TCR."""
        if not self._runs():
            return self._start
        start, elapsed = self._start, now - self._since
        if self.has(ARHT, MDT) and elapsed >= self.span(start):
            elapsed -= self.span(start)
            start = self._timer[self._base + TLR]
            elapsed %= self.span(start)
        return start + (-elapsed if self._status & UDT else elapsed) & ALL

    def span(self, start):
        """Ticks from a value to the end of the count."""
        return (start if self._status & UDT else ALL - start) + 2

    def due(self, now):
        """The tick of its next event: it expires, or captures an edge. NEVER if there is none until
        the processor acknowledges the last one or does something else."""
        if not self._runs() or self._status & TINT:
            return NEVER
        if not self._status & MDT:
            return self._since + self.span(self._start)
        period = self._capture_period() if self._status & CAPT else 0
        return (now // period + 1) * period if period else NEVER

    def happen(self, now):
        """Carries out the event that is due."""
        if self._status & MDT:
            self._timer[self._base + TLR] = self.count(now)
        else:
            self._start, self._since = self._timer[self._base + TLR], now
            if not self._status & ARHT:
                self._start, self._halted = 0 if self._status & UDT else ALL, True
        self._status = self._timer[self._base + TCSR] = self._status | TINT

    def may_begin_again(self, since):
        """Whether it is to expire, and the last write enabled it at the tick `since` or later."""
        return self._begun is not None and self.has(ENT, MDT) and self._begun[1] >= since

    def begin_again(self):
        """Goes back to the tick at which it was enabled, and returns that tick; what came after it
        counts as not having happened."""
        self._start, self._since = self._begun
        self._halted = False
        self._control(self._status & ~TINT, self._since)
        return self._since

    def _control(self, status, now):
        begins = status & ENT and not self._runs()
        self._start, self._since = self.count(now), now
        self._status = self._timer[self._base + TCSR] = status
        if status & LOAD:
            self._start = self._timer[self._base + TLR]
        if status & LOAD or not status & ENT:
            self._halted = False
        self._begun = (self._start, now) if begins else None
        self._timer[self._base + TCR] = self._start

    def _runs(self):
        return self.has(ENT, LOAD) and not self._halted
