"""Grove water level sensor: two controllers, for its 8 lower and its 12 upper sections of 5 mm
(Seeed's wiki)."""

from .device import I2cDevice
from .quantity import Quantity

WET = 250  # a section in water; below 100 it is dry


class _Sections(I2cDevice):
    def __init__(self, address, first, count):
        self.address, self._first, self._count = address, first, count
        self.wet = 0  # how many of all sections are

    def start(self, reading):
        numbers = range(self._first, self._first + self._count)
        self._left = [WET if number < self.wet else 0 for number in numbers]

    def write(self, byte):
        return True

    def read(self):
        return self._left.pop(0) if self._left else 0


class WaterLevel(_Sections):
    """It feels the height of the water in steps of 0.5 cm. centimeters: 0 to 10"""

    centimeters = Quantity(0, 10, "cm")

    def __init__(self, centimeters=0):
        super().__init__(0x77, 0, 8)
        self._upper = _Sections(0x78, 8, 12)
        self.parts = (self._upper,)
        self.centimeters = centimeters

    def changed(self):
        """The water has risen or fallen."""
        self.wet = self._upper.wet = int(self.centimeters * 2)
