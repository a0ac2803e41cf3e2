"""Pmods with a chip of Analog Devices (data sheets) on SPI: Pmod TC1 with a MAX31855, Pmod DA4 with
an AD5628, and Pmod DPOT with an AD5160."""

import struct

from .device import SpiDevice
from .quantity import Quantity


class Tc1(SpiDevice):
    """A Pmod TC1: a thermocouple. celsius: at its end, -270 to 1800; junction: at the chip, -55 to
    125; fault: whether its wire is broken"""

    FAULT, OC = 1 << 16, 1 << 0

    celsius, junction = Quantity(-270, 1800, "°C"), Quantity(-55, 125, "°C")
    fault = False

    def __init__(self, celsius=21.5, junction=21.5):
        self.celsius, self.junction = celsius, junction
        self._left = []

    def changed(self):
        """A temperature has changed, which the next transfer finds."""

    def select(self, selected):
        word = (round(self.celsius * 4) & 0x3FFF) << 18 | (round(self.junction * 16) & 0xFFF) << 4
        self._left = list(struct.pack(">I", word | (self.FAULT | self.OC if self.fault else 0)))

    def transfer(self, byte):
        return self._left.pop(0) if self._left else 0


class Dac(SpiDevice):
    """A Pmod DA4: eight outputs of 12 bits, as pynq's Pmod_DAC uses them.

    volts: of each output, as a list; 2.5 V is the most"""

    WRITE, UPDATE, WRITE_UPDATE_ALL, WRITE_UPDATE, INTERNAL_REFERENCE = 0, 1, 2, 3, 8
    REFERENCE = 2.5  # volts
    ALL = 0xF  # an address

    def __init__(self):
        self._inputs, self._outputs, self._on = [0] * 8, [0] * 8, False
        self._bytes = b""

    @property
    def volts(self):
        return [output / 4096 * self.REFERENCE * self._on for output in self._outputs]

    def select(self, selected):
        if selected:
            self._bytes = b""

    def transfer(self, byte):
        self._bytes += bytes([byte])
        if len(self._bytes) == 4:
            self._obey(int.from_bytes(self._bytes, "big"))
        return 0

    def _obey(self, word):
        command, address, data = word >> 24 & 0xF, word >> 20 & 0xF, word >> 8 & 0xFFF
        which = range(8) if address == self.ALL else [address & 7]
        if command == self.INTERNAL_REFERENCE:
            self._on = bool(word & 1)
        elif command in (self.WRITE, self.WRITE_UPDATE, self.WRITE_UPDATE_ALL):
            for number in which:
                self._inputs[number] = data
        if command == self.WRITE_UPDATE_ALL:
            which = range(8)
        if command in (self.UPDATE, self.WRITE_UPDATE, self.WRITE_UPDATE_ALL):
            for number in which:
                self._outputs[number] = self._inputs[number]


class Dpot(SpiDevice):
    """A Pmod DPOT: a resistor of 10 kilohm with 256 taps.

    tap: 0 to 255, 128 after a reset"""

    tap = 128

    @property
    def ohms(self):
        """Between the wiper and B (data sheet, equation 1)."""
        return self.tap / 256 * 10000 + 60

    def transfer(self, byte):
        self.tap = byte
        return 0
