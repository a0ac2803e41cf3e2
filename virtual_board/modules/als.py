"""Pmod ALS: a light sensor behind an ADC081S021 (data sheet of Texas Instruments)."""

import struct

from .device import SpiDevice


class Als(SpiDevice):
    """A Pmod ALS: a light sensor with an ADC081S021, which sends its 8 bits in the middle of 16.

    light: 0 (dark) to 255"""

    light = 77

    def select(self, selected):
        self._bytes = list(struct.pack(">H", self.light << 4))

    def transfer(self, byte):
        return self._bytes.pop(0) if self._bytes else 0
