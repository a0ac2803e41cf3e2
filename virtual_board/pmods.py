"""Virtual Pmods to plug into the virtual board's IOP, and the classes from which you derive a
device of your own.

    oled = board.plug(Oled())
    Pmod_OLED(overlay.iop1.mb_info).write("Hello")    # pynq's own driver
    oled                                              # as the last line of a cell: the picture

Derive your own device from I2cDevice, SpiDevice or PmodDevice. The thread that serves the IOP calls
its methods, one at a time, while the IOP's program waits; any thread may set its attributes. It
answers at once: on the virtual board no transfer takes time."""

import io
import struct

import numpy as np


class PmodDevice:
    """A module in a Pmod connector, whose pins are numbered as in pynq: 0 to 3 in the upper row,
    from right to left, and 4 to 7 in the lower. Derive from this class a module that uses neither
    I2C nor SPI.

    capture_period: ticks of 10 ns between the rising edges that it sends to the capture pin of the
    IOP's timer; 0: none"""

    capture_period = 0
    _refresh = None  # a function of the board's, to be called when a driven pin has changed
    __driven = {}

    def __repr__(self):
        return f"<virtual Pmod {type(self).__name__}>"

    def pins(self, levels, driven):
        """The pins have changed. levels: bit i is the level of pin i; driven: bit i is 1 if the IOP
        drives that pin."""

    def driven_pins(self):
        """{pin: level} of the pins that the module drives."""
        return self.__driven

    def drive(self, pin, level):
        """Drives a pin (0 to 7) with a level (0 or 1), or stops driving it (None). Any thread may
        call it. ValueError for another pin or level."""
        if pin not in range(8):
            raise ValueError(f"pin is {pin!r}: a Pmod has the pins 0 to 7.")
        if level not in (0, 1, None):
            raise ValueError(
                f"level is {level!r}: give 0 or 1, or None for a pin that is not driven."
            )
        driven = {other: its for other, its in self.__driven.items() if other != pin}
        if level is not None:
            driven[pin] = level
        self.__driven = driven
        if self._refresh is not None:
            self._refresh()


