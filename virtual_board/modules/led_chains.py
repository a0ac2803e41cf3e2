"""LEDs in a chain: the Grove LED bar with an MY9221 (data sheet of My-Semi), and the Grove RGB LED
stick with WS2813 (data sheet of Worldsemi)."""

from .device import PmodDevice


class LedBar(PmodDevice):
    """A Grove LED bar of ten LEDs.

    Args:
        data, clock: The numbers of its pins; the MY9221 takes a bit at each edge of the clock.

    brightness: of each LED, 0 to 255, in the order in which they were sent; it changes when the
        MY9221 latches"""

    BITS, COMMAND = 208, 16  # of a whole transfer, and of the command before the data
    LATCHES = 4  # rising edges of the data while the clock stands

    def __init__(self, data, clock):
        self._data, self._clock, self.wires = data, clock, (data, clock)
        self.brightness = [0] * 10
        self._bits, self._rises, self._before = [], 0, (0, 0)

    @property
    def leds(self):
        """int, bit i is 1 if LED i is lit."""
        return sum(1 << led for led, level in enumerate(self.brightness) if level)

    def pins(self, levels, driven):
        levels &= driven
        data, clock = levels >> self._data & 1, levels >> self._clock & 1
        (was, ticked), self._before = self._before, (data, clock)
        if clock != ticked:
            self._bits = [*self._bits[1 - self.BITS :], data]
            self._rises = 0
        elif data > was:
            self._rises += 1
            if self._rises == self.LATCHES and len(self._bits) == self.BITS:
                self._latch()

    def _latch(self):
        for led in range(10):
            at = self.COMMAND + 16 * led
            # in its mode of 8 bits the upper half of a word does nothing
            word = int("".join(map(str, self._bits[at : at + 16])), 2)
            self.brightness[led] = word & 0xFF
        self._bits = []

    def __repr__(self):
        return f"<virtual {type(self).__name__}: {self.brightness}>"


class LedStick(PmodDevice):
    """A Grove RGB LED stick of ten LEDs. A long pulse is a 1, a short one a 0 (data sheet: 0.58 to
    1 us, and 0.22 to 0.38 us). Here a pulse is as long as the number of writes of the program in
    it; one is long if more writes left the pin high than low after it. A program has to send all
    ten LEDs: times by which it could begin anew earlier are not modelled.

    Args:
        pin: Its number."""

    BITS = 240

    def __init__(self, pin):
        self._pin, self.wires = pin, (pin,)
        self._bits, self._high, self._low = [], 0, 0
        self._colors = [(0, 0, 0)] * 10

    @property
    def colors(self):
        """(red, green, blue) of each LED, 0 to 255, as a list."""
        if len(self._bits) == self.BITS - 1 and self._high > self._low > 0:
            return self._decoded([*self._bits, 1])  # nothing comes after the last bit
        return list(self._colors)

    def wrote(self, levels, driven, seconds):
        if levels & driven & 1 << self._pin:
            if self._low:
                self._end_of_bit()
            self._high += 1
        elif self._high:
            self._low += 1
            if self._low > self._high:
                self._end_of_bit()

    def _end_of_bit(self):
        self._bits.append(int(self._high > self._low))
        self._high = self._low = 0
        if len(self._bits) == self.BITS:
            self._colors, self._bits = self._decoded(self._bits), []

    def _decoded(self, bits):
        number = int("".join(map(str, bits)), 2).to_bytes(30, "big")
        return [(number[at + 1], number[at], number[at + 2]) for at in range(0, 30, 3)]

    def __repr__(self):
        lit = sum(any(color) for color in self.colors)
        return f"<virtual {type(self).__name__}: {lit} of 10 LEDs are lit>"
