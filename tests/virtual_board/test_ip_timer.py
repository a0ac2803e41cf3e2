"""AXI Timer (PG079): its registers, in cases that pynq's drivers do not show."""

from fractions import Fraction

import numpy as np
import pytest

from helpers.registers import Processor
from virtual_board.ip import Timer, timer_counter as bit
from virtual_board.ip.timer import AHEAD

HZ = 100 * 10**6
# what a counter does
ONCE, AGAIN = bit.UDT | bit.ENT, bit.ARHT | bit.ENT
CAPTURE = bit.MDT | bit.CAPT | bit.ENT


class Clock(Processor):
    """A timer, and a clock that the test sets."""

    ticks = period = 0  # and the ticks between two edges on the capture pin

    def __init__(self):
        captures = (lambda: self.period, lambda: 0)
        super().__init__(Timer, captures, clock=lambda: 1000 + Fraction(self.ticks, HZ))
        self.timer = self.peripheral

    def at(self, ticks):
        self.ticks = ticks
        self.timer.catch_up()
        return self

    def count(self, tcr):
        self.read(tcr)  # returns the count at the access before
        return self.read(tcr)

    def expired(self, tcsr=Timer.TCSR0):
        return bool(self.read(tcsr) & bit.TINT)

    def is_due_at(self, ticks):
        return self.timer.deadline == pytest.approx(1000 + (ticks - AHEAD) / HZ, abs=1e-9)


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("tcsr", [Timer.TCSR0, Timer.TCSR1])
def test_timer_counts_down_once(clock, tcsr):
    clock.write(tcsr + 4, HZ)
    clock.write(tcsr, bit.LOAD)
    assert clock.read(tcsr + 8) == HZ and clock.timer.deadline is None
    clock.at(500).write(tcsr, ONCE)
    assert clock.at(500 + HZ // 4).count(tcsr + 8) == HZ - HZ // 4
    due = 500 + HZ + 2
    assert clock.is_due_at(due)
    assert not clock.at(due - AHEAD - 1).expired(tcsr) and clock.at(due).expired(tcsr)
    assert clock.at(2 * due).count(tcsr + 8) == 0 and clock.timer.deadline is None
    clock.write(tcsr, ONCE | bit.TINT)  # writing 1 clears it
    assert not clock.at(4 * due).expired(tcsr)  # it has halted
    clock.write(tcsr, bit.UDT, bit.UDT | bit.LOAD, ONCE)
    assert clock.at(5 * due).expired(tcsr)


def test_timer_counts_up_and_reloads(clock):
    clock.write(Timer.TLR0, 2**32 - HZ)
    clock.write(Timer.TCSR0, bit.LOAD, AGAIN)
    assert clock.at(1000).count(Timer.TCR0) == 2**32 - HZ + 1000
    period = HZ + 1
    # nothing more to be seen until that is acknowledged
    assert clock.at(period).expired() and clock.timer.deadline is None
    clock.write(Timer.TCSR0, AGAIN | bit.TINT)
    assert not clock.expired() and clock.at(period + 700).count(Timer.TCR0) == 2**32 - HZ + 700
    # Events that nobody acknowledges keep the grid of periods.
    assert clock.at(7 * period + 33).expired()
    assert clock.count(Timer.TCR0) == 2**32 - HZ + 33
    clock.write(Timer.TCSR0, AGAIN | bit.TINT)
    assert clock.is_due_at(8 * period)


def test_timer_stops_and_goes_on(clock):
    clock.write(Timer.TLR1, HZ)
    clock.write(Timer.TCSR1, bit.LOAD, ONCE)
    clock.at(1000).write(Timer.TCSR1, bit.UDT)
    assert clock.at(5000).count(Timer.TCR1) == HZ - 1000
    clock.write(Timer.TCSR1, ONCE)
    assert clock.at(6000).count(Timer.TCR1) == HZ - 2000


def test_timer_events_in_their_order(clock):
    clock.write(Timer.TLR0, 3 * HZ)
    clock.write(Timer.TLR1, 1 * HZ)
    for tcsr in Timer.TCSR0, Timer.TCSR1:
        clock.write(tcsr, bit.LOAD, ONCE)
    assert clock.at(2 * HZ).expired(Timer.TCSR1) and not clock.expired(Timer.TCSR0)
    assert clock.at(4 * HZ).expired(Timer.TCSR0)


@pytest.mark.parametrize("window, edges", [(20100, 2), (99, 0), (30 * 10**6, 3000)])
@pytest.mark.parametrize("slow", [0, 5, 9 * 10**6])
def test_timer_counts_the_edges_in_a_window(clock, window, edges, slow):
    """As pynq's pmod_timer.c does it. However slow the program is, it misses no edge."""
    clock.period = 10000
    clock.at(10**6).write(Timer.TLR1, window - 2)
    clock.write(Timer.TCSR1, bit.TINT | bit.LOAD | bit.UDT, ONCE)
    clock.at(clock.ticks + slow).write(Timer.TCSR0, bit.TINT | CAPTURE)
    captured = []
    while not clock.at(clock.ticks + 40 * HZ).expired(Timer.TCSR1):
        assert clock.expired() and clock.timer.deadline is None and len(captured) < edges
        captured.append(clock.read(Timer.TLR0))
        clock.write(Timer.TCSR0, bit.TINT | CAPTURE)
    assert len(captured) == edges and set(np.diff(captured)) <= {clock.period}


def test_its_interrupt():
    levels = []
    timer = Processor(Timer, (lambda: 0, lambda: 0), interrupt=levels.append)
    timer.write(Timer.TLR0, 10 * HZ)
    timer.write(Timer.TCSR0, bit.LOAD, bit.ENIT | ONCE)
    timer.peripheral._began -= 20
    timer.peripheral.catch_up()
    assert levels[-1] and not any(levels[:-1])
    timer.write(Timer.TCSR0, bit.ENIT | bit.TINT)
    assert not levels[-1]
