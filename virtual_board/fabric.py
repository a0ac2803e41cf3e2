"""What is in the fabric: made from an overlay's description when it is downloaded."""

from .iop import Iop, check_iop
from .linux_bus import LinuxBus
from .microblaze.mmu import MOST_IOPS, IopMemory
from .microblaze.pages import UsedPages
from .modules.device import MOST_PINS
from .wiring import Wiring


class Fabric:
    """Empty before the first download. Any thread may call any method; downloads come one after the
    other.

    Args:
        memory: The board's, as of SharedMemory.
        wirings: {connector: its Wiring}, by the names that a description.Iop has for connectors.
        parts: The board's own parts, as of BoardParts.

    overlay: the description.Overlay that was downloaded last, or None
    iops: {number: Iop}, numbered from 0 on by the address of their memory
    linux: the LinuxBus, with all that Linux reaches beside the memories of IOPs"""

    def __init__(self, memory, wirings, parts):
        self._memory, self._wirings = memory, wirings
        self.overlay, self.iops = None, {}
        self.linux = LinuxBus(memory.ddr, parts)

    def configure(self, overlay):
        """Starts everything anew, as a bitstream does, with IOPs in reset.

        Raises:
            RuntimeError, ValueError: The overlay cannot be made. Nothing has changed.
            QemuError: QEMU does not start."""
        if len(overlay.iops) > MOST_IOPS:
            raise RuntimeError(
                f"This overlay has {len(overlay.iops)} IOPs, and the virtual board has room for"
                f" {MOST_IOPS}."
            )
        made = self.linux.make(overlay)
        for number, described in enumerate(overlay.iops):
            if number not in self.iops or self.iops[number].described != described:
                check_iop(described)
        # one by one, so that the stop button leaves none that nobody knows of
        for number, described in enumerate(overlay.iops):
            iop = self.iops.get(number)
            if iop is not None and not iop.is_still(described):
                iop.leave()
                del self.iops[number]
            if number not in self.iops:
                self.iops[number] = self._make(described, number)
            self.iops[number].configure()
        if 0 in self.iops:  # so that Overlay() says at once if QEMU does not work
            self.iops[0].microblaze.start()
        for number in [number for number in self.iops if number >= len(overlay.iops)]:
            self.iops[number].leave()
            del self.iops[number]
        self.linux.configure(overlay, made)
        self.overlay = overlay

    @property
    def iop(self):
        """The Iop whose memory comes first, or None."""
        return self.iops.get(0)

    def places(self):
        """{(address, bytes): the array that answers there, for Linux}"""
        places = self.linux.places()
        for iop in list(self.iops.values()):
            memory = iop.described.memory
            places[memory.base, memory.size] = iop.for_linux
        return places

    def users(self):
        """{name of an IOP: which pages of the board's memory its QEMU has used}"""
        iops, file = list(self.iops.values()), self._memory.file
        return {iop.described.name: UsedPages(iop.microblaze.pid, file) for iop in iops}

    def emio(self, pin, level):
        """Drives an EMIO pin of the PS."""
        for iop in list(self.iops.values()):
            iop.emio(pin, level)

    def close(self):
        """Ends every QEMU."""
        self.linux.close()
        for iop in self.iops.values():
            iop.close()
        self.overlay, self.iops = None, {}

    def _make(self, described, number):
        shared = self._memory
        address, reaches_ddr = described.memory.base, bool(described.windows)
        memory = IopMemory(shared.file, shared.words, number, address, reaches_ddr, tells=True)
        # what leads to none of them has pins, but nothing can be plugged in
        wiring = self._wirings.get(described.connector) or Wiring(None, MOST_PINS)

        def interrupt(level):
            if described.interrupt is not None:
                self.linux.set_line(*described.interrupt, level)

        return Iop(described, memory, wiring, interrupt)
