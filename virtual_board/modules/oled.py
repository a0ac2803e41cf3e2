"""Panels: the Pmod OLED, 128 x 32 pixels behind an SSD1306 (reference manual of Digilent), and the
Grove OLED 0.96", 128 x 64 behind an SSD1308 (Seeed's wiki)."""

from .device import I2cDevice, SpiDevice
from .ssd1306 import Panel, Ssd1306


class Oled(Panel, SpiDevice):
    """A Pmod OLED: a panel of 128 x 32 pixels with an SSD1306. A notebook shows it as a picture.

    Pins beside SPI's: 4 is D/C, data or command; 5 is RES, low to reset. The panel's supplies,
    which 6 and 7 switch, are not modelled."""

    DATA, NOT_RESET = 1 << 4, 1 << 5

    def __init__(self):
        self._panel, self._levels = Ssd1306(32, turned=True), 0

    def pins(self, levels, driven):
        if driven & self.NOT_RESET and not levels & self.NOT_RESET:
            self._panel.reset()
        self._levels = levels

    def transfer(self, byte):
        if self._levels & self.DATA:
            self._panel.data(byte)
        else:
            self._panel.command(byte)
        return 0


class GroveOled(Panel, I2cDevice):
    """A Grove OLED 0.96": a panel of 128 x 64 pixels with an SSD1308. A notebook shows it as a
    picture."""

    address = 0x3C
    CO, DATA = 0x80, 0x40  # of a control byte: another control byte comes after the next byte

    def __init__(self):
        self._panel, self._control = Ssd1306(64, turned=False), None

    def start(self, reading):
        self._control = None

    def write(self, byte):
        if self._control is None:
            self._control = byte
            return True
        if self._control & self.DATA:
            self._panel.data(byte)
        else:
            self._panel.command(byte)
        if self._control & self.CO:
            self._control = None
        return True

    def read(self):
        return 0
