"""AXI IIC (xilinx.com:ip:axi_iic, PG090) as a polled master, by the control register and in
dynamic mode."""

from .peripheral import Peripheral

FIFO_DEPTH = 16
START, STOP = 0x100, 0x200  # bits of a word in TX_FIFO, in dynamic mode
# the next step of a transfer
ADDRESS, WRITING, READING, REFUSED = "address", "writing", "reading", "refused"


class Iic(Peripheral):
    """The only master on its bus. It carries out the words in TX_FIFO as soon as it can.

    Args:
        bus: Has i2c_start(address, reading) -> acknowledged, i2c_write(byte) -> acknowledged,
            i2c_read(acknowledged) -> byte, and i2c_stop().
        interrupt: A function that takes the level of the interrupt line."""

    KIND = "xilinx.com:ip:axi_iic"
    GIE, ISR, IER, SOFTR, CR, SR = 0x1C, 0x20, 0x28, 0x40, 0x100, 0x104
    TX_FIFO, RX_FIFO, TX_FIFO_OCY, RX_FIFO_OCY, RX_FIFO_PIRQ = 0x108, 0x10C, 0x114, 0x118, 0x120
    WRITTEN = GIE, ISR, IER, SOFTR, CR, TX_FIFO
    READ = (RX_FIFO,)
    ASKS_TO_READ = True

    # ISR
    TX_ERROR, TX_EMPTY, RX_FULL = 0x2, 0x4, 0x8
    BUS_NOT_BUSY, NOT_ADDRESSED, TX_HALF = 0x10, 0x40, 0x80
    # CR
    EN, TX_FIFO_RESET, MSMS, TX, TXAK, RSTA = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
    # SR
    BB, SRW, SR_RX_FIFO_FULL, RX_FIFO_EMPTY, TX_FIFO_EMPTY = 0x4, 0x8, 0x20, 0x40, 0x80

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, iop.wiring, iop.interrupt(ip))

    def __init__(self, words, base, bus, interrupt=lambda level: None):
        super().__init__(words, base)
        self._bus, self._interrupt = bus, interrupt
        self._phase = None  # the bus is free
        self._dynamic = False  # words in TX_FIFO began the transfer, and will end it

    def reset(self):
        self._stop()
        self._sent, self._received = [], []  # what is in the FIFOs
        self._latched = self.NOT_ADDRESSED
        self[self.CR] = self[self.RX_FIFO_PIRQ] = self[self.GIE] = self[self.IER] = 0
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
        elif offset == self.TX_FIFO and len(self._sent) < FIFO_DEPTH:
            self._sent.append(value & 0x3FF)
        self._advance()

    def was_read(self, offset):
        del self._received[:1]
        self._advance()

    def _control(self, value):
        if value & self.TX_FIFO_RESET:
            self._sent.clear()
        if not value & self.EN:
            self._stop()
        elif not value & self.MSMS:  # the program ends the transfer
            if self._phase == WRITING and not self._sent:
                self._stop_after_byte = True
            elif self._phase == READING or not self._dynamic:
                self._stop()
        elif self._phase is None or value & self.RSTA:
            self._start()

    def _start(self):
        """A START, or a repeated one. The next word is an address."""
        self._phase, self._last_read, self._stop_after_byte = ADDRESS, False, False
        self._left = None  # bytes still to be read, if dynamic mode has given their number

    def _stop(self):
        if self._phase is not None:
            self._bus.i2c_stop()
            self._phase, self._dynamic = None, False

    def _advance(self):
        """Carries out the words in TX_FIFO, and reads bytes until RX_FIFO has one more than
        RX_FIFO_PIRQ says: then the bus is held until the program has taken some."""
        if self[self.CR] & self.EN:
            self._obey_words()
            self._read()
        self._show()

    def _obey_words(self):
        acknowledged = True
        while self._sent and acknowledged:
            if self._sent[0] & START and self._phase != ADDRESS:
                self._start()
                self._dynamic = True
            if self._phase in (None, REFUSED):
                break
            acknowledged = self._obey(self._sent.pop(0))
        if not acknowledged:
            # the rest of TX_FIFO is dropped, and the program has to end the transfer
            self._latched |= self.TX_ERROR
            self._sent.clear()
            self._phase = REFUSED
            if self._dynamic or self._stop_after_byte:
                self._stop()

    def _obey(self, word):
        """Carries out one word of TX_FIFO. Returns whether the device acknowledged it."""
        acknowledged = True
        if self._phase == ADDRESS:
            self._dynamic |= bool(word & START)
            acknowledged = self._bus.i2c_start(word >> 1 & 0x7F, bool(word & 1))
            self._phase = READING if word & 1 else WRITING
        elif self._phase == READING:
            self._left = word & 0xFF
        else:
            acknowledged = self._bus.i2c_write(word & 0xFF)
            if acknowledged and (word & STOP or self._stop_after_byte):
                self._stop()
        return acknowledged

    def _read(self):
        while (
            self._phase == READING
            and not self._last_read
            and len(self._received) <= self[self.RX_FIFO_PIRQ] & 0xF
            and not (self._dynamic and self._left is None)
        ):
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
        if self._dynamic:
            self[self.CR] |= self.MSMS
        self[self.CR] &= ~(self.TX_FIFO_RESET | self.RSTA | (0 if busy else self.MSMS))
        self._shown = (
            self._latched
            | (not sent and self.TX_EMPTY | self.TX_HALF)
            | (not busy and self.BUS_NOT_BUSY)
            | (received > self[self.RX_FIFO_PIRQ] & 0xF and self.RX_FULL)
        )
        self[self.ISR] = self._shown
        self._interrupt(self[self.GIE] >> 31 and bool(self._shown & self[self.IER]))
        self[self.SR] = (
            (not sent and self.TX_FIFO_EMPTY)
            | (not received and self.RX_FIFO_EMPTY)
            | (busy and self.BB)
            | (received == FIFO_DEPTH and self.SR_RX_FIFO_FULL)
            | (self._phase == READING and self.SRW)
        )
        self[self.RX_FIFO] = self._received[0] if received else 0
        self[self.TX_FIFO_OCY], self[self.RX_FIFO_OCY] = max(sent - 1, 0), max(received - 1, 0)
