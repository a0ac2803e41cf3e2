"""AXI IIC (PG090) as a polled master, by the control register and in dynamic mode."""

from .i2c_master import FIFO_DEPTH, READING, I2cMaster
from .peripheral import Peripheral


class Iic(Peripheral):
    """The only master on its bus. bus: as for an I2cMaster"""

    NAME = "AXI IIC"
    GIE, ISR, IER, SOFTR, CR, SR = 0x1C, 0x20, 0x28, 0x40, 0x100, 0x104
    TX_FIFO, RX_FIFO, ADR, TX_FIFO_OCY, RX_FIFO_OCY = 0x108, 0x10C, 0x110, 0x114, 0x118
    TEN_ADR, RX_FIFO_PIRQ, GPO = 0x11C, 0x120, 0x124
    WRITTEN = ISR, SOFTR, CR, TX_FIFO
    READ = (RX_FIFO,)
    NOT_MODELLED = {GIE: "GIE", IER: "IER", ADR: "ADR", TEN_ADR: "TEN_ADR", GPO: "GPO"}

    # ISR
    TX_ERROR, TX_EMPTY, RX_FULL = 0x2, 0x4, 0x8
    BUS_NOT_BUSY, NOT_ADDRESSED, TX_HALF = 0x10, 0x40, 0x80
    # CR
    EN, TX_FIFO_RESET, MSMS, TX, TXAK, RSTA = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
    # SR
    BB, SRW, SR_RX_FIFO_FULL, RX_FIFO_EMPTY, TX_FIFO_EMPTY = 0x4, 0x8, 0x20, 0x40, 0x80

    def __init__(self, words, base, not_modelled, bus):
        super().__init__(words, base, not_modelled)
        self._bus = bus
        self._master = I2cMaster(bus)

    def reset(self):
        self._master.stop()
        self._master = I2cMaster(self._bus)
        self._latched = self.NOT_ADDRESSED
        for offset in [self.CR, self.RX_FIFO_PIRQ, *self.NOT_MODELLED]:
            self[offset] = 0
        self._show()

    def written(self, offset, value):
        if offset == self.ISR:
            # bits toggle; a cause that remains sets its bit again
            self._latched = self._latched & ~value | value & ~self._shown
        elif offset == self.SOFTR:
            if value == 0xA:
                self.reset()
        elif offset == self.CR:
            self._control(value)
        elif len(self._master.tx_fifo) < FIFO_DEPTH:
            self._master.tx_fifo.append(value & 0x3FF)
        self._advance()

    def was_read(self, offset):
        del self._master.rx_fifo[:1]
        self._advance()

    def _control(self, value):
        if value & self.TX_FIFO_RESET:
            self._master.tx_fifo.clear()
        if not value & self.EN:
            self._master.stop()
        elif not value & self.MSMS:
            self._master.finish()
        elif self._master.phase is None or value & self.RSTA:
            self._master.start()

    def _advance(self):
        control = self[self.CR]
        if control & self.EN and not self._master.advance(
            not control & self.TXAK, self[self.RX_FIFO_PIRQ] & 0xF
        ):
            self._latched |= self.TX_ERROR
        self._show()

    def _show(self):
        master = self._master
        sent, received, busy = len(master.tx_fifo), len(master.rx_fifo), master.phase is not None
        if master.dynamic:
            self[self.CR] |= self.MSMS
        self[self.CR] &= ~(self.TX_FIFO_RESET | self.RSTA | (0 if busy else self.MSMS))
        self._shown = (
            self._latched
            | (not sent and self.TX_EMPTY | self.TX_HALF)
            | (not busy and self.BUS_NOT_BUSY)
            | (received > self[self.RX_FIFO_PIRQ] & 0xF and self.RX_FULL)
        )
        self[self.ISR] = self._shown
        self[self.SR] = (
            (not sent and self.TX_FIFO_EMPTY)
            | (not received and self.RX_FIFO_EMPTY)
            | (busy and self.BB)
            | (received == FIFO_DEPTH and self.SR_RX_FIFO_FULL)
            | (master.phase == READING and self.SRW)
        )
        self[self.RX_FIFO] = master.rx_fifo[0] if received else 0
        self[self.TX_FIFO_OCY], self[self.RX_FIFO_OCY] = max(sent - 1, 0), max(received - 1, 0)
