"""IO switch (xilinx.com:user:io_switch, boards/ip/io_switch in PYNQ's repository): which pin of the
connector carries which signal."""

from .peripheral import Peripheral


class IoSwitch(Peripheral):
    """A byte for each pin, from offset 0 on, says what the pin is connected to. Writing one takes
    effect with the next change of a pin.

    Args:
        width: Pins."""

    KIND = "xilinx.com:user:io_switch"
    # some of the signals
    GPIO, SS0, SDA0, PWM0, TIMER_G0, TIMER_IC0 = 0x0, 0x7, 0xC, 0x10, 0x18, 0x38

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, ip.parameter("C_IO_SWITCH_WIDTH", 8))

    def __init__(self, words, base, width):
        super().__init__(words, base)
        self._width = width

    def reset(self):
        for register in range(0, self._width, 4):
            self[register] = 0

    def pins(self, signal):
        """Which pins carry a signal, such as SDA0, bit by bit."""
        carried = [self[pin - pin % 4] >> 8 * (pin % 4) & 0xFF for pin in range(self._width)]
        return sum(1 << pin for pin, carries in enumerate(carried) if carries == signal)
