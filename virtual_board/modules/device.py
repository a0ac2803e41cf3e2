"""The classes from which a module derives. The thread that serves the IOP calls a module's methods,
one at a time, while the IOP's program waits; any thread may set its attributes. It answers at once:
on the virtual board no transfer takes time."""

import collections
import threading

_driving = threading.Lock()  # of any module's pins
MOST_PINS = 28  # of a Raspberry Pi's connector
MOST_VOLTS = 3.3  # reference manuals of the boards: an analog pin takes 0 to 3.3 V


class PmodDevice:
    """The base class of every module; one without a bus derives from it directly. Pins are numbered
    as in pynq; a Pmod's are 0 to 3 in the upper row, from right to left, and 4 to 7 in the lower.

    capture_period: ticks of 10 ns between the rising edges that it sends to the capture input of a
        timer; 0: none
    capture_pin: the pin on which it sends them; None: whichever a timer captures
    wires: pins that it has for itself; another module with one of them cannot be plugged in
    parts: further devices of the same module, as one with several I2C addresses has them"""

    capture_period, capture_pin = 0, None
    wires, parts = (), ()
    _wiring = None  # of the connector that it is plugged into
    _refresh = None  # a function of the board's, to be called when a driven pin has changed
    _drives = ()  # (pin, level) of each pin that the module drives
    _volts = {}  # {name of an analog pin: the voltage with which the module drives it}

    def __repr__(self):
        return f"<virtual {type(self).__name__}>"

    @property
    def uses(self):
        """The pins that only this module may use."""
        return {*self.wires, *self._volts}

    def pins(self, levels, driven):
        """The pins have changed. levels: bit i is the level of pin i; driven: bit i is 1 if the IOP
        drives that pin."""

    def wrote(self, levels, driven, seconds):
        """The program has written to its pins, even if that changed none.

        Args:
            levels, driven: As of pins().
            seconds: time.monotonic() of the PC. A write takes some 10 us here, more on a busy PC,
                and much less than a microsecond on a board: the order and the number of writes are
                true, times between them are not."""

    def pwm(self, pin, period, high):
        """A timer of the IOP now sends this signal to a pin. period, high: how long it is, and how
        much of that it is high, in ticks of 10 ns; 0 and 0: it sends no signal there any more."""

    def drive(self, pin, level):
        """Drives a pin with a level (0 or 1), or stops driving it (None). Any thread may call it.
        ValueError for another pin or level."""
        if self._wiring is not None:
            self._wiring.check_pin(pin)
        if pin not in range(MOST_PINS):
            raise ValueError(
                f"pin is {pin!r}: a Pmod has the pins 0 to 7, and no connector one beyond"
                f" {MOST_PINS - 1}."
            )
        if level not in (0, 1, None):
            raise ValueError(
                f"level is {level!r}: give 0 or 1, or None for a pin that is not driven."
            )
        with _driving:
            others = tuple(pair for pair in self._drives if pair[0] != pin)
            self._drives = others if level is None else others + ((pin, level),)
        self._tell_the_board()

    def drive_volts(self, pin, volts):
        """Applies a voltage of 0 to 3.3 to an analog pin, named like "A0". Any thread may call it.
        ValueError for another pin or voltage."""
        if self._wiring is not None and pin not in self._wiring.volts or not isinstance(pin, str):
            raise ValueError(f'pin is {pin!r}: name an analog pin of the connector, as "A0".')
        volts = checked_volts(volts)
        with _driving:
            self._volts = {**self._volts, pin: volts}
        self._tell_the_board()

    def send_pulse(self, pin, ticks):
        """Sends a pulse of so many ticks of 10 ns, which is high, to a pin. Only this module's
        methods that the IOP's thread calls may call it."""
        self._wiring.pulses.send(lambda level: self.drive(pin, level), ticks)

    def _tell_the_board(self):
        if self._refresh is not None:
            self._refresh()


def checked_volts(volts):
    """The voltage as a float. ValueError unless an analog pin takes it."""
    try:
        number = None if isinstance(volts, str) else float(volts)
    except (TypeError, ValueError):
        number = None
    if number is None or not 0 <= number <= MOST_VOLTS:
        raise ValueError(f"volts is {volts!r}: an analog pin takes 0 to {MOST_VOLTS} V.")
    return number


class I2cDevice(PmodDevice):
    """A device on the IOP's I2C bus. Your own class has at least the methods write and read.

    address: 7 bits, 0x03 to 0x7F"""

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


class UartDevice(PmodDevice):
    """A device on the IOP's UART. Your own class has at least the method receive."""

    _to_send = ()  # a deque, once something was sent

    def receive(self, byte):
        """The IOP sends a byte (0 to 255)."""
        raise NotImplementedError

    def send(self, data):
        """Sends bytes to the IOP, which gets them one after the other: bytes, or a list of
        numbers from 0 to 255. TypeError or ValueError for anything else. Any thread may call it."""
        if isinstance(data, int):
            raise TypeError(f"data is {data!r}: give bytes, or a list of numbers, as [{data!r}].")
        waiting = self.__dict__.setdefault("_to_send", collections.deque())
        waiting.extend(bytes(data))
        self._tell_the_board()
