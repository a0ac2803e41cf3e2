"""Pmod TMP2: a thermometer, an ADT7420 (data sheet of Analog Devices)."""

import struct

from .device import I2cDevice


class Tmp2(I2cDevice):
    """A Pmod TMP2: an ADT7420 thermometer, which counts in 13 bits of 1/16 degree. What is written
    to its settings changes nothing.

    celsius: the temperature, -40 to 150"""

    address = 0x4B
    TEMPERATURE, ID = slice(0x00, 0x02), 0x0B  # registers; the temperature's high byte comes first

    def __init__(self, celsius=21.5):
        self.celsius = celsius
        self._pointer = 0  # the first register to be read

    def start(self, reading):
        self._points = not reading  # the first byte that is written is a register's number
        if reading:
            registers = bytearray(0x30)
            registers[self.ID] = 0xCB
            value = int(round(self.celsius * 16)) << 3
            registers[self.TEMPERATURE] = struct.pack(">h", max(-32768, min(value, 32767)))
            self._left = registers[self._pointer :]

    def write(self, byte):
        if self._points:
            self._pointer, self._points = byte, False
        return True

    def read(self):
        return self._left.pop(0) if self._left else 0
