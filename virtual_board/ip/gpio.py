"""AXI GPIO (xilinx.com:ip:axi_gpio, PG144): pins that a program reads and writes."""

from .peripheral import Peripheral

ALL = 0xFFFFFFFF


class Channel:
    """One of the two channels of a GPIO. Pins are numbered bit by bit.

    Args:
        width: Pins.
        changed: A function that takes (levels, which pins this GPIO drives) when one of them may
            have changed.
        pulled_up: Which pins read 1 when nothing drives them.
        inputs: A function that returns (which pins are driven from outside, their levels).
        fixed: The value of GPIO_TRI, if the channel has only inputs or only outputs.
        defaults: The values of GPIO_DATA and GPIO_TRI after a reset."""

    def __init__(self, width, changed, pulled_up=0, inputs=None, fixed=None, defaults=(0, ALL)):
        self.all, self._changed, self._pulled_up = 2**width - 1, changed, pulled_up
        self._inputs = inputs or (lambda: (0, 0))
        self._fixed, self._defaults = fixed, defaults

    @classmethod
    def described(cls, ip, number, *connected):
        """The channel 1 or 2 as an overlay's description gives it.

        Args:
            connected: changed, pulled_up and inputs."""
        of_two = "_2" if number == 2 else ""
        fixed = {"C_ALL_INPUTS": ALL, "C_ALL_OUTPUTS": 0}
        given = [tri for name, tri in fixed.items() if ip.parameter(name + of_two)]
        output, tri = "C_DOUT_DEFAULT" + of_two, "C_TRI_DEFAULT" + of_two
        defaults = ip.parameter(output), ip.parameter(tri, ALL)
        width = ip.parameter("C_GPIO2_WIDTH" if number == 2 else "C_GPIO_WIDTH", 32)
        return cls(width, *connected, fixed=given[0] if given else None, defaults=defaults)

    def reset(self):
        """Resets it. Returns the value of GPIO_TRI."""
        # the value written to GPIO_DATA; a read gives the pins instead
        self.output, tri = [value & self.all for value in self._defaults]
        return tri

    def pins(self, tri):
        """(levels, which pins this GPIO drives), bit by bit. tri: the value of GPIO_TRI"""
        driven = ~(tri if self._fixed is None else self._fixed) & self.all
        outside, levels = self._inputs()
        pins = self.output & driven
        pins |= (levels & outside | self._pulled_up & ~outside) & ~driven & self.all
        return pins, driven

    def tell(self, pins, driven):
        self._changed(pins, driven)


class Gpio(Peripheral):
    """One or two channels. An input that changes requests an interrupt.

    Args:
        channels: [Channel, ...]
        interrupt: A function that takes the level of the interrupt output; None if there is none.
    """

    KIND = "xilinx.com:ip:axi_gpio"
    GPIO_DATA, GPIO_TRI, GPIO2_DATA, GPIO2_TRI = 0x0, 0x4, 0x8, 0xC
    GIER, IP_ISR, IP_IER = 0x11C, 0x120, 0x128
    OF_CHANNELS = GPIO_DATA, GPIO_TRI, GPIO2_DATA, GPIO2_TRI
    OF_INTERRUPT = GIER, IP_ISR, IP_IER

    ENABLED = 1 << 31  # GIER

    @classmethod
    def of(cls, ip, words, iop):
        nowhere = lambda levels, driven: None  # noqa: E731
        connected = (nowhere,)
        if iop.is_wired_to(ip, iop.described.flip_flop):
            connected = (lambda levels, driven: iop.raised(levels),)
        elif iop.is_switched(ip):
            connected = iop.pins_changed, iop.wiring.pulled_up, iop.wiring.inputs
        channels = [Channel.described(ip, 1, *connected)]
        if ip.parameter("C_IS_DUAL"):
            channels.append(Channel.described(ip, 2, nowhere))
        return cls(words, ip.base, channels)

    @classmethod
    def for_linux(cls, ip, words, bus):
        numbers = (1, 2) if ip.parameter("C_IS_DUAL") else (1,)
        channels = [Channel.described(ip, n, *bus.pins(ip, n)) for n in numbers]
        has_interrupt = ip.parameter("C_INTERRUPT_PRESENT") or "ip2intc_irpt" in ip.interrupts
        return cls(words, 0, channels, bus.interrupt(ip, "ip2intc_irpt") if has_interrupt else None)

    def __init__(self, words, base, channels, interrupt=None):
        super().__init__(words, base)
        self._channels, self._interrupt = channels, interrupt
        self.WRITTEN = self.OF_CHANNELS[: 2 * len(channels)]
        if interrupt is not None:
            self.WRITTEN += self.OF_INTERRUPT

    def reset(self):
        for number, channel in enumerate(self._channels):
            self[8 * number + 4] = channel.reset()
        self._enabled = self._sources = self._requested = 0
        self._seen = [None] * len(self._channels)
        self.refresh()

    def written(self, offset, value):
        if offset not in self.WRITTEN:
            self[offset] = 0  # there is no such register
        elif offset == self.GIER:
            self._enabled = value & self.ENABLED
        elif offset == self.IP_IER:
            self._sources = value & 3
        elif offset == self.IP_ISR:
            self._requested ^= value & 3  # bits toggle
        else:
            channel = self._channels[offset // 8]
            if offset % 8 == 0:
                channel.output = value & channel.all
            elif value & ~channel.all:
                self[offset] = value & channel.all
        self.refresh()

    def refresh(self):
        """Works out the pins anew, because something outside has changed."""
        for number, channel in enumerate(self._channels):
            # not to be written here: the IOP's program may have, and this may not have been told
            pins, driven = channel.pins(self[8 * number + 4])
            self[8 * number] = pins
            inputs = pins & ~driven, driven
            before, self._seen[number] = self._seen[number], inputs
            if before is not None and before != inputs and before[1] == driven:
                self._requested |= 1 << number
            channel.tell(pins, driven)
        if self._interrupt is not None:
            self[self.GIER], self[self.IP_IER] = self._enabled, self._sources
            self[self.IP_ISR] = self._requested
            self._interrupt(bool(self._enabled and self._requested & self._sources))
