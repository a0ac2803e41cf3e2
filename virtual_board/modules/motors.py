"""Motors that obey the signal of an IOP's timer."""

from .device import PmodDevice


class Servo(PmodDevice):
    """A Grove servo, an EMAX ES08A II (its data sheet): a pulse of 0.6 to 2.35 ms turns it by 0 to
    180 degrees.

    degrees: where it stands; None before the first pulse"""

    SHORTEST, LONGEST = 60000, 235000  # ticks of 10 ns

    degrees = None

    def __init__(self, pin):
        self._pin, self.wires = pin, (pin,)

    def pwm(self, pin, period, high):
        if pin == self._pin and high:  # without pulses it stays where it is
            part = (high - self.SHORTEST) / (self.LONGEST - self.SHORTEST)
            self.degrees = 180 * min(max(part, 0.0), 1.0)

    def __repr__(self):
        return f"<virtual {type(self).__name__}: {self.degrees} degrees>"


class Motor(PmodDevice):
    """A geared motor with a driver: one pin takes the signal of a timer, the other the direction.

    Args:
        direction, speed: The numbers of the pins."""

    def __init__(self, direction, speed):
        self._direction, self._speed, self.wires = direction, speed, (direction, speed)
        self._part, self._forward = 0.0, True

    @property
    def speed(self):
        """The part of the full speed, -1 (backward) to 1 (forward)."""
        return self._part if self._forward else -self._part

    def pins(self, levels, driven):
        self._forward = bool(levels & driven & 1 << self._direction)
        if driven & 1 << self._speed:
            self._part = float(levels >> self._speed & 1)

    def pwm(self, pin, period, high):
        if pin == self._speed:
            self._part = min(high / period, 1.0) if period else 0.0

    def __repr__(self):
        return f"<virtual {type(self).__name__}: speed {self.speed:.2f}>"
