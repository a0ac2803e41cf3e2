"""Modules of one pin: what drives it, and what the IOP drives."""

from .device import PmodDevice


class DigitalSensor(PmodDevice):
    """A sensor that drives its pin with 0 or 1: a button, a PIR motion sensor, a line finder, a
    water sensor.

    Args:
        pin: Its number.
        level: At first."""

    def __init__(self, pin, level=0):
        self._pin, self.wires = pin, (pin,)
        self.level = level

    @property
    def level(self):
        """0 or 1; ValueError for another."""
        return self._level

    @level.setter
    def level(self, level):
        if level not in (0, 1):
            raise ValueError(f"level is {level!r}: give 0 or 1.")
        self.drive(self._pin, int(level))
        self._level = int(level)

    def __repr__(self):
        return f"<virtual {type(self).__name__}: pin {self._pin} is {self.level}>"


class Button(DigitalSensor):
    """A button: its pin is 1 while it is pressed."""

    def press(self):
        """Presses it."""
        self.level = 1

    def release(self):
        """Lets it go."""
        self.level = 0


class Pir(DigitalSensor):
    """A PIR sensor: its pin is 1 while something moves."""


class LineFinder(DigitalSensor):
    """A line finder: its pin is 1 over a black line."""


class WaterSensor(DigitalSensor):
    """A water sensor: its pin is 0 while it is wet."""

    def __init__(self, pin, level=1):
        super().__init__(pin, level)


class Actuator(PmodDevice):
    """What the IOP switches on with a 1: an LED, a relay, a buzzer.

    Args:
        pin: Its number.

    on: whether it is on
    changes: how often it was switched on or off"""

    on, changes = False, 0

    def __init__(self, pin):
        self._pin, self.wires = pin, (pin,)

    def pins(self, levels, driven):
        on = bool(levels & driven & 1 << self._pin)
        if on != self.on:
            self.on, self.changes = on, self.changes + 1

    def __repr__(self):
        return f"<virtual {type(self).__name__}: {'on' if self.on else 'off'}>"


class Led(Actuator):
    """An LED."""


class Relay(Actuator):
    """A relay."""


class Buzzer(Actuator):
    """A buzzer. A program makes a tone by switching it on and off, or with a timer.

    hertz: of the timer's signal, 0.0 if there is none"""

    hertz = 0.0

    def pwm(self, pin, period, high):
        if pin == self._pin:
            self.hertz = 1e8 / period if high else 0.0
