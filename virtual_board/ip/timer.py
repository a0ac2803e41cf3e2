"""AXI Timer (xilinx.com:ip:axi_timer, PG079): two counters of 32 bits, at 100 MHz."""

import time

from ..pulses import HZ, Pulses
from .io_switch import IoSwitch
from .peripheral import Peripheral
from .timer_counter import CAPT, ENIT, ENT, GENT, MDT, NEVER, PWMA, TINT, Counter

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
        captures: For each counter a function that returns the ticks between rising edges on its
            capture pin, 0 if there are none.
        pwm_changed: A function that is called when pwm may have changed.
        interrupt: A function that takes the level of the interrupt line.
        pulses: Those on their way to the IOP's pins: a Pulses.

    signal: the number of PWM0 of this timer among the IO switch's signals, or None"""

    KIND = "xilinx.com:ip:axi_timer"
    TCSR0, TLR0, TCR0, TCSR1, TLR1, TCR1 = 0x00, 0x04, 0x08, 0x10, 0x14, 0x18
    WRITTEN = TCSR0, TLR0, TCSR1, TLR1
    READ = TCR0, TCR1

    @classmethod
    def of(cls, ip, words, iop):
        def capture(counter):
            # base.tcl: a counter's capture input has the number of its generate output
            number = iop.signal(ip, f"generateout{counter}")
            if number is None:
                return lambda: 0
            signal = IoSwitch.TIMER_IC0 + number
            return lambda: iop.wiring.capture_period(iop.carried_by(signal))

        outputs = iop.pwm_changed, iop.interrupt(ip)
        pulses = iop.wiring.pulses
        timer = cls(words, ip.base, (capture(0), capture(1)), *outputs, pulses)
        timer.signal = iop.signal(ip, "pwm0")
        return timer

    @classmethod
    def for_linux(cls, ip, words, bus):
        captures = (lambda: 0,) * 2
        return cls(words, 0, captures, interrupt=bus.interrupt(ip, "interrupt"))

    def __init__(
        self,
        words,
        base,
        captures,
        pwm_changed=lambda: None,
        interrupt=lambda level: None,
        pulses=None,
        clock=time.monotonic,
    ):
        super().__init__(words, base)
        self._captures, self._clock = captures, clock
        self._pwm_changed, self._interrupt = pwm_changed, interrupt
        self._pulses, self.signal = pulses or Pulses(), None

    def reset(self):
        self._began, self._now = self._clock(), 0
        first = Counter(self, self.TCSR0, self._captures[0])
        self._counters = first, Counter(self, self.TCSR1, self._captures[1])
        self._shown = {self.TCR0: 0, self.TCR1: 0}  # the tick of the count in each register
        self._show_interrupt()

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
        if not any(counter.has(ENT) for counter in self._counters):
            return None  # at once, because this is asked after every access to a peripheral
        due, _ = self._next()
        return None if due == NEVER else self._began + (due - AHEAD) / HZ

    def catch_up(self):
        """Carries out the events that are due."""
        due, counter = self._next()
        while due - AHEAD <= self._ticks():
            self._now = due
            counter.happen(due)
            due, counter = self._next()
        self._show_interrupt()

    def written(self, offset, value):
        if offset in (self.TCSR0, self.TCSR1):
            self._control(offset, value)
        self._pwm_changed()

    def _control(self, offset, value):
        counter, other = self._counters if offset == self.TCSR0 else self._counters[::-1]
        ticks = self._ticks()
        captures = value & CAPT and value & ENT and not counter.has(ENT | TINT)
        if captures and other.may_begin_again(ticks - AT_ONCE):
            self._now = other.begin_again()
        elif not self._holds_an_edge():
            # events that are due come after this write
            self._now = max(self._now, min(ticks, self._next()[0]))
        counter.written(value, self._now)
        self._shown = dict.fromkeys(self._shown, self._now)
        self.catch_up()

    def was_read(self, offset):
        if offset not in self.READ:
            return
        began = int(self._began * HZ)
        now = began + max(self._now, self._ticks())
        shown = self._pulses.until(began + self._shown[offset], now) - began
        self[offset] = self._counters[offset // self.TCSR1].count(shown)
        self._shown[offset] = shown

    def _show_interrupt(self):
        self._interrupt(any(counter.has(ENIT | TINT) for counter in self._counters))

    def before_read(self, offset):
        self.catch_up()
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
