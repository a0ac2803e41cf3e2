"""AXI IIC (PG090) as a polled master, by the control register and in dynamic mode."""

from .peripheral import Peripheral

FIFO_DEPTH = 16


class Iic(Peripheral):
    """A master on a bus that nobody else masters.

    bus: has i2c_start(address, reading) -> acknowledged, i2c_write(byte) -> acknowledged, i2c_read(acknowledged) -> byte
         and i2c_stop()
    """

    NAME = "AXI IIC"
    GIE, ISR, IER, SOFTR, CR, SR, TX_FIFO, RX_FIFO = 0x1C, 0x20, 0x28, 0x40, 0x100, 0x104, 0x108, 0x10C
    ADR, TX_FIFO_OCY, RX_FIFO_OCY, TEN_ADR, RX_FIFO_PIRQ, GPO = 0x110, 0x114, 0x118, 0x11C, 0x120, 0x124
    WRITTEN = ISR, SOFTR, CR, TX_FIFO
    READ = RX_FIFO,
    NOT_MODELLED = {GIE: "GIE", IER: "IER", ADR: "ADR", TEN_ADR: "TEN_ADR", GPO: "GPO"}

    # ISR
    TX_ERROR, TX_EMPTY, RX_FULL, BUS_NOT_BUSY, NOT_ADDRESSED, TX_HALF = 0x2, 0x4, 0x8, 0x10, 0x40, 0x80
    # CR
    EN, TX_FIFO_RESET, MSMS, TX, TXAK, RSTA = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
    # SR
    BB, SRW, SR_RX_FIFO_FULL, RX_FIFO_EMPTY, TX_FIFO_EMPTY = 0x4, 0x8, 0x20, 0x40, 0x80
    # TX_FIFO, in dynamic mode
    START, STOP = 0x100, 0x200

    def __init__(self, words, base, not_modelled, bus):
        super().__init__(words, base, not_modelled)
        self._bus = bus

    def reset(self):
        self._sent, self._received = [], []
        self._latched = self.BUS_NOT_BUSY | self.NOT_ADDRESSED | self.TX_HALF
        self._phase = None  # of the transfer: "address", "writing", "reading", "refused"; None: the bus is free
        self._dynamic = False
        self._left = None  # bytes that are still to be read, where dynamic mode has told
        self._last_read = False  # the last byte was not acknowledged, so that no more will come
        self._stop_after_byte = False
        for offset in (self.GIE, self.IER, self.CR, self.ADR, self.TEN_ADR, self.RX_FIFO_PIRQ, self.GPO):
            self[offset] = 0
        self._show()

    def written(self, offset, value):
        if offset == self.ISR:
            self._latched = self._latched & ~value | value & ~self._shown  # it toggles, but what is still true comes back
        elif offset == self.SOFTR:
            if value == 0xA:
                self.reset()
        elif offset == self.CR:
            self._control(value)
        elif offset == self.TX_FIFO:
            if len(self._sent) < FIFO_DEPTH:
                self._sent.append(value & 0x3FF)
            self._advance()
        self._show()

    def was_read(self, offset):
        if self._received:
            del self._received[0]
        self._receive()
        self._show()

    def _control(self, value):
        if value & self.TX_FIFO_RESET:
            self._sent = []
        self[self.CR] = value & ~self.TX_FIFO_RESET
        if not value & self.EN:
            self._stop()
        elif value & self.MSMS:
            if self._phase is None or value & self.RSTA:
                self._begin()
        elif self._phase == "writing" and not self._sent:
            self._stop_after_byte = True
        elif self._phase is not None and not self._dynamic or self._phase == "reading":
            self._stop()
        self._advance()

    def _begin(self):
        self._phase, self._left, self._last_read = "address", None, False
        self[self.CR] = (self[self.CR] | self.MSMS) & ~self.RSTA

    def _stop(self):
        if self._phase is not None:
            self._bus.i2c_stop()
            self._phase, self._dynamic, self._stop_after_byte = None, False, False
            self[self.CR] &= ~self.MSMS
            self._latched |= self.BUS_NOT_BUSY

    def _advance(self):
        """Does what the words in TX_FIFO say."""
        while self._sent and self[self.CR] & self.EN:
            word = self._sent[0]
            if word & self.START and self._phase != "address":
                self._begin()
                self._dynamic = True
            if self._phase in (None, "refused"):
                break
            del self._sent[0]
            if self._phase == "address":
                self._address(word)
            elif self._phase == "reading":
                self._left = word & 0xFF
            else:
                if not self._bus.i2c_write(word & 0xFF):
                    self._refuse()
                if word & self.STOP or self._stop_after_byte:
                    self._stop()
        self._receive()

    def _address(self, word):
        reading = bool(word & 1)
        if word & self.START:
            self._dynamic = True
        if self._bus.i2c_start(word >> 1 & 0x7F, reading):
            self._phase = "reading" if reading else "writing"
        else:
            self._refuse()

    def _refuse(self):
        """No acknowledgement came: what waits in TX_FIFO is dropped, and the program has to end the transfer."""
        self._latched |= self.TX_ERROR
        self._sent = []
        self._phase = "refused"
        if self._dynamic:
            self._stop()

    def _receive(self):
        """Reads bytes until RX_FIFO is as full as RX_FIFO_PIRQ allows; the bus is held until the program has read some."""
        while (self._phase == "reading" and not self._last_read and len(self._received) <= self[self.RX_FIFO_PIRQ] & 0xF
               and not (self._dynamic and self._left is None)):
            if self._left is None:
                self._last_read = bool(self[self.CR] & self.TXAK)
            else:
                self._left -= 1
                self._last_read = self._left <= 0
            self._received.append(self._bus.i2c_read(not self._last_read))
            if self._dynamic and self._last_read:
                self._stop()

    def _show(self):
        sent, received, busy = len(self._sent), len(self._received), self._phase is not None
        self._shown = (self._latched | (not sent and self.TX_EMPTY | self.TX_HALF) | (not busy and self.BUS_NOT_BUSY)
                       | (received > self[self.RX_FIFO_PIRQ] & 0xF and self.RX_FULL))
        self[self.ISR] = self._shown
        self[self.SR] = ((not sent and self.TX_FIFO_EMPTY) | (not received and self.RX_FIFO_EMPTY) | (busy and self.BB)
                         | (received == FIFO_DEPTH and self.SR_RX_FIFO_FULL) | (self._phase == "reading" and self.SRW))
        self[self.RX_FIFO] = self._received[0] if received else 0
        self[self.TX_FIFO_OCY], self[self.RX_FIFO_OCY] = max(sent - 1, 0), max(received - 1, 0)
