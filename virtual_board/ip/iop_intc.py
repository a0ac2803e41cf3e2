"""AXI Interrupt Controller (xilinx.com:ip:axi_intc, PG099): the one inside an IOP."""

from .intc import Intc
from .peripheral import Peripheral


class IopIntc(Peripheral):
    """A program asks its registers what has happened. The interrupt input of the MicroBlaze is not
    modelled: nothing interrupts a program."""

    KIND = Intc.KIND
    WRITTEN = Intc.IER, Intc.IAR, Intc.SIE, Intc.CIE, Intc.MER

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base)

    def __init__(self, words, base):
        super().__init__(words, base)
        self._intc = Intc(self._words[: Intc.MER // 4 + 1])

    def reset(self):
        self._intc.reset()

    def line(self, number, level):
        """Sets the level of an input."""
        self._intc.line(number, level)

    def written(self, offset, value):
        self._intc.written()
