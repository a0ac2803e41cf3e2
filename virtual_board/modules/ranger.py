"""Grove ultrasonic ranger (Seeed's wiki): one pin, on which it is triggered, and answers with a
pulse as long as the sound was on its way."""

from .device import PmodDevice
from .quantity import Quantity

TICKS = 10**8  # a second
SPEED = 34029  # of sound, in cm a second


class UltrasonicRanger(PmodDevice):
    """It measures the distance to an obstacle after each pulse of the IOP on its pin. centimeters:
    2 to 350"""

    centimeters = Quantity(2, 350, "cm")

    def __init__(self, pin, centimeters=30):
        self._pin, self.wires = pin, (pin,)
        self._high = False
        self.centimeters = centimeters
        self.drive(pin, 0)  # while there is no echo

    def changed(self):
        """The obstacle has moved, which the next pulse finds."""

    def pins(self, levels, driven):
        high = bool(levels & driven & 1 << self._pin)
        if self._high and not high:
            self.send_pulse(self._pin, round(2 * self.centimeters / SPEED * TICKS))
        self._high = high
