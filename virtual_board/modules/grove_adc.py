"""Grove I2C ADC: an ADC121C021 of 12 bits (data sheet of Texas Instruments) behind a divider by
two."""

import struct

from .device import I2cDevice
from .quantity import Quantity

SUPPLY = 3.1  # volts, its reference too: measured by pynq (pmod_grove_adc.c, V_REF)


class GroveAdc(I2cDevice):
    """It converts the voltage at its socket.

    Args:
        sensor: What is in the socket: an AnalogSensor; None: the voltage `volts`.

    volts: 0 to 6"""

    address = 0x50
    CONVERSION_RESULT, ALERT_STATUS, CONFIGURATION = 0x00, 0x01, 0x02
    LOWEST, HIGHEST = 0x06, 0x07
    # those of a byte; the others have two, the high one first
    SHORT = ALERT_STATUS, CONFIGURATION

    volts = Quantity(0, 6, "V")

    def __init__(self, sensor=None):
        self.sensor = sensor
        self.volts = 0
        self._pointer, self._written = 0, None
        self._registers = {self.LOWEST: 0x0FFF}

    def changed(self):
        """The voltage has changed, which the next conversion finds."""

    def start(self, reading):
        self._written = None
        if reading:
            value = self._value()
            self._left = list(struct.pack(">B" if self._pointer in self.SHORT else ">H", value))

    def write(self, byte):
        if self._written is None:
            self._pointer, self._written = byte, 0
        else:
            self._written = self._written << 8 | byte
            self._registers[self._pointer] = self._written & 0xFFFF
        return True

    def read(self):
        return self._left.pop(0) if self._left else 0

    def _value(self):
        volts = self.volts if self.sensor is None else self.sensor.volts(SUPPLY)
        raw = min(max(round(volts / 2 / SUPPLY * 4096), 0), 4095)
        lowest, highest = (self._registers.get(at, 0) for at in (self.LOWEST, self.HIGHEST))
        self._registers.update({self.LOWEST: min(lowest, raw), self.HIGHEST: max(highest, raw)})
        if self._pointer == self.CONVERSION_RESULT:
            return raw
        value = self._registers.get(self._pointer, 0)
        return value & 0xFF if self._pointer in self.SHORT else value
