"""AXI Interrupt Controller (xilinx.com:ip:axi_intc, PG099)."""

from .peripheral import Peripheral

ALL = 0xFFFFFFFF


class Intc(Peripheral):
    """Up to 32 inputs, each edge-triggered or level-sensitive, and one output. That of an IOP's own
    leads nowhere, because the MicroBlaze's interrupt input is not modelled: a program asks the
    registers what has happened.

    Args:
        output: A function that takes the level of its output.
        inputs: How many it has.
        edges: C_KIND_OF_INTR: which inputs wait for an edge, bit by bit.
        rising: C_KIND_OF_EDGE: for which of these it is the rising one.
        high: C_KIND_OF_LVL: which of the others are active while they are high."""

    KIND = "xilinx.com:ip:axi_intc"
    ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C
    WRITTEN = ISR, IPR, IER, IAR, SIE, CIE, IVR, MER

    ME, HIE = 0x1, 0x2  # MER

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, lambda level: None, *cls._inputs(ip))

    @classmethod
    def for_linux(cls, ip, words, bus):
        return cls(words, 0, bus.interrupt(ip, "irq"), *cls._inputs(ip))

    @staticmethod
    def _inputs(ip):
        kinds = [ip.parameter(f"C_KIND_OF_{what}", ALL) for what in ("INTR", "EDGE", "LVL")]
        return [ip.parameter("C_NUM_INTR_INPUTS", 32)] + kinds

    def __init__(self, words, base, output, inputs=32, edges=ALL, rising=ALL, high=ALL):
        super().__init__(words, base)
        self._output, self._all, self._edges = output, 2**inputs - 1, edges
        self._rising, self._high = rising, high
        self._hie = 0  # HIE of MER: once it is set, only a reset clears it
        self._requested = self._enabled = self._lines = 0  # another's reset may set a line
        self._came = 0  # edges; they do not count before HIE is set

    def reset(self):
        for register in self.WRITTEN:
            self[register] = 0
        self._requested = self._enabled = self._lines = self._came = self._hie = 0
        self._show()

    def line(self, number, level):
        """Sets the level of an input."""
        bit, before = 1 << number, self._lines
        self._lines = before & ~bit | bool(level) << number
        if bool(before & bit) != bool(level) and bool(self._rising & bit) == bool(level):
            self._came |= bit & self._edges
        self._show()

    def written(self, offset, value):
        if offset == self.ISR:
            # by software, for tests, until interrupts come from the inputs
            if not self._hie:
                self._requested = value & self._all
        elif offset == self.IER:
            self._enabled = value & self._all
        elif offset == self.IAR:
            self._requested &= ~value
            self._came &= ~value
        elif offset == self.SIE:
            self._enabled |= value & self._all
        elif offset == self.CIE:
            self._enabled &= ~value
        elif offset == self.MER:
            self._hie |= value & self.HIE
            self[self.MER] = value & self.ME | self._hie
        self[self.IAR] = self[self.SIE] = self[self.CIE] = 0
        self._show()

    def _show(self):
        if self._hie:
            # a level that is still active requests again
            active = ~(self._lines ^ self._high) & ~self._edges & self._all
            self._requested |= self._came | active
            self._came = 0
        pending = self._requested & self._enabled
        self[self.ISR], self[self.IER], self[self.IPR] = self._requested, self._enabled, pending
        self[self.IVR] = (pending & -pending).bit_length() - 1 if pending else ALL
        self._output(bool(pending) and self[self.MER] & 3 == self.ME | self.HIE)
