"""An IOP: its processor, its peripherals, and the flip-flop that keeps its interrupt."""

from .ip import FlipFlop
from .microblaze.owner import MicroBlaze
from .peripherals import Peripherals
from .watched import WatchedMemory


class Iop:
    """Starts in reset. Any thread may call any method; QemuError if QEMU does not start.

    Args:
        described: What the overlay's description says of it: a description.Iop.
        memory: Its part of the board's, an IopMemory.
        connector: What its pins lead to.
        interrupt: A function that takes the level of its interrupt line to Linux."""

    def __init__(self, described, memory, connector, interrupt):
        self.described, self.memory = described, memory
        self._flip_flop = FlipFlop(interrupt)
        raised = self._flip_flop.enable
        self.peripherals = Peripherals(described, memory.words, connector, raised)
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

    def close(self):
        """Ends its QEMU. Later calls of other methods are a QemuError."""
        self.microblaze.close()
