"""The class from which an I2C module with registers derives."""

from .device import I2cDevice


class RegisterFile(I2cDevice):
    """256 registers of a byte. The first byte that a program writes is the number of a register,
    where the transfer begins, or the next one; each byte goes to the register after.

    PRESETS: {number of a register: the bytes from there on, after a reset}"""

    PRESETS = {}

    def __init__(self):
        self._pointer, self._points = 0, False
        self.preset()

    def preset(self):
        """Resets the registers."""
        self.registers = bytearray(256)
        for number, data in self.PRESETS.items():
            self.put(number, data)

    def put(self, number, data):
        """Puts bytes into registers, from this one on."""
        self.registers[number : number + len(data)] = data

    def start(self, reading):
        self._points = not reading
        if reading:
            self.measure()

    def write(self, byte):
        if self._points:
            self._pointer, self._points = byte, False
        else:
            self.written(self._pointer, byte)
            self._pointer = (self._pointer + 1) & 0xFF
        return True

    def read(self):
        byte = self.got(self._pointer)
        self._pointer = (self._pointer + 1) & 0xFF
        return byte

    # What a module does differently

    def measure(self):
        """The program is about to read registers: the measured ones get their values here."""

    def written(self, number, byte):
        """The program writes a byte to a register."""
        self.registers[number] = byte

    def got(self, number):
        """The program reads a register: returns its byte."""
        return self.registers[number]

    def changed(self):
        """A Quantity of the module has changed."""
