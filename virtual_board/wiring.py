"""What an IOP's pins lead to: the devices in a connector, and how its peripherals reach them."""

import collections
import operator
import time

import numpy as np

from .messages import FAILED, of_a_students_code, tell
from .modules import I2cDevice, PmodDevice, SpiDevice, UartDevice
from .pulses import Pulses

NOBODY = 0xFF  # what a master reads if no device answers: data lines have pull-ups
ADDRESSES = range(0x03, 0x80)  # 0x00 to 0x02 have other meanings on the bus
NEEDED = (
    (I2cDevice, "write"),
    (I2cDevice, "read"),
    (SpiDevice, "transfer"),
    (UartDevice, "receive"),
)
TRANSFER_KEPT = 64  # bytes of a transfer that are kept for looking at later
TRANSFERS_KEPT = 256
FIELDS = "bus address reading acknowledged sent received"


class Transfer(collections.namedtuple("Transfer", FIELDS)):
    """A transfer on one of the IOP's buses: bus is "I2C" or "SPI". An I2C transfer also has an
    address, whether the IOP reads, and whether a device acknowledged the address. sent and
    received: the first 64 bytes of each."""

    __slots__ = ()

    def steps(self):
        """The steps on the wires, in order, as a list of strings."""
        if self.bus == "SPI":
            both = zip(self.sent, self.received)
            return ["SS low", *(f"{sent:02x} / {got:02x}" for sent, got in both), "SS high"]
        address = "{:#x} {}".format(self.address, "R" if self.reading else "W")
        data = [f"{byte:02x}" for byte in (self.received if self.reading else self.sent)]
        return ["START", address, "ACK" if self.acknowledged else "NAK", *data, "STOP"]


def _whole(value):
    """The value as an int, or None if it is not a whole number's type."""
    try:
        return operator.index(value)
    except TypeError:
        return None


