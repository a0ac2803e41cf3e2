"""What is in the fabric: made from an overlay's description when it is downloaded."""

import numpy as np

from .iop import Iop
from .ip import Intc
from .microblaze.mmu import MOST_IOPS, IopMemory
from .modules.device import MOST_PINS
from .watched import Unmodelled, WatchedMemory
from .wiring import Wiring


class Fabric:
    """Empty before the first download. Any thread may call any method; downloads come one after the
    other.

    Arrays of an earlier overlay, which a program may still have, lead to what is at the address
    now, if it is of the same kind: as on a board.

    Args:
        memory: The board's, as of SharedMemory.
        connectors: {name: Wiring} of the board's connectors, as a description.Iop names them.

    overlay: the description.Overlay that was downloaded last, or None
    iops: {number: Iop}, numbered from 0 on by the address of their memory
    controllers: {full name: Intc} of those that raise Linux's interrupts"""

    def __init__(self, memory, connectors):
        self._memory, self._connectors = memory, connectors
        self.overlay = None
        self.iops, self.controllers = {}, {}
        self._parts = []  # the memory of each IOP, in order
        self._kept = {}  # (kind, address): (what is there, its registers)
        self._arrays = {}  # (address, bytes): the array that answers there

    def configure(self, overlay):
        """Starts everything anew, as a bitstream does, with IOPs in reset. QemuError if QEMU does
        not start."""
        if len(overlay.iops) > MOST_IOPS:
            raise RuntimeError(
                f"This overlay has {len(overlay.iops)} IOPs, and the virtual board has room for"
                f" {MOST_IOPS}."
            )
        # one by one, so that the stop button leaves none that nobody knows of
        for number, described in enumerate(overlay.iops):
            iop = self.iops.get(number)
            if iop is not None and not iop.is_still(described):
                iop.close()
                del self.iops[number]
            if number not in self.iops:
                self.iops[number] = self._make(described, number)
            self.iops[number].configure()
        for number in range(len(overlay.iops), len(self.iops)):
            self.iops[number].close()
            del self.iops[number]
        self.controllers, self._arrays = {}, {}
        for ip in overlay.ips:
            self._put(ip)
        self.overlay = overlay

    @property
    def iop(self):
        """The Iop whose memory comes first, or None."""
        return self.iops.get(0)

    def places(self):
        """{(address, bytes): the array that answers there, for Linux}"""
        places = dict(self._arrays)
        for iop in list(self.iops.values()):
            memory = iop.described.memory
            places[memory.base, memory.size] = iop.for_linux
        return places

    def emio(self, pin, level):
        """Drives an EMIO pin of the PS."""
        for iop in list(self.iops.values()):
            iop.emio(pin, level)

    def close(self):
        """Ends every QEMU."""
        for iop in self.iops.values():
            iop.close()
        self.overlay, self.iops = None, {}

    def _make(self, described, number):
        while len(self._parts) <= number:
            self._parts.append(IopMemory(self._memory, len(self._parts)))
        # what leads to none of them has pins, but nothing can be plugged in
        connector = self._connectors.get(described.connector) or Wiring(None, MOST_PINS)

        def interrupt(level):
            if described.interrupt is not None and described.interrupt[0] in self.controllers:
                controller, line = described.interrupt
                self.controllers[controller].line(line, level)

        return Iop(described, self._parts[number], connector, interrupt)

    def _put(self, ip):
        key = ip.kind, ip.base
        if key not in self._kept:
            registers = np.zeros(ip.size // 4, np.uint32)
            is_controller = ip.kind == Intc.KIND
            self._kept[key] = Intc(registers) if is_controller else None, registers
        model, registers = self._kept[key]
        if model is None:
            registers[:] = 0
            array = Unmodelled.over(registers, ip)
        else:
            model.reset()
            self.controllers[ip.name] = model
            array = WatchedMemory.over(registers, model.written)
        self._arrays[ip.base, ip.size] = array
