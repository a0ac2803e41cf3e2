"""Pmod AD2: an AD7991, four inputs of 12 bits (data sheet of Analog Devices)."""

import struct

from .device import I2cDevice
from .quantity import Quantity


class Adc(I2cDevice):
    """A Pmod AD2. It converts the inputs that its configuration names, in turn; the fourth can be
    the reference.

    first, second, third, fourth: volts, 0 to 3.3"""

    address = 0x28
    REF_SEL = 0x08  # of the configuration; its bits 4 to 7 are the inputs
    SUPPLY, REFERENCE = 3.3, 2.048  # volts; the latter as pynq has it (pmod_adc.c)

    first, second = Quantity(0, 3.3, "V"), Quantity(0, 3.3, "V")
    third, fourth = Quantity(0, 3.3, "V"), Quantity(0, 3.3, "V")

    def __init__(self):
        self.first = self.second = self.third = self.fourth = 0
        self._configuration, self._turn, self._left = 0xF0, 0, []

    def changed(self):
        """A voltage has changed, which the next conversion finds."""

    def start(self, reading):
        self._left = []

    def write(self, byte):
        self._configuration, self._turn = byte, 0
        return True

    def read(self):
        if not self._left:
            self._left = list(self._convert())
        return self._left.pop(0)

    def _convert(self):
        inputs = [number for number in range(4) if self._configuration >> 4 + number & 1] or [0]
        number = inputs[self._turn % len(inputs)]
        self._turn += 1
        full = self.REFERENCE if self._configuration & self.REF_SEL else self.SUPPLY
        volts = (self.first, self.second, self.third, self.fourth)[number]
        raw = min(round(volts / full * 4096), 4095)
        return struct.pack(">H", number << 12 | raw)
