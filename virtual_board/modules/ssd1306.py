"""SSD1306 and SSD1308: controllers of panels of 128 pixels a row (data sheets of Solomon
Systech)."""

import html

import numpy as np


class Ssd1306:
    """The memory of a controller, and its commands. Scrolling is not modelled: the picture stays.

    Args:
        rows: Of the panel, 32 or 64.
        turned: Whether the panel is mounted upside down: it is the right way round with commands
            0xA1 and 0xC8."""

    # How many bytes follow a command (data sheet of the SSD1306, table 9-1)
    ARGUMENTS = {0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0xA3: 2, 0xFD: 1}
    ARGUMENTS.update(dict.fromkeys((0x81, 0x8D, 0xA8, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB), 1))
    # Commands that set something to false or, with bit 0, to true
    SWITCHES = {0xA0: "_mirrored", 0xA4: "_all_lit", 0xA6: "_inverse", 0xAE: "_on"}
    HORIZONTAL, VERTICAL, PAGE = 0, 1, 2  # addressing modes

    def __init__(self, rows, turned):
        self._rows, self._turned = rows, turned
        self._memory = np.zeros((8, 128), np.uint8)  # a byte is eight pixels, one below the other
        self.reset()

    def reset(self):
        """A reset, which leaves the memory as it is."""
        self._on = self._all_lit = self._inverse = self._mirrored = self._upside_down = False
        self._mode, self._page, self._column = self.PAGE, 0, 0
        self._columns, self._pages = (0, 127), (0, 7)
        self._command = []  # a command whose arguments have not all come

    def data(self, byte):
        """A byte for the memory."""
        self._memory[self._page, self._column] = byte
        if self._mode == self.PAGE:
            self._column = (self._column + 1) % 128
        elif self._mode == self.HORIZONTAL:
            self._column, over = self._next(self._column, self._columns)
            if over:
                self._page, _ = self._next(self._page, self._pages)
        else:
            self._page, over = self._next(self._page, self._pages)
            if over:
                self._column, _ = self._next(self._column, self._columns)

    @staticmethod
    def _next(number, limits):
        over = number == limits[1]
        return limits[0] if over else (number + 1) % 128, over

    def command(self, byte):
        """A byte of a command."""
        self._command.append(byte)
        if len(self._command) > self.ARGUMENTS.get(self._command[0], 0):
            command, self._command = self._command, []
            self._obey(*command)

    def picture(self):
        """The panel as it looks: bool array, rows x 128, True where a pixel is lit."""
        if not self._on:
            return np.zeros((self._rows, 128), bool)
        if self._all_lit:
            return np.ones((self._rows, 128), bool)
        # of each byte, the highest bit first
        rows = np.unpackbits(self._memory[: self._rows // 8, None, :], axis=1)
        lit = rows[:, ::-1].reshape(self._rows, 128).astype(bool) ^ self._inverse
        down, right = self._upside_down == self._turned, self._mirrored == self._turned
        return lit[:: 1 if down else -1, :: 1 if right else -1]

    def _obey(self, command, *arguments):
        if command < 0x10:
            self._column = self._column & 0x70 | command
        elif command < 0x20:
            self._column = (command & 0x07) << 4 | self._column & 0x0F
        elif command == 0x20:
            self._mode = min(arguments[0] & 3, self.PAGE)
        elif command == 0x21:
            self._columns = arguments[0] & 127, arguments[1] & 127
            self._column = self._columns[0]
        elif command == 0x22:  # in page mode, too, it sets the page
            self._pages = arguments[0] & 7, arguments[1] & 7
            self._page = self._pages[0]
        elif command & 0xFE in self.SWITCHES:
            setattr(self, self.SWITCHES[command & 0xFE], bool(command & 1))
        elif 0xB0 <= command < 0xB8:
            self._page = command & 7
        elif command in (0xC0, 0xC8):
            self._upside_down = command == 0xC8


class Panel:
    """What a module with such a controller shows. Its class has the attribute _panel."""

    def picture(self):
        """The panel as it looks: bool array, True where a pixel is lit."""
        return self._panel.picture()

    def __repr__(self):
        picture = self.picture()
        lit = f"{picture.sum()} of {picture.size} pixels are lit"
        return f"<virtual {type(self).__name__}: {lit}>"

    def _repr_html_(self):
        picture = self.picture()
        lit = "".join(f"M{x} {y + 0.5}h1" for y, x in np.argwhere(picture))
        return (
            f'<svg viewBox="-2 -2 132 {len(picture) + 4}" style="max-width: 36em; background:'
            f' #0a0f19"><path d="{lit}" stroke="#96dcff"/></svg>'
            f"<div>{html.escape(repr(self))}</div>"
        )
