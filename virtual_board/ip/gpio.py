"""AXI GPIO (xilinx.com:ip:axi_gpio, PG144): pins that a program reads and writes."""

from .peripheral import Peripheral


class Gpio(Peripheral):
    """The first channel of a GPIO. Pins are numbered bit by bit.

    Args:
        width: Pins of the first channel.
        changed: A function that takes (levels, which pins this GPIO drives) when one of them may
            have changed.
        pulled_up: Which pins read 1 when nothing drives them.
        inputs: A function that returns (which pins are driven from outside, their levels).
        all_outputs: Whether it has no inputs, so that GPIO_TRI does nothing."""

    KIND = "xilinx.com:ip:axi_gpio"
    GPIO_DATA, GPIO_TRI = 0x0, 0x4
    WRITTEN = GPIO_DATA, GPIO_TRI

    @classmethod
    def of(cls, ip, words, iop):
        width = ip.parameter("C_GPIO_WIDTH", 32)
        if iop.is_wired_to(ip, iop.described.flip_flop):
            return cls(words, ip.base, width, lambda level, _: iop.raised(level), all_outputs=True)
        if iop.is_switched(ip):
            connector = iop.connector
            return cls(
                *(words, ip.base, width, iop.pins_changed), *(connector.pulled_up, connector.inputs)
            )
        return cls(words, ip.base, width, lambda levels, driven: None)  # nothing is connected

    def __init__(self, words, base, width, changed, pulled_up=0, inputs=None, all_outputs=False):
        super().__init__(words, base)
        self._all, self._all_outputs = 2**width - 1, all_outputs
        self._pulled_up, self._changed = pulled_up, changed
        self._inputs = inputs or (lambda: (0, 0))
        self._output = 0  # the value written to GPIO_DATA; a read gives the pins instead

    def reset(self):
        self._output = 0
        self[self.GPIO_TRI] = self._all
        self.refresh()

    def written(self, offset, value):
        if offset == self.GPIO_DATA:
            self._output = value & self._all
        self.refresh()

    def refresh(self):
        """Works out the pins anew, because something outside has changed."""
        driven = self._all if self._all_outputs else ~self[self.GPIO_TRI] & self._all
        outside, levels = self._inputs()
        pins = self._output & driven
        pins |= (levels & outside | self._pulled_up & ~outside) & ~driven & self._all
        self[self.GPIO_DATA] = pins
        self._changed(pins, driven)
