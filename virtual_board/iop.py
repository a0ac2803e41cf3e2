"""An IOP: its processor, its peripherals, and the flip-flop that keeps its interrupt."""

import mmap

import numpy as np

from .description import STOCK_WINDOW
from .ip import FlipFlop
from .memory import BRAM_SIZE, SIZE
from .microblaze.owner import MicroBlaze
from .modules.device import MOST_PINS
from .peripherals import Peripherals
from .watched import WatchedMemory
from .wiring import Wiring

MAP_NORESERVE = 0x4000  # Linux's; Python has its name from 3.13 on


def check_iop(described):
    """RuntimeError or ValueError if there can be no such IOP. Changes nothing.

    Args:
        described: A description.Iop."""
    if described.local_size != BRAM_SIZE:
        raise RuntimeError(
            f"{described.name} has {described.local_size} bytes of program memory, and an IOP of"
            f" the virtual board has {BRAM_SIZE}."
        )
    for window in described.windows:
        if window != STOCK_WINDOW:
            raise RuntimeError(
                f"{described.name} sees {window.size >> 20} MB of DDR from {window.base:#x} on, and"
                f" an IOP of the virtual board {STOCK_WINDOW.size >> 20} MB from"
                f" {STOCK_WINDOW.base:#x} on, as those of the stock images do."
            )
    for ip in described.ips:
        if ip.base + ip.size > SIZE:
            raise RuntimeError(
                f"{ip.name} is at {ip.base:#x} to {ip.base + ip.size - 1:#x} for its MicroBlaze,"
                f" and the virtual board's end at {SIZE - 1:#x}."
            )
    # of which little is used, so that nothing is set aside for it
    nothing = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    memory = np.frombuffer(nothing, np.uint32)
    Peripherals(described, memory, Wiring(None, MOST_PINS), lambda level: None)


class Iop:
    """Starts in reset. Any thread may call any method; QemuError if QEMU does not start.

    Args:
        described: What the overlay's description says of it: a description.Iop.
        memory: Its part of the board's, an IopMemory.
        wiring: What its pins lead to.
        interrupt: A function that takes the level of its interrupt line to Linux."""

    def __init__(self, described, memory, wiring, interrupt):
        self.described, self.memory = described, memory
        self._flip_flop = FlipFlop(interrupt)
        raised = self._flip_flop.enable
        self.peripherals = Peripherals(described, memory.words, wiring, raised)
        self.microblaze = MicroBlaze(memory, self.peripherals)

    @property
    def for_linux(self):
        """Its program memory as Linux reaches it: numpy uint8."""
        return WatchedMemory.over(self.memory.bram, self.microblaze.written, self.peripherals)

    def configure(self):
        """To be called when the bitstream is loaded: it stands still, and its memory is empty."""
        self.microblaze.reset(active=True)
        self.microblaze.ask(self.peripherals.configure)
        self.memory.bram[:] = 0

    def emio(self, pin, level):
        """The level of an EMIO pin of the PS, which may be one of its own."""
        if pin == self.described.reset:
            self.microblaze.reset(active=level)
        elif pin == self.described.acknowledge:
            self._flip_flop.reset(level)

    def is_still(self, described):
        """Whether it can go on as what this description says."""
        return self.microblaze.is_open and self.described == described

    def leave(self):
        """As close(), when another overlay comes: nothing drives its pins any more."""
        self.close()
        self.peripherals.wiring.reset()

    def close(self):
        """Ends its QEMU. Later calls of other methods are a QemuError."""
        self.microblaze.close()
