"""Sensors that see hands: the PAJ7620U2 of the Grove gesture sensor (data sheet of PixArt), and the
TMG39931 of the Grove light, colour, gesture and proximity sensor (data sheet of AMS)."""

import collections
import struct

from .quantity import Quantity
from .registers import RegisterFile


class Gesture(RegisterFile):
    """A Grove gesture sensor. A program reads each gesture once, in the order in which they were
    made."""

    address = 0x73
    PART_ID, GES_RESULT_0, GES_RESULT_1, BANK_SEL = 0x00, 0x43, 0x44, 0xEF
    PRESETS = {PART_ID: [0x20, 0x76]}
    # in GES_RESULT_0, the lowest bit first; and the one in GES_RESULT_1
    GESTURES = (
        *("right", "left", "up", "down", "forward", "backward", "clockwise", "counterclockwise"),
        "wave",
    )

    def __init__(self):
        self._made = collections.deque()
        super().__init__()

    def make(self, *gestures):
        """Makes gestures, one after the other. Any thread may call it. ValueError for one that the
        sensor does not know."""
        for gesture in gestures:
            if gesture not in self.GESTURES:
                raise ValueError(
                    f"gesture is {gesture!r}: the sensor knows {', '.join(self.GESTURES)}."
                )
        self._made.extend(gestures)

    def preset(self):
        super().preset()
        self._bank = 0

    def written(self, number, byte):
        if number == self.BANK_SEL:
            self._bank = byte & 1
        elif self._bank == 0:  # nothing of bank 1 can be seen
            super().written(number, byte)

    def got(self, number):
        results = self.GES_RESULT_0, self.GES_RESULT_1
        if self._bank or number not in results:
            return super().got(number)
        if not self._made:
            return 0
        result, bit = divmod(self.GESTURES.index(self._made[0]), 8)
        if number != results[result]:
            return 0
        self._made.popleft()
        return 1 << bit


class LightColorProximity(RegisterFile):
    """A Grove light, colour, gesture and proximity sensor. What is not switched on in ENABLE reads
    0.

    clear, red, green, blue: counts of the colour sensor; proximity: 0 (far) to 255
    north, south, west, east: counts of its photodiodes for gestures"""

    address = 0x39
    ENABLE, ID, STATUS, GFIFO_N = 0x80, 0x92, 0x93, 0xFC
    PON, AEN, PEN, GEN = 0x01, 0x02, 0x04, 0x40  # of ENABLE
    AVALID, PVALID = 0x01, 0x02  # of STATUS
    PRESETS = {0x81: [0xFF], ID: [0xA8]}  # ATIME

    clear, red = Quantity(0, 65535, "counts"), Quantity(0, 65535, "counts")
    green, blue = Quantity(0, 65535, "counts"), Quantity(0, 65535, "counts")
    proximity = Quantity(0, 255, "counts")
    north, south = Quantity(0, 255, "counts"), Quantity(0, 255, "counts")
    west, east = Quantity(0, 255, "counts"), Quantity(0, 255, "counts")

    def __init__(self):
        self.clear, self.red, self.green, self.blue = 1000, 400, 350, 250
        self.proximity = 0
        self.north = self.south = self.west = self.east = 0
        super().__init__()

    def measure(self):
        on = self.registers[self.ENABLE]
        on = on if on & self.PON else 0
        light = (self.clear, self.red, self.green, self.blue) if on & self.AEN else (0,) * 4
        hand = (self.north, self.south, self.west, self.east) if on & self.GEN else (0,) * 4
        status = (on & self.AEN and self.AVALID) | (on & self.PEN and self.PVALID)
        near = self.proximity if on & self.PEN else 0
        self.put(self.STATUS, struct.pack("<B4HB", status, *light, near))
        self.put(self.GFIFO_N, hand)
