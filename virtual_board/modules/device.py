"""The classes from which a module derives. The thread that serves the IOP calls a module's methods,
one at a time, while the IOP's program waits; any thread may set its attributes. It answers at once:
on the virtual board no transfer takes time."""


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
