"""AXI Interrupt Controller (xilinx.com:ip:axi_intc, PG099): the one in the fabric that raises
Linux's interrupt."""

import threading


class Intc:
    """Its interrupt inputs are edge-triggered, as base.hwh has them. Any thread may call any
    method.

    Args:
        registers: numpy uint32 by offset / 4; written() has to follow each write to them."""

    KIND = "xilinx.com:ip:axi_intc"
    ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C

    def __init__(self, registers):
        self._registers = registers
        self._lock = threading.RLock()  # written() may be called while this thread writes
        self._lines = 0
        self._waiting = []

    def reset(self):
        with self._lock:
            self._registers[:] = 0
            self._lines, self._waiting = 0, []

    def line(self, number, level):
        """Sets the level of an input."""
        with self._lock:
            if level and not self._lines >> number & 1:
                self._registers[self.ISR // 4] |= 1 << number
            self._lines = self._lines & ~(1 << number) | bool(level) << number
            self._show()

    def written(self):
        """To be called after Python wrote to a register."""
        with self._lock:
            registers = self._registers
            registers[self.IER // 4] |= registers[self.SIE // 4]
            registers[self.IER // 4] &= ~registers[self.CIE // 4]
            registers[self.ISR // 4] &= ~registers[self.IAR // 4]
            registers[[self.SIE // 4, self.CIE // 4, self.IAR // 4]] = 0
            self._show()

    def when_raised(self, function):
        """Calls a function once, as soon as the controller raises its output: in the thread that
        causes it, or here."""
        with self._lock:
            self._waiting.append(function)
            self._show()

    def _show(self):
        registers = self._registers
        registers[self.IPR // 4] = pending = registers[self.ISR // 4] & registers[self.IER // 4]
        pending = int(pending)
        registers[self.IVR // 4] = (pending & -pending).bit_length() - 1 if pending else 2**32 - 1
        if pending and registers[self.MER // 4] & 3 == 3:
            waiting, self._waiting = self._waiting, []
            for function in waiting:
                function()
