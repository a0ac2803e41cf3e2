"""IO switch (xilinx.com:user:io_switch, boards/ip/io_switch in PYNQ's repository): which pin of the
connector carries which signal."""

from .peripheral import Peripheral

PINS = 8


class IoSwitch(Peripheral):
    """A byte for each pin says what the pin is connected to. Writing one takes effect with the next
    change of a pin."""

    REG0, REG1 = 0x0, 0x4  # pins 0 to 3 and 4 to 7
    # some of the signals
    GPIO, SS0, SDA0, PWM0, TIMER_G0, TIMER_IC0 = 0x0, 0x7, 0xC, 0x10, 0x18, 0x38

    def reset(self):
        self[self.REG0] = self[self.REG1] = 0

    def pins(self, signal):
        """Which pins carry a signal, such as SDA0, bit by bit."""
        functions = (self[self.REG0] | self[self.REG1] << 32).to_bytes(PINS, "little")
        return sum(1 << pin for pin, function in enumerate(functions) if function == signal)