class Wiring:
    """The wires from an IOP to the devices in its connector. An error in a student's device is
    reported on standard error, once each, and the IOP goes on with the answer of an empty
    connector. However many I2C or SPI controllers the IOP has, they reach the same devices.

    The thread that serves the IOP calls the methods, or the board while there is none. Any thread
    may call check(), check_pin(), inputs() and analog().

    Args:
        name: The connector's, as the board has it: "pmoda".
        pins: How many pins it has; they are numbered from 0 on.
        pulled_up: Which pins have a pull-up, bit by bit.
        analog: Names of its analog pins.

    transfers: the last transfers on the IOP's buses, the newest last; that one may still be going
        on
    volts: {name of an analog pin: the voltage there, unless a device drives it}"""

    def __init__(self, name, pins, pulled_up=0, analog=()):
        self.name, self.pins, self.pulled_up = name, pins, pulled_up
        self.volts = dict.fromkeys(analog, 0.0)
        self.pulses = Pulses()  # that devices send to the IOP
        self.devices = []
        self.transfers = collections.deque(maxlen=TRANSFERS_KEPT)
        self._told = set()
        self._pins = 0, 0  # levels, and which the IOP drives
        self._pwm = {}  # {pin: (period, high time)} of the signals of the IOP's timers
        self._addressed = None  # the I2C device of the transfer that is going on
        self._selected = False  # the slave select line of SPI

    def check(self, device):
        """TypeError or ValueError, with the remedy, unless a device could be plugged in now."""
        if isinstance(device, type):
            raise TypeError(
                f"{device.__name__} is a class: plug in a device of that class, as in"
                f" board.plug({device.__name__}())."
            )
        if not isinstance(device, PmodDevice):
            raise TypeError(
                f"{device!r} is not a virtual module: derive its class from I2cDevice, SpiDevice,"
                " UartDevice or PmodDevice of virtual_board.pmods."
            )
        name = type(device).__name__
        if self._has(device):
            raise ValueError(
                f"This {name} is plugged in already: board.unplug(it) first, or plug in another."
            )
        if device._refresh is not None:
            raise ValueError(
                f"This {name} is in another connector: unplug it there first, or plug in another."
            )
        self._check_pins(name, device)
        for base, method in NEEDED:
            if isinstance(device, base) and getattr(type(device), method) is getattr(base, method):
                raise TypeError(
                    f"{name} has no method {method}: write one, as described in {base.__name__} of"
                    " virtual_board/modules/device.py."
                )
        for part in (device, *device.parts):
            if isinstance(part, I2cDevice):
                self._check_address(type(part).__name__, part.address)
        others = self._those(SpiDevice)
        if isinstance(device, SpiDevice) and others:
            raise ValueError(
                f"A connector has one slave select line, and a {type(others[0]).__name__} uses it:"
                " unplug that one first."
            )

    def _check_pins(self, name, device):
        for pin in device.uses:
            self.check_pin(pin)
            other = next((one for one in self.devices if pin in one.uses), None)
            if other is not None:
                raise ValueError(
                    f"{name} uses the pin {pin!r}, as does the {type(other).__name__} that is"
                    " plugged in: give it another pin, or unplug that one first."
                )

    def check_pin(self, pin):
        """ValueError unless this is the number of a pin, or the name of an analog one."""
        if pin in self.volts or _whole(pin) is not None and 0 <= pin < self.pins:
            return
        also = " and " + ", ".join(self.volts) if self.volts else ""
        raise ValueError(
            f"pin is {pin!r}: the connector {self.name} has the pins 0 to {self.pins - 1}{also}."
        )

    def _check_address(self, name, address):
        number = _whole(address)
        if number not in ADDRESSES:
            shown = repr(address) if number is None else hex(number)
            raise ValueError(
                f"{name} has the address {shown}: an I2C device has one of 0x03 to 0x7f, without"
                " the bit for reading."
            )
        for other in self._those(I2cDevice):
            if other.address == address:
                raise ValueError(
                    f"{name} has the I2C address {address:#x}, as has the {type(other).__name__}"
                    " that is plugged in: give it another, or unplug that one first."
                )

    def plug(self, device):
        """Plugs in a device for which check() has passed."""
        self.devices.append(device)
        self._told = {told for told in self._told if told[0] != id(device)}
        self._call(device, "pins", *self._pins)
        for pin, (period, high) in self._pwm.items():
            self._call(device, "pwm", pin, period, high)
        if self._selected and isinstance(device, SpiDevice):
            self._call(device, "select", True)

    def unplug(self, device):
        """ValueError if it is not plugged in."""
        if not self._has(device):
            raise ValueError(
                f"This {type(device).__name__} is not plugged in, so it cannot be unplugged:"
                " board.plug(it) plugs it in."
            )
        self.devices = [other for other in self.devices if other is not device]
        if any(self._addressed is part for part in (device, *device.parts)):
            self._addressed = None

    def _has(self, device):
        # by identity, because a student's class may define __eq__
        return any(device is other for other in self.devices)

    def _all(self):
        """The devices, and the parts of those that have some."""
        return [one for device in self.devices for one in (device, *device.parts)]

    def _those(self, kind):
        return [device for device in self._all() if isinstance(device, kind)]

    # The pins

    def reset(self):
        """There is no IOP any more: nothing drives a pin or a bus."""
        self.pulses.clear()
        self._addressed, self._selected = None, False
        self.show(0, 0)
        self.show_pwm({})

    def show(self, levels, driven):
        """The IOP's pins may have changed."""
        if self._pins != (levels, driven):
            self._pins = levels, driven
            for device in self._all():
                self._call(device, "pins", levels, driven)

    def wrote(self):
        """The program has written to its pins; show() came before, if that changed one."""
        now = time.monotonic()
        for device in self._all():
            self._call(device, "wrote", *self._pins, now)

    def show_pwm(self, signals):
        """The timers' signals may have changed. signals: {pin: (period, high time)} in ticks."""
        before, self._pwm = self._pwm, signals
        for pin in sorted({*before, *signals}):
            if before.get(pin) != signals.get(pin):
                for device in self._all():
                    self._call(device, "pwm", pin, *signals.get(pin, (0, 0)))

    def inputs(self):
        """(which pins are driven by a device, their levels), bit by bit."""
        driven = levels = 0
        for device in self.devices:
            for pin, level in device._drives:
                driven |= 1 << pin
                levels |= bool(level) << pin
        return driven, levels

    def analog(self):
        """{name of an analog pin: volts}"""
        volts = dict(self.volts)
        for device in self.devices:
            volts.update(device._volts)
        return volts

    def capture_period(self, pins):
        """Ticks of 10 ns between the rising edges that a device sends to one of these pins, which
        are those of a timer's capture input, bit by bit; 0 if there are none."""
        sending = [one for one in self._all() if pins and self._captures(one, pins)]
        return next(filter(None, map(self._capture_period, sending)), 0)

    def _captures(self, device, pins):
        def there():
            return device.capture_pin is None or bool(pins >> device.capture_pin & 1)

        return self._try(device, "capture_pin", there) is True

    def _capture_period(self, device):
        period = self._try(device, "capture_period", lambda: device.capture_period)
        if period is FAILED:
            return 0
        number = _whole(period)
        if number is not None and number >= 0:
            return number
        self._tell_rubbish(
            device,
            f"capture_period is {period!r}: it is a whole number of ticks of 10 ns, or 0 for no"
            " edges, and the IOP sees 0",
        )
        return 0

    # The buses, as ip.Iic and ip.Spi call them

    def i2c_start(self, address, reading):
        there = [device for device in self._those(I2cDevice) if device.address == address]
        self._addressed = there[0] if there else None
        acknowledged = bool(there) and self._call(there[0], "start", reading) is not FAILED
        self._begin("I2C", address, reading, acknowledged)
        return acknowledged

    def i2c_write(self, byte):
        self._keep("sent", byte)
        answer = False if self._addressed is None else self._call(self._addressed, "write", byte)
        if isinstance(answer, (int, np.bool_)):
            return bool(answer)
        if answer is not FAILED:
            self._tell_rubbish(
                self._addressed,
                f"write() returned {answer!r}: return True if the device acknowledges the byte, or"
                " else False, and the IOP sees False",
            )
        return False

    def i2c_read(self, acknowledged):
        byte = NOBODY if self._addressed is None else self._byte(self._addressed, "read")
        self._keep("received", byte)
        return byte

    def i2c_stop(self):
        if self._addressed is not None:
            self._call(self._addressed, "stop")
            self._addressed = None

    def spi_select(self, selected):
        self._selected = selected
        if selected:
            self._begin("SPI", None, None, None)
        for device in self._those(SpiDevice):
            self._call(device, "select", selected)

    def spi_transfer(self, byte):
        answer = NOBODY
        for device in self._those(SpiDevice):
            answer = self._byte(device, "transfer", byte)
        self._keep("sent", byte)
        self._keep("received", answer)
        return answer

    def uart_send(self, byte):
        """The IOP sends a byte."""
        for device in self._those(UartDevice):
            self._call(device, "receive", byte)

    def uart_received(self):
        """The next byte that a device sends, or None."""
        for device in self._those(UartDevice):
            if device._to_send:
                return device._to_send.popleft()
        return None

    def _begin(self, *what):
        self.transfers.append(Transfer(*what, sent=bytearray(), received=bytearray()))

    def _keep(self, which, byte):
        if self.transfers:
            data = getattr(self.transfers[-1], which)
            if len(data) < TRANSFER_KEPT:
                data.append(byte)

    # Errors in a device

    def _byte(self, device, method, *arguments):
        answer = self._call(device, method, *arguments)
        if answer is FAILED:
            return NOBODY
        try:
            if 0 <= answer <= 0xFF and answer == int(answer):
                return int(answer)
        except (TypeError, ValueError):
            pass
        self._tell_rubbish(
            device,
            f"{method}() returned {answer!r}: a byte is a whole number from 0 to 255, and the IOP"
            " reads 0xff",
        )
        return NOBODY

    def _call(self, device, method, *arguments):
        """The result of a device's method, or FAILED."""
        return self._try(device, method + "()", lambda: getattr(device, method)(*arguments))

    def _try(self, device, name, function):
        """The function's result, or FAILED if it raises anything: even exit() is not a reason to
        stop the IOP."""
        try:
            return function()
        except BaseException as error:
            where, trace = of_a_students_code(error, __file__)
            self._tell(
                device,
                where,
                f"{trace}This came from {type(device).__name__}.{name}, and the IOP goes on as if"
                " nothing were plugged in.\n",
            )
            return FAILED

    def _tell_rubbish(self, device, text):
        """Tells once of each attribute, with which the text begins."""
        whole = f"{type(device).__name__}.{text} in its place.\n"
        self._tell(device, text.split()[0], whole)

    def _tell(self, device, what, text):
        if (id(device), what) not in self._told:
            self._told.add((id(device), what))
            tell(text)
