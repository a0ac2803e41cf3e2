"""How an AXI IIC (PG090) turns the words in TX_FIFO into transfers on its bus, and fills
RX_FIFO."""

FIFO_DEPTH = 16
START, STOP = 0x100, 0x200  # bits of a word in TX_FIFO, in dynamic mode

ADDRESS, WRITING, READING, REFUSED = "address", "writing", "reading", "refused"


class I2cMaster:
    """Args:
        bus: Has i2c_start(address, reading) -> acknowledged, i2c_write(byte) -> acknowledged,
            i2c_read(acknowledged) -> byte, and i2c_stop().

    tx_fifo, rx_fifo: lists of words
    phase: the next step of the transfer; None: the bus is free
    dynamic: whether words in TX_FIFO began the transfer, and will end it"""

    def __init__(self, bus):
        self._bus = bus
        self.tx_fifo, self.rx_fifo = [], []
        self.phase, self.dynamic = None, False
        self._left = None  # bytes still to be read, if dynamic mode has given their number
        self._last_read = False  # the last byte was not acknowledged, so no more will come
        self._stop_after_byte = False

    def start(self):
        """A START, or a repeated one. The next word is an address."""
        self.phase, self._left, self._last_read = ADDRESS, None, False

    def stop(self):
        """A STOP, if there is a transfer."""
        if self.phase is not None:
            self._bus.i2c_stop()
            self.phase, self.dynamic, self._stop_after_byte = None, False, False

    def finish(self):
        """The program ends the transfer: a STOP now, or after one more byte if it writes and has no
        word left."""
        if self.phase == WRITING and not self.tx_fifo:
            self._stop_after_byte = True
        elif self.phase == READING or not self.dynamic:
            self.stop()

    def advance(self, acknowledges, compare):
        """Carries out the words in TX_FIFO, and reads bytes until RX_FIFO has one more than
        RX_FIFO_PIRQ (`compare`) says: then the bus is held until the program has taken some.
        acknowledges: whether the program wants another byte after each. Returns whether the device
        acknowledged everything."""
        acknowledged = True
        while self.tx_fifo and acknowledged:
            if self.tx_fifo[0] & START and self.phase != ADDRESS:
                self.start()
                self.dynamic = True
            if self.phase in (None, REFUSED):
                break
            acknowledged = self._obey(self.tx_fifo.pop(0))
        # the rest of TX_FIFO is dropped, and the program has to end the transfer
        if not acknowledged:
            self.tx_fifo.clear()
            self.phase = REFUSED
            if self.dynamic or self._stop_after_byte:
                self.stop()
        self._read(acknowledges, compare)
        return acknowledged

    def _obey(self, word):
        """Carries out one word. Returns whether the device acknowledged it."""
        acknowledged = True
        if self.phase == ADDRESS:
            self.dynamic |= bool(word & START)
            acknowledged = self._bus.i2c_start(word >> 1 & 0x7F, bool(word & 1))
            self.phase = READING if word & 1 else WRITING
        elif self.phase == READING:
            self._left = word & 0xFF
        else:
            acknowledged = self._bus.i2c_write(word & 0xFF)
            if acknowledged and (word & STOP or self._stop_after_byte):
                self.stop()
        return acknowledged

    def _read(self, acknowledges, compare):
        while (
            self.phase == READING
            and not self._last_read
            and len(self.rx_fifo) <= compare
            and not (self.dynamic and self._left is None)
        ):
            if self._left is None:
                self._last_read = not acknowledges
            else:
                self._left -= 1
                self._last_read = self._left <= 0
            self.rx_fifo.append(self._bus.i2c_read(not self._last_read))
            if self.dynamic and self._last_read:
                self.stop()
