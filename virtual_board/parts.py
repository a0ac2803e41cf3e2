"""The board's own parts, which AXI GPIOs of an overlay reach: LEDs, RGB LEDs, buttons, switches."""

import re
import threading

# the names of the board's pins in an overlay (base.xdc, and the board files of Vivado), and those
# of the GPIOs in a base overlay
PINS = {
    "leds": re.compile(r"leds_4bits|leds"),
    "rgbleds": re.compile(r"rgb_?leds(_6bits)?"),
    "buttons": re.compile(r"btns_4bits|btns|buttons"),
    "switches": re.compile(r"sws_2bits|sws|switches"),
}
USUAL = {
    "leds_gpio": "leds",
    "rgbleds_gpio": "rgbleds",
    "btns_gpio": "buttons",
    "switches_gpio": "switches",
}
COLORS = "off", "blue", "green", "cyan", "red", "magenta", "yellow", "white"


class Led:
    """A green LED. is_on: whether it is lit"""

    def __init__(self, shown, index):
        self._shown, self._index = shown, index

    @property
    def is_on(self):
        return bool(self._shown() >> self._index & 1)

    def __repr__(self):
        return f"LD{self._index} is {'on' if self.is_on else 'off'}"


class RgbLed:
    """An LED of three colors.

    color: 0 to 7, a sum of blue 1, green 2 and red 4, as pynq's RGB_BLUE and so on
    is_on: whether one of these is lit"""

    def __init__(self, shown, index):
        self._shown, self._index = shown, index

    @property
    def color(self):
        return self._shown() >> 3 * self._index & 7

    @property
    def is_on(self):
        return self.color != 0

    def __repr__(self):
        return f"LD{4 + self._index} is {COLORS[self.color]}"


class Input:
    """What a finger moves. level: 0 or 1"""

    def __init__(self, move, index):
        self._move, self._index, self.level = move, index, 0

    def _set(self, level):
        self._move(self, level)


class Button(Input):
    """is_pressed: whether it is down"""

    _press = None  # the last press() that was not released

    @property
    def is_pressed(self):
        return bool(self.level)

    def press(self, seconds=None):
        """Presses it, and returns at once.

        Args:
            seconds: When it is released by itself; without it, by release().
        Raises:
            ValueError: seconds is not more than 0. Nothing has changed."""
        if seconds is not None:
            if not isinstance(seconds, (int, float)) or not 0 < seconds <= threading.TIMEOUT_MAX:
                raise ValueError(
                    f"seconds is {seconds!r}: give a number greater than 0, or nothing, and call"
                    " release() later."
                )
        press = self._press = object()
        self._set(1)
        if seconds is not None:
            later = threading.Timer(seconds, self._end, [press])
            later.daemon = True
            later.start()

    def release(self):
        """Releases it."""
        self._press = None
        self._set(0)

    def _end(self, press):
        if self._press is press:  # and there was no other one since
            self.release()

    def __repr__(self):
        return f"BTN{self._index} is {'pressed' if self.level else 'released'}"


class Switch(Input):
    """is_on: whether it is on"""

    @property
    def is_on(self):
        return bool(self.level)

    def on(self):
        """Moves it to on."""
        self._set(1)

    def off(self):
        """Moves it to off."""
        self._set(0)

    def __repr__(self):
        return f"SW{self._index} is {'on' if self.level else 'off'}"


class Row(tuple):
    """The board's parts of one kind."""

    __slots__ = ()

    def __repr__(self):
        return ", ".join(map(repr, self))


class BoardParts:
    """Buttons and switches stay as they are when an overlay is downloaded. Any thread may use what
    is here.

    refresh: a function without arguments that is called after one of them was moved"""

    def __init__(self):
        self.refresh = lambda: None
        self._shown = {"leds": 0, "rgbleds": 0}
        self.leds = Row(Led(lambda: self._shown["leds"], index) for index in range(4))
        self.rgbleds = Row(RgbLed(lambda: self._shown["rgbleds"], index) for index in range(2))
        self.buttons = Row(Button(self._move, index) for index in range(4))
        self.switches = Row(Switch(self._move, index) for index in range(2))

    def go_dark(self):
        """The fabric is empty."""
        self._shown = dict.fromkeys(self._shown, 0)

    def wired_to(self, gpio, port, channel):
        """(changed, pulled_up, inputs), as ip.gpio.Channel takes them.

        Args:
            gpio: Full name of an AXI GPIO.
            port: The name of the port of the fabric that its channel leads to, or None if the
                overlay's description names none.
            channel: 1 or 2."""
        kind = USUAL.get(gpio) if channel == 1 else None
        if port is not None:
            kind = next((kind for kind, name in PINS.items() if name.fullmatch(port)), None)
        if kind in self._shown:
            return lambda levels, driven: self._shown.update({kind: levels & driven}), 0, None
        if kind is not None:
            row = getattr(self, kind)
            return lambda levels, driven: None, 0, lambda: (2 ** len(row) - 1, _levels(row))
        return lambda levels, driven: None, 0, None

    def _move(self, part, level):
        if part.level != level:
            part.level = level
            self.refresh()


def _levels(row):
    return sum(part.level << index for index, part in enumerate(row))
