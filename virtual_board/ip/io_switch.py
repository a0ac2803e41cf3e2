"""IO switch (xilinx.com:user:io_switch, boards/ip/io_switch in PYNQ's repository): which pin of the
connector carries which signal."""

from .peripheral import Peripheral


class IoSwitch(Peripheral):
    """A byte for each pin, from offset 0 on, says what the pin is connected to.

    Args:
        width: Pins.
        changed: A function that is called when a pin is connected to something else."""

    KIND = "xilinx.com:user:io_switch"
    WRITTEN = tuple(range(0, 28, 4))  # of the widest switch
    # some of the signals; a further timer's come after PWM0 and TIMER_IC0
    GPIO, SS0, SDA0, PWM0, TIMER_G0, TIMER_IC0 = 0x0, 0x7, 0xC, 0x10, 0x18, 0x38

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, ip.parameter("C_IO_SWITCH_WIDTH", 8), iop.switched)

    def __init__(self, words, base, width, changed=lambda: None):
        super().__init__(words, base)
        self._width, self._changed = width, changed
        self._read()

    def reset(self):
        for register in range(0, self._width, 4):
            self[register] = 0
        self._read()

    def written(self, offset, value):
        self._read()
        self._changed()

    def pins(self, signal):
        """Which pins carry a signal, such as SDA0, bit by bit."""
        return self._pins.get(signal, 0)

    def _read(self):
        self._pins = {}
        for pin in range(self._width):
            signal = self[pin - pin % 4] >> 8 * (pin % 4) & 0xFF
            self._pins[signal] = self._pins.get(signal, 0) | 1 << pin
