"""What is in the fabric: made from an overlay's description when it is downloaded."""

import numpy as np

from .iop import Iop
from .ip import Intc
from .watched import Unmodelled, WatchedMemory


class Fabric:
    """Empty before the first download. Any thread may call any method; downloads come one after the
    other.

    Arrays of an earlier overlay, which a program may still have, lead to what is at the address
    now, if it is of the same kind: as on a board.

    Args:
        memory: The board's, as of SharedMemory.
        connector: What the pins of the first IOP lead to.

    overlay: the description.Overlay that was downloaded last, or None
    iop: the Iop, or None; of several, the one whose memory comes first, and the others are memory
    controllers: {full name: Intc} of those that raise Linux's interrupts"""

    def __init__(self, memory, connector):
        self._memory, self._connector = memory, connector
        self.overlay = self.iop = None
        self.controllers = {}
        self._kept = {}  # (kind, address): (what is there, its registers)
        self._arrays = {}  # (address, bytes): the array that answers there

    def configure(self, overlay):
        """Starts everything anew, as a bitstream does, with IOPs in reset. QemuError if QEMU does
        not start."""
        described = overlay.iops[0] if overlay.iops else None
        if self.iop is not None and not self._is_still(described):
            self.iop.close()
            self.iop = None
        if described is not None and self.iop is None:
            self.iop = Iop(described, self._memory, self._connector, self._interrupt)
        if self.iop is not None:
            self.iop.configure()
        self.controllers, self._arrays = {}, {}
        for ip in overlay.ips + [iop.memory for iop in overlay.iops[1:]]:
            self._put(ip)
        self.overlay = overlay

    def places(self):
        """{(address, bytes): the array that answers there, for Linux}"""
        places = dict(self._arrays)
        if self.iop is not None:
            memory = self.iop.described.memory
            places[memory.base, memory.size] = self.iop.memory
        return places

    def emio(self, pin, level):
        """Drives an EMIO pin of the PS."""
        if self.iop is not None:
            self.iop.emio(pin, level)

    def close(self):
        """Ends QEMU."""
        if self.iop is not None:
            self.iop.close()
            self.iop = None
        self.overlay = None

    def _is_still(self, described):
        return self.iop.microblaze.is_open and self.iop.described == described

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

    def _interrupt(self, level):
        if self.iop is not None and self.iop.described.interrupt is not None:
            name, number = self.iop.described.interrupt
            if name in self.controllers:
                self.controllers[name].line(number, level)
