"""Grove sensors that give a voltage, on an analog pin of the Arduino connector or in a GroveAdc."""

import math

from .device import PmodDevice
from .quantity import Quantity

SUPPLY = 3.3  # volts, at an analog pin


class AnalogSensor(PmodDevice):
    """A sensor that gives a part of its supply.

    Args:
        pin: "A0" to "A5", for the Arduino connector; None: it is to be given to a GroveAdc."""

    def __init__(self, pin=None):
        self._pin = pin
        self.changed()

    @property
    def uses(self):
        if self._pin is None:
            name = type(self).__name__
            raise ValueError(
                f'This {name} has no pin: make it as {name}(pin="A0"), or plug in'
                f" GroveAdc({name}())."
            )
        return super().uses

    def part(self):
        """The part of its supply that it gives, 0 to 1."""
        raise NotImplementedError

    def volts(self, supply):
        """The voltage that it gives at this supply."""
        return self.part() * supply

    def changed(self):
        """A Quantity has changed."""
        if self.__dict__.get("_pin") is not None:
            self.drive_volts(self._pin, self.volts(SUPPLY))


class Potentiometer(AnalogSensor):
    """Grove rotary angle sensor: position 0 to 1."""

    position = Quantity(0, 1, "of the way")

    def __init__(self, position=0.5, pin=None):
        self.position = position
        super().__init__(pin)

    def part(self):
        return self.position


class LightSensor(AnalogSensor):
    """Grove light sensor: a resistor of 10 kilohm to ground below one that is the smaller the
    brighter it is.

    kiloohms: of the latter, 1 (bright) to 1000 (dark)"""

    kiloohms = Quantity(1, 1000, "kilohm")

    def __init__(self, kiloohms=10, pin=None):
        self.kiloohms = kiloohms
        super().__init__(pin)

    def part(self):
        return 10 / (10 + self.kiloohms)


class Thermistor(AnalogSensor):
    """Grove temperature sensor v1.2: an NCP18WF104F03RC of 100 kilohm at 25 °C (data sheet of
    Murata), above a resistor of 100 kilohm.

    Args:
        beta: B constant of the formula of its programs; 4250 as in pynq's Grove_TMP."""

    celsius = Quantity(-40, 125, "°C")

    def __init__(self, celsius=21.5, pin=None, beta=4250):
        self._beta = beta
        self.celsius = celsius
        super().__init__(pin)

    def part(self):
        ratio = math.exp(self._beta * (1 / (self.celsius + 273.15) - 1 / 298.15))
        return 1 / (ratio + 1)


class MoistureSensor(AnalogSensor):
    """Grove capacitive moisture sensor: the wetter the soil, the lower the voltage.

    percent: 0 (in air) to 100 (in water), between the two points of its programs"""

    DRY, WET = 1 - 0.6166, 1 - 0.7247  # parts of the supply

    percent = Quantity(0, 100, "%")

    def __init__(self, percent=50, pin=None):
        self.percent = percent
        super().__init__(pin)

    def part(self):
        return self.DRY + (self.WET - self.DRY) * self.percent / 100


class PhSensor(AnalogSensor):
    """Grove pH sensor: the higher the pH, the lower the voltage. VOLTS: {pH: volts} of the two
    solutions with which it was calibrated."""

    VOLTS = {4.0: 1.93, 9.18: 1.66}

    ph = Quantity(0, 14, "pH")

    def __init__(self, ph=7, pin=None):
        self.ph = ph
        super().__init__(pin)

    def volts(self, supply):
        (acid, low), (base, high) = self.VOLTS.items()
        return low + (high - low) * (self.ph - acid) / (base - acid)


class Joystick(PmodDevice):
    """Grove thumb joystick on two analog pins of the Arduino connector: x and y, -1 to 1.

    pressed: whether the stick is pressed, which pulls x to its supply"""

    # Seeed's wiki: it turns a resistor between 20 % and 78 % of the whole
    MIDDLE, SPAN = 0.49, 0.29

    x, y = Quantity(-1, 1, "of the way"), Quantity(-1, 1, "of the way")
    pressed = Quantity(False, True, "(pressed)")

    def __init__(self, x_pin="A0", y_pin="A1"):
        self._pins = None
        self.x = self.y = 0
        self.pressed = False
        self._pins = x_pin, y_pin
        self.changed()

    def changed(self):
        """A Quantity has changed."""
        if self._pins is not None:
            x = 1 if self.pressed else self.MIDDLE + self.SPAN * self.x
            self.drive_volts(self._pins[0], x * SUPPLY)
            self.drive_volts(self._pins[1], (self.MIDDLE + self.SPAN * self.y) * SUPPLY)
