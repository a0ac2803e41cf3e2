"""Pmod OLED: a panel of 128 x 32 pixels behind an SSD1306 (data sheet of Solomon Systech)."""

import html

import numpy as np

from .device import SpiDevice


class Oled(SpiDevice):
    """A Pmod OLED: a panel of 128 x 32 pixels with an SSD1306, which pynq's driver uses in page
    addressing mode alone. A notebook shows it as a picture.

    Pins beside SPI's: 4 is D/C, data or command; 5 is RES, low to reset. The panel's supplies,
    which 6 and 7 switch, are not modelled."""

    DATA, NOT_RESET = 1 << 4, 1 << 5
    # How many bytes follow a command (datasheet of the SSD1306, table 9-1)
    ARGUMENTS = {0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0xA3: 2}
    ARGUMENTS.update(dict.fromkeys((0x81, 0x8D, 0xA8, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB), 1))
    # Commands that set something to false or, with bit 0, to true
    SWITCHES = {0xA0: "_mirrored", 0xA4: "_all_lit", 0xA6: "_inverse", 0xAE: "_on"}

    def __init__(self):
        self._memory = np.zeros((8, 128), np.uint8)  # a byte is eight pixels, one below the other
        self._levels = 0
        self._reset()

    def _reset(self):
        self._on = self._all_lit = self._inverse = self._mirrored = self._upside_down = False
        self._page = self._column = 0
        self._command = []  # a command whose arguments have not all come

    def pins(self, levels, driven):
        if driven & self.NOT_RESET and not levels & self.NOT_RESET:
            self._reset()
        self._levels = levels

    def transfer(self, byte):
        if self._levels & self.DATA:
            self._memory[self._page, self._column] = byte
            self._column = (self._column + 1) % 128
        else:
            self._command.append(byte)
            if len(self._command) > self.ARGUMENTS.get(self._command[0], 0):
                command, self._command = self._command, []
                self._obey(*command)
        return 0

    def picture(self):
        """The panel as it looks: bool array, 32 x 128, True where a pixel is lit."""
        if not self._on:
            return np.zeros((32, 128), bool)
        if self._all_lit:
            return np.ones((32, 128), bool)
        # of each byte, the highest bit first
        rows = np.unpackbits(self._memory[:4, None, :], axis=1)
        lit = rows[:, ::-1].reshape(32, 128).astype(bool) ^ self._inverse
        # On a Pmod OLED the panel is mounted so that it is the right way round with commands 0xA1
        # and 0xC8.
        return lit[:: 1 if self._upside_down else -1, :: 1 if self._mirrored else -1]

    def _obey(self, command, *arguments):
        if command < 0x10:
            self._column = self._column & 0x70 | command
        elif command < 0x20:
            self._column = (command & 0x07) << 4 | self._column & 0x0F
        elif command == 0x22:  # in page mode, too, it sets the page
            self._page = arguments[0] & 7
        elif command & 0xFE in self.SWITCHES:
            setattr(self, self.SWITCHES[command & 0xFE], bool(command & 1))
        elif 0xB0 <= command < 0xB8:
            self._page = command & 7
        elif command in (0xC0, 0xC8):
            self._upside_down = command == 0xC8

    def __repr__(self):
        lit = self.picture().sum()
        return f"<virtual Pmod {type(self).__name__}: {lit} of 4096 pixels are lit>"

    def _repr_html_(self):
        lit = "".join(f"M{x} {y + 0.5}h1" for y, x in np.argwhere(self.picture()))
        return (
            '<svg viewBox="-2 -2 132 36" style="max-width: 36em; background: #0a0f19">'
            f'<path d="{lit}" stroke="#96dcff"/></svg><div>{html.escape(repr(self))}</div>'
        )
