"""Small I2C sensors for which pynq has drivers: TH02 (data sheet of Hoperf), TSL2561 (data sheet of
AMS), and the Grove finger-clip heart rate sensor (Seeed's wiki)."""

import struct

from .device import I2cDevice
from .quantity import Quantity
from .registers import RegisterFile


class Th02(RegisterFile):
    """Grove temperature and humidity sensor: a TH02. celsius: -40 to 85; percent: of humidity

    A read that begins at DATAH gets STATUS first. The data sheet does not say so, but the programs
    that work with a TH02, Seeed's and pynq's, skip that byte."""

    address = 0x40
    STATUS, DATAH, CONFIG, ID = 0x00, 0x01, 0x03, 0x11
    PRESETS = {ID: [0x50]}
    START, TEMP = 0x01, 0x10  # of CONFIG

    celsius, percent = Quantity(-40, 85, "°C"), Quantity(0, 100, "%")

    def __init__(self, celsius=21.5, percent=45):
        self.celsius, self.percent = celsius, percent
        super().__init__()

    def start(self, reading):
        super().start(reading)
        if reading and self._pointer == self.DATAH:
            self._pointer = self.STATUS

    def written(self, number, byte):
        super().written(number, byte)
        if number == self.CONFIG and byte & self.START:
            if byte & self.TEMP:
                value = round((self.celsius + 50) * 32) << 2
            else:
                value = round((self.percent + 24) * 16) << 4
            self.put(self.DATAH, struct.pack(">H", value))


class DigitalLight(RegisterFile):
    """Grove digital light sensor: a TSL2561. Without power it keeps what it converted last.

    visible_and_infrared, infrared: counts of its two channels, 0 to 65535"""

    address = 0x29
    COMMAND, CONTROL, DATA0 = 0x80, 0x0, 0xC
    PRESETS = {0xA: [0x50]}  # ID

    visible_and_infrared = Quantity(0, 65535, "counts")
    infrared = Quantity(0, 65535, "counts")

    def __init__(self, visible_and_infrared=600, infrared=150):
        self.visible_and_infrared, self.infrared = visible_and_infrared, infrared
        super().__init__()

    def write(self, byte):
        # the first byte is a command: bits 0 to 3 are the register's number
        return super().write(byte & 0xF if self._points else byte)

    def measure(self):
        if self.registers[self.CONTROL] & 3 == 3:
            self.put(self.DATA0, struct.pack("<HH", self.visible_and_infrared, self.infrared))


class FingerHeartRate(I2cDevice):
    """Grove finger-clip heart rate sensor: it answers with a byte. beats: a minute, 0 to
    255"""

    address = 0x50

    beats = Quantity(0, 255, "beats a minute")

    def __init__(self, beats=70):
        self.beats = beats

    def changed(self):
        """The rate has changed, which the next transfer finds."""

    def write(self, byte):
        return True

    def read(self):
        return round(self.beats)
