"""Virtual Pmods to plug into the virtual board's IOP, and the classes from which you derive a
device of your own.

    oled = board.plug(Oled())
    Pmod_OLED(overlay.iop1.mb_info).write("Hello")    # pynq's own driver
    oled                                              # as the last line of a cell: the picture

Derive your own device from I2cDevice, SpiDevice or PmodDevice. The thread that serves the IOP calls
its methods, one at a time, while the IOP's program waits; any thread may set its attributes. It
answers at once: on the virtual board no transfer takes time."""

import html
import struct

import numpy as np


class PmodDevice:
    """A module in a Pmod connector that uses neither I2C nor SPI. Its pins are numbered as in pynq:
    0 to 3 in the upper row, from right to left, and 4 to 7 in the lower.

    capture_period: ticks of 10 ns between the rising edges that it sends to the capture pin of the
        IOP's timer; 0: none"""

    capture_period = 0
    _refresh = None  # a function of the board's, to be called when a driven pin has changed
    _drives = ()  # (pin, level) of each pin that the module drives

    def __repr__(self):
        return f"<virtual Pmod {type(self).__name__}>"

    def pins(self, levels, driven):
        """The pins have changed. levels: bit i is the level of pin i; driven: bit i is 1 if the IOP
        drives that pin."""

    def drive(self, pin, level):
        """Drives a pin (0 to 7) with a level (0 or 1), or stops driving it (None). Any thread may
        call it. ValueError for another pin or level."""
        if pin not in range(8):
            raise ValueError(f"pin is {pin!r}: a Pmod has the pins 0 to 7.")
        if level not in (0, 1, None):
            raise ValueError(
                f"level is {level!r}: give 0 or 1, or None for a pin that is not driven."
            )
        others = tuple(pair for pair in self._drives if pair[0] != pin)
        self._drives = others if level is None else others + ((pin, level),)
        if self._refresh is not None:
            self._refresh()


class I2cDevice(PmodDevice):
    """A device on the IOP's I2C bus. Your own class has at least the methods write and read.

    address: 7 bits, 0x08 to 0x77"""

    address = None

    def start(self, reading):
        """A transfer begins, in which the IOP reads (True) or writes (False). A repeated START
        begins another one."""

    def write(self, byte):
        """The IOP writes a byte (0 to 255). Returns whether the device acknowledges it."""
        raise NotImplementedError

    def read(self):
        """The IOP reads a byte: returns it (0 to 255)."""
        raise NotImplementedError

    def stop(self):
        """The transfer ends."""


class SpiDevice(PmodDevice):
    """The device at the connector's slave select line. Your own class has at least the method
    transfer."""

    def select(self, selected):
        """The slave select line has changed; True: the device is selected (the line is low)."""

    def transfer(self, byte):
        """The IOP sends a byte (0 to 255) while the device is selected. Returns the byte that it
        gets in the same eight clocks."""
        raise NotImplementedError


class Led8(PmodDevice):
    """A Pmod 8LD: eight LEDs.

    leds: int, bit i is LED i; a pin that the IOP does not drive lights nothing"""

    leds = 0

    def pins(self, levels, driven):
        self.leds = levels & driven

    def __repr__(self):
        lit = [str(led) for led in range(8) if self.leds >> led & 1]
        return f"<virtual Pmod {type(self).__name__}: LEDs that are on: {', '.join(lit) or 'none'}>"

    def _repr_html_(self):
        cells = ""
        for led in range(7, -1, -1):
            on = self.leds >> led & 1
            lamp = "<b style='color: #2ca02c'>&#9679;</b> on" if on else "&#9675; off"
            cells += f"<td style='text-align: center'>LED {led}<br>{lamp}</td>"
        return f"<table><tr>{cells}</tr></table>"


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


class Als(SpiDevice):
    """A Pmod ALS: a light sensor with an ADC081S021, which sends its 8 bits in the middle of 16.

    light: 0 (dark) to 255"""

    light = 77

    def select(self, selected):
        self._bytes = list(struct.pack(">H", self.light << 4))

    def transfer(self, byte):
        return self._bytes.pop(0) if self._bytes else 0


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
