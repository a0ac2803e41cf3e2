"""The board's connectors, into which modules are plugged."""

from .description import CONNECTORS
from .modules.device import checked_volts
from .wiring import Wiring

# base.xdc of both boards: those pins of a Pmod that can be I2C's. A PYNQ-Z2 has the eight pins of
# Pmod A on its Raspberry Pi connector, too.
PULLED_UP = {"pmoda": 0b11001100, "pmodb": 0b11001100, "rpi": 0b11001100}
ANALOG = {"arduino": ("A0", "A1", "A2", "A3", "A4", "A5")}


def wiring_of(name):
    """A new Wiring, with the pins of a connector.

    Args:
        name: In description.CONNECTORS."""
    return Wiring(name, CONNECTORS[name], PULLED_UP.get(name, 0), ANALOG.get(name, ()))


class Connector:
    """A connector of the board. Any thread may call any method.

    Args:
        board: The VirtualBoard.
        name: In description.CONNECTORS.

    name: as above
    pins: how many digital pins it has, numbered from 0 on as in pynq
    wiring: for the board: what the IOP's peripherals reach"""

    def __init__(self, board, name):
        self._board, self.name, self.pins = board, name, CONNECTORS[name]
        self.wiring = wiring_of(name)

    def __repr__(self):
        names = ", ".join(type(device).__name__ for device in self.plugged())
        return f"<connector {self.name}: {names or 'nothing is plugged in'}>"

    def plug(self, device):
        """Plugs a module (modules/) in, before or after a download.

        Returns:
            The device.
        Raises:
            TypeError, ValueError: It cannot be plugged in; the message says what to do."""
        self._board.check_open()
        with self._board._lock:
            self.wiring.check(device)
            self._with_iop(lambda: self._put_in(device))
            iop = self._iop()
            if iop is not None:
                iop.peripherals.serving = True
        self._refresh()
        return device

    def unplug(self, device):
        """Unplugs it. ValueError if it was not plugged in."""
        self._board.check_open()
        with self._board._lock:
            self._with_iop(lambda: self.wiring.unplug(device))
            device._wiring = device._refresh = None
        self._refresh()

    def plugged(self):
        """The modules that are plugged in, as a list."""
        return list(self.wiring.devices)

    def transfers(self):
        """The last transfers on the IOP's buses, the newest last: a list of wiring.Transfer."""
        return list(self.wiring.transfers)

    def set_volts(self, pin, volts):
        """Applies a voltage to an analog pin, until it is set anew. ValueError for another pin, or
        a voltage that would harm the board.

        Args:
            pin: Its name, as "A0".
            volts: 0 to 3.3."""
        self._board.check_open()
        there = self.wiring.volts
        if pin not in there:
            has = "the analog pins " + ", ".join(there) if there else "no analog pin"
            raise ValueError(f"pin is {pin!r}: the connector {self.name} has {has}.")
        there[pin] = checked_volts(volts)
        self._refresh()

    def let_go(self):
        """To be called when the board closes: its modules can be plugged in elsewhere."""
        for device in self.plugged():
            device._wiring = device._refresh = None

    def _put_in(self, device):
        device._wiring = self.wiring
        self.wiring.plug(device)
        device._refresh = self._refresh

    def _iop(self):
        """The IOP whose pins lead here, or None."""
        iops = list(self._board.fabric.iops.values())
        return next((iop for iop in iops if iop.described.connector == self.name), None)

    def _refresh(self):
        iop = self._iop()
        if iop is not None:  # else the pins are set when there is an overlay
            self._with_iop(iop.peripherals.refresh_pins)

    def _with_iop(self, function):
        """Calls a function that changes peripherals or wiring in the thread that serves them."""
        self._board.check_open()
        iop = self._iop()
        if iop is not None and iop.microblaze.is_open:
            iop.microblaze.ask_standing(function)
        else:
            function()
