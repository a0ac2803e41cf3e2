"""The virtual board: its parts, from when it is made to when it is closed."""

import atexit
import os
import threading

from .cma import CmaPool
from .connector import Connector
from .description import CONNECTORS
from .fabric import Fabric
from .memory import SharedMemory
from .microblaze.mmu import FILE_SIZE
from .parts import BoardParts
from .picture import drawing, live, text


class VirtualBoard:
    """Belongs to the process that made it; virtual_board.activate() makes one.

    Any thread of that process may call any method; only one downloads or closes at a time. In a
    forked child only is_open(), check_open() and close() may be called.

    pmoda, pmodb, arduino, rpi: the Connectors; an overlay's IOPs lead to those that it has"""

    def __init__(self):
        from pynq.pl_server import Device

        from . import pynq_patches  # puts the stand-ins in place
        from .device import VirtualDevice

        self._process = os.getpid()
        self._lock = threading.RLock()
        self.memory = SharedMemory(FILE_SIZE)
        self.cma = CmaPool(self.memory, lambda: self.fabric.users())
        self._connectors = {name: Connector(self, name) for name in CONNECTORS}
        self.pmoda, self.pmodb = self._connectors["pmoda"], self._connectors["pmodb"]
        self.arduino, self.rpi = self._connectors["arduino"], self._connectors["rpi"]
        wiring = {name: connector.wiring for name, connector in self._connectors.items()}
        self._parts, self._live = BoardParts(), None
        self.fabric = Fabric(self.memory, wiring, self._parts)
        self._device = Device.active_device = VirtualDevice(self)
        atexit.register(self.close)

    def __repr__(self):
        return text(self)

    def _repr_html_(self):
        return drawing(self)

    def show(self):
        """The board's picture, live, as the last value of a notebook's cell: a click presses a
        button for half a second, and moves a switch; while a cell runs, it waits until that ends.
        Without a notebook, the board itself, which prints as text."""
        from IPython import get_ipython

        if getattr(get_ipython(), "kernel", None) is None:
            return self
        if self._live is None or self._live.comm is None:  # the first, or closed
            self._live = live(self)
        return self._live

    @property
    def iop(self):
        """The IOP. RuntimeError before an overlay brings one into the fabric."""
        iop = self.fabric.iop
        if iop is None:
            raise RuntimeError(
                "There is no IOP yet: download the overlay first, with "
                'Overlay("./bitstream/pynq_tutorial.bit").'
            )
        return iop

    @property
    def microblaze(self):
        """The IOP's processor. RuntimeError as for iop."""
        return self.iop.microblaze

    @property
    def iop1(self):
        """The IOP's peripherals. RuntimeError as for iop."""
        return self.iop.peripherals

    @property
    def leds(self):
        """The four green LEDs: board.leds[0].is_on."""
        return self._parts.leds

    @property
    def rgbleds(self):
        """The two RGB LEDs, LD4 and LD5: board.rgbleds[0].color."""
        return self._parts.rgbleds

    @property
    def buttons(self):
        """The four buttons: board.buttons[0].press(), .press(0.5), .release(), .is_pressed."""
        return self._parts.buttons

    @property
    def switches(self):
        """The two switches: board.switches[1].on(), .off(), .is_on."""
        return self._parts.switches

    @property
    def circuits(self):
        """{full name of an IP: the object} of each class given to add_circuit()."""
        return self.fabric.linux.circuits()

    def has_overlay(self):
        return self.fabric.overlay is not None

    def connectors(self):
        """The Connectors as a list; a Raspberry Pi's only if something leads to it."""
        connectors = [self.pmoda, self.pmodb, self.arduino]
        overlay = self.fabric.overlay
        leads_to_rpi = overlay and any(iop.connector == "rpi" for iop in overlay.iops)
        return connectors + [self.rpi] * bool(leads_to_rpi or self.rpi.plugged())

    def download(self, overlay):
        """Starts all of the fabric anew, as a bitstream does, with IOPs in reset.

        Args:
            overlay: What it contains: a description.Overlay."""
        self.check_open()
        with self._lock:
            self.check_open()
            self.fabric.configure(overlay)

    def plug(self, device):
        """As pmoda.plug(): into the connector of the tutorial's iop1."""
        return self.pmoda.plug(device)

    def unplug(self, device):
        """As pmoda.unplug()."""
        self.pmoda.unplug(device)

    def plugged(self):
        """As pmoda.plugged()."""
        return self.pmoda.plugged()

    def transfers(self):
        """As pmoda.transfers()."""
        return self.pmoda.transfers()

    def stray_writes(self):
        """Changes to DDR outside every buffer of their time; each could have hit a board's Linux.

        Returns:
            [(physical address, length in bytes), ...], whose elements also have `by`, the names of
            IOPs: see cma.StrayWrite."""
        return self.cma.stray_writes()

    def check_open(self):
        """RuntimeError unless is_open()."""
        if not self.is_open():
            raise RuntimeError(
                "This virtual board is closed, or another process's: call virtual_board.activate(),"
                " or restart the kernel."
            )

    def is_open(self):
        """Whether it can be used: not closed, and not a copy that a fork made."""
        return self._process == os.getpid() and not self.memory.closed

    def close(self):
        """Ends QEMU and frees every buffer; the arrays stay readable. A second call does nothing.
        In a forked child, which has a copy, it leaves QEMU to the parent."""
        if self.is_open():  # in a child, a thread that does not exist there may hold the lock
            with self._lock:
                for connector in self._connectors.values():
                    connector.let_go()
                self.fabric.close()
                self.memory.close()
                atexit.unregister(self.close)
        self._device.free_all()
