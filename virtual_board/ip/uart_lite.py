"""AXI UART Lite (xilinx.com:ip:axi_uartlite, PG142): bytes to and from the devices that are plugged
in."""

from .peripheral import Peripheral

FIFO_DEPTH = 16


class UartLite(Peripheral):
    """What a program sends has left at once, so that the transmit FIFO is always empty.

    Args:
        send: A function that takes a byte.
        received: A function that returns the next byte that a device sends, or None.
        interrupt: A function that takes the level of the interrupt line, which pulses."""

    KIND = "xilinx.com:ip:axi_uartlite"
    RX_FIFO, TX_FIFO, STAT_REG, CTRL_REG = 0x0, 0x4, 0x8, 0xC
    WRITTEN = TX_FIFO, CTRL_REG
    READ = (RX_FIFO,)

    # STAT_REG
    RX_VALID, RX_FULL, TX_EMPTY, INTR_ENABLED = 0x1, 0x2, 0x4, 0x10
    # CTRL_REG
    RST_RX_FIFO, ENABLE_INTR = 0x2, 0x10

    @classmethod
    def of(cls, ip, words, iop):
        wiring = iop.wiring
        return cls(words, ip.base, wiring.uart_send, wiring.uart_received, iop.interrupt(ip))

    def __init__(self, words, base, send, received, interrupt=lambda level: None):
        super().__init__(words, base)
        self._send, self._next, self._interrupt = send, received, interrupt
        self._received, self._enabled = [], False

    def reset(self):
        self._received, self._enabled = [], False
        self.refresh()

    def refresh(self):
        """Takes the bytes that devices send."""
        had = bool(self._received)
        while len(self._received) < FIFO_DEPTH:
            byte = self._next()
            if byte is None:
                break
            self._received.append(byte)
        self._show()
        if self._received and not had:
            self._raise()

    def written(self, offset, value):
        if offset == self.TX_FIFO:
            self._send(value & 0xFF)
            self.refresh()
            self._raise()
        else:
            self._enabled = bool(value & self.ENABLE_INTR)
            if value & self.RST_RX_FIFO:
                self._received.clear()
            self.refresh()

    def was_read(self, offset):
        del self._received[:1]
        self.refresh()

    def _raise(self):
        if self._enabled:
            self._interrupt(1)
            self._interrupt(0)

    def _show(self):
        count = len(self._received)
        self[self.RX_FIFO] = self._received[0] if count else 0
        self[self.STAT_REG] = (
            self.TX_EMPTY
            | (count and self.RX_VALID)
            | (count == FIFO_DEPTH and self.RX_FULL)
            | (self._enabled and self.INTR_ENABLED)
        )