class I2cDevice(PmodDevice):
    """A device on the IOP's I2C bus. Your own class has an address, and at least the methods write
    and read.

    address: 7 bits, 0x08 to 0x77
    """

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

    leds: int, bit i is LED i; a pin that the IOP does not drive lights nothing
    """

    leds = 0

    def pins(self, levels, driven):
        self.leds = levels & driven

    def _repr_html_(self):
        return "".join(
            '<span style="font-size:180%;color:{}" title="LED {}">&#9679;</span>'.format(
                "#2ca02c" if self.leds >> led & 1 else "#ddd", led
            )
            for led in reversed(range(8))
        )


class Tmp2(I2cDevice):
    """A Pmod TMP2: an ADT7420 thermometer, with 13 bits of 1/16 degree each.

    celsius: the temperature, -40 to 150
    """

    address = 0x4B
    TEMPERATURE_MSB, TEMPERATURE_LSB, STATUS, CONFIGURATION, ID, RESET = (
        0x00,
        0x01,
        0x02,
        0x03,
        0x0B,
        0x2F,
    )
    RESOLUTION = 0x80  # of CONFIGURATION: 16 bits of 1/128 degree

    def __init__(self, celsius=21.5):
        self.celsius = celsius
        self._reset()

    def _reset(self):
        self._registers = bytearray(0x30)
        self._registers[self.ID] = 0xCB
        # T_HIGH, T_LOW, T_CRIT, T_HYST
        self._registers[4:0xB] = bytes([0x20, 0x00, 0x05, 0x00, 0x49, 0x80, 0x05])
        self._pointer = self._at = 0

    def start(self, reading):
        self._points = not reading  # the first byte that is written is a register's address
        if reading:
            self._at = self._pointer
            sixteenths = int(round(self.celsius * 16))
            value = (
                int(round(self.celsius * 128))
                if self._registers[self.CONFIGURATION] & self.RESOLUTION
                else sixteenths << 3
            )
            self._registers[self.TEMPERATURE_MSB : self.TEMPERATURE_LSB + 1] = struct.pack(
                ">h", max(-32768, min(value, 32767))
            )

    def write(self, byte):
        if self._points:
            self._points = False
            self._pointer = self._at = byte
            if byte == self.RESET:
                self._reset()
        elif self.CONFIGURATION <= self._at < self.ID:
            self._registers[self._at] = byte
            self._at += 1
        return True

    def read(self):
        byte = self._registers[self._at] if self._at < len(self._registers) else 0
        self._at += 1
        return byte


class Als(SpiDevice):
    """A Pmod ALS: a light sensor with an ADC081S021, which sends its 8 bits in the middle of 16.

    light: 0 (dark) to 255
    """

    light = 77

    def select(self, selected):
        self._bytes = list(struct.pack(">H", self.light << 4))

    def transfer(self, byte):
        return self._bytes.pop(0) if self._bytes else 0


class Oled(SpiDevice):
    """A Pmod OLED: a panel of 128 x 32 pixels with an SSD1306. A notebook shows it as a picture.

    Pins beside SPI's: 4 is D/C, data or command; 5 is RES, low to reset. The panel's supplies,
    which 6 and 7 switch, are not modelled."""

    DATA, NOT_RESET = 1 << 4, 1 << 5
    # How many bytes follow a command (datasheet of the SSD1306, table 9-1)
    ARGUMENTS = {
        0x20: 1,
        0x21: 2,
        0x22: 2,
        0x26: 6,
        0x27: 6,
        0x29: 5,
        0x2A: 5,
        0x81: 1,
        0x8D: 1,
        0xA3: 2,
        0xA8: 1,
        0xD3: 1,
        0xD5: 1,
        0xD9: 1,
        0xDA: 1,
        0xDB: 1,
    }
    HORIZONTAL, VERTICAL, PAGE = range(3)  # addressing modes, as command 0x20 numbers them

    def __init__(self):
        self._memory = np.zeros((8, 128), np.uint8)  # a byte is eight pixels, one below the other
        self._levels = 0
        self._reset()

    def _reset(self):
        self._on = self._all_lit = self._inverse = self._mirrored = self._upside_down = False
        self._mode = self.PAGE
        self._page = self._column = self._start_line = 0
        self._pages, self._columns = (0, 7), (0, 127)
        self._command = []  # a command whose arguments have not all come

    def pins(self, levels, driven):
        if driven & self.NOT_RESET and not levels & self.NOT_RESET:
            self._reset()
        self._levels = levels

    def transfer(self, byte):
        if self._levels & self.DATA:
            self._store(byte)
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
        rows = np.unpackbits(self._memory[:, None, :], axis=1)
        rows = rows.reshape(8, 8, 128)[:, ::-1].reshape(64, 128).astype(bool)
        lit = np.roll(rows, -self._start_line, axis=0)[:32] ^ self._inverse
        # On a Pmod OLED the panel is mounted so that it is the right way round with commands 0xA1
        # and 0xC8.
        return lit[:: 1 if self._upside_down else -1, :: 1 if self._mirrored else -1]

    def _store(self, byte):
        self._memory[self._page, self._column] = byte
        if self._mode == self.VERTICAL:
            self._page = self._next(self._page, self._pages)
            if self._page == self._pages[0]:
                self._column = self._next(self._column, self._columns)
        else:
            self._column = self._next(self._column, self._columns)
            if self._mode == self.HORIZONTAL and self._column == self._columns[0]:
                self._page = self._next(self._page, self._pages)

    @staticmethod
    def _next(value, limits):
        return limits[0] if value == limits[1] else (value + 1) % 128

    def _obey(self, command, *arguments):
        if command < 0x10:
            self._column = self._column & 0x70 | command
        elif command < 0x20:
            self._column = (command & 0x07) << 4 | self._column & 0x0F
        elif command == 0x20:
            self._mode = min(arguments[0] & 3, self.PAGE)
        elif command == 0x21:
            self._columns = arguments[0] & 0x7F, arguments[1] & 0x7F
            self._column = self._columns[0]
        elif command == 0x22:  # in page mode, too, it sets the page
            self._pages = arguments[0] & 7, arguments[1] & 7
            self._page = self._pages[0]
        elif 0x40 <= command < 0x80:
            self._start_line = command & 0x3F
        elif command in (0xA0, 0xA1):
            self._mirrored = command == 0xA1
        elif command in (0xA4, 0xA5):
            self._all_lit = command == 0xA5
        elif command in (0xA6, 0xA7):
            self._inverse = command == 0xA7
        elif command in (0xAE, 0xAF):
            self._on = command == 0xAF
        elif 0xB0 <= command < 0xB8:
            self._page = command & 7
        elif command in (0xC0, 0xC8):
            self._upside_down = command == 0xC8

    def _repr_png_(self):
        from PIL import Image

        lit = np.kron(self.picture(), np.ones((4, 4), bool))
        colours = np.where(lit[:, :, None], np.uint8([150, 220, 255]), np.uint8([10, 15, 25]))
        png = io.BytesIO()
        Image.fromarray(np.pad(colours, ((8, 8), (8, 8), (0, 0)))).save(png, "PNG")
        return png.getvalue()
