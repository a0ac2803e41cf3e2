"""AXI Quad SPI (xilinx.com:ip:axi_quad_spi, PG153) as pynq's base overlay has it: standard mode, a
FIFO of 16 bytes each way, one slave."""

from .peripheral import Peripheral

FIFO_DEPTH = 16
NO_ANSWER = 0xFF  # MISO is a pin with a pull-up


class Spi(Peripheral):
    """A master that transfers a byte as soon as it can.

    Args:
        bus: Has spi_select(selected) and spi_transfer(byte) -> byte.
        interrupt: A function that takes the level of the interrupt line."""

    KIND = "xilinx.com:ip:axi_quad_spi"
    DGIER, IPISR, IPIER, SRR = 0x1C, 0x20, 0x28, 0x40
    SPICR, SPISR, SPI_DTR, SPI_DRR, SPISSR = 0x60, 0x64, 0x68, 0x6C, 0x70
    TX_FIFO_OCY, RX_FIFO_OCY = 0x74, 0x78
    WRITTEN = DGIER, IPISR, IPIER, SRR, SPICR, SPI_DTR, SPISSR
    READ = (SPI_DRR,)
    ASKS_TO_READ = True

    # SPICR
    SPE, MASTER = 0x2, 0x4
    TX_FIFO_RESET, RX_FIFO_RESET, MASTER_TRANSACTION_INHIBIT = 0x20, 0x40, 0x100
    # IPISR
    DTR_EMPTY, DRR_FULL = 0x4, 0x10
    # SPISR
    RX_EMPTY, RX_FULL, TX_EMPTY, TX_FULL, SLAVE_MODE_SELECT = 0x1, 0x2, 0x4, 0x8, 0x20

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, iop.wiring, iop.interrupt(ip))

    def __init__(self, words, base, bus, interrupt=lambda level: None):
        super().__init__(words, base)
        self._bus, self._interrupt = bus, interrupt
        self._sent, self._received = [], []
        self._selected = False

    def reset(self):
        self._sent, self._received, self._latched = [], [], 0
        self[self.DGIER] = self[self.IPIER] = 0
        self[self.SPICR], self[self.SPISSR] = 0x180, 0xFFFFFFFF
        self._select(False)
        self._show()

    def written(self, offset, value):
        if offset == self.SRR:
            if value == 0xA:
                self.reset()
        elif offset == self.SPICR:
            if value & self.TX_FIFO_RESET:
                self._sent = []
            if value & self.RX_FIFO_RESET:
                self._received = []
            self[self.SPICR] = value & ~(self.TX_FIFO_RESET | self.RX_FIFO_RESET)
            self._transfer()
        elif offset == self.SPISSR:
            self._select(not value & 1)
        elif offset == self.SPI_DTR:
            if len(self._sent) < FIFO_DEPTH:
                self._sent.append(value & 0xFF)
            self._transfer()
        else:
            if offset == self.IPISR:  # bits toggle
                self._latched ^= value
            self._show()

    def was_read(self, offset):
        if self._received:
            del self._received[0]
        self._show()

    def _select(self, selected):
        if selected != self._selected:
            self._selected = selected
            self._bus.spi_select(selected)

    def _transfer(self):
        control = self[self.SPICR]
        on = self.SPE | self.MASTER
        if control & (on | self.MASTER_TRANSACTION_INHIBIT) == on:
            for byte in self._sent:
                answer = self._bus.spi_transfer(byte) if self._selected else NO_ANSWER
                if len(self._received) < FIFO_DEPTH:
                    self._received.append(answer)
            if self._sent:
                self._latched |= self.DTR_EMPTY
                self._latched |= self.DRR_FULL if len(self._received) == FIFO_DEPTH else 0
            self._sent = []
        self._show()

    def _show(self):
        sent, received = len(self._sent), len(self._received)
        self[self.SPISR] = (
            self.SLAVE_MODE_SELECT
            | (not received and self.RX_EMPTY)
            | (received == FIFO_DEPTH and self.RX_FULL)
            | (not sent and self.TX_EMPTY)
            | (sent == FIFO_DEPTH and self.TX_FULL)
        )
        self[self.IPISR] = self._latched
        self._interrupt(self[self.DGIER] >> 31 and bool(self._latched & self[self.IPIER]))
        self[self.SPI_DRR] = self._received[0] if received else 0
        self[self.TX_FIFO_OCY], self[self.RX_FIFO_OCY] = max(sent - 1, 0), max(received - 1, 0)
