"""The inside of an IOP: the peripherals of its MicroBlaze, made from the overlay's description."""

import bisect
import functools
import re

from .ip import OF_AN_IOP, Gpio, IoSwitch, Timer, UartLite, Xadc
from .memory import DDR_END, SIZE
from .messages import tell

REPORT = re.compile(rb";rwatch:([0-9a-f]+)")
PAGE = 0x10000  # bytes, of which the MMU says who may read them


class Peripherals:
    """An IOP's peripherals, and what they are told of the program's accesses. Only the thread that
    speaks with QEMU may call methods; any thread may look at a peripheral's state, such as
    peripherals["timer"].pwm.

    The program asks for each access, except reads of the pages that `readable` has. There it is
    stopped after those that do something, by `watchpoints`. That takes longer, but a program that
    looks at other registers again and again may run, and sleep.

    Args:
        described: What the overlay's description says of the IOP: a description.Iop.
        words: The processor's memory as numpy uint32.
        wiring: Where its pins and buses lead: a Wiring.
        raised: A function that takes the level of the interrupt line to Linux.

    readable: addresses of 64 KB each, where the program need not ask to read
    watchpoints: addresses of the registers there, after a read of which it is stopped
    serving: whether a program uses a peripheral, or something is plugged in that it will use; any
        thread may read it, and the board sets it when it plugs something in"""

    def __init__(self, described, words, wiring, raised):
        self.described, self.wiring, self.raised = described, wiring, raised
        self.serving = False
        self._words = memoryview(words)
        self._bytes = self._words.cast("B")
        self._told = set()
        self._reads, self._writes = {}, {}  # by address: what an access calls
        self.readable, self.watchpoints = [], []
        # addresses in order, and for what is from each on: a function that tells that it is memory,
        # or None
        self._starts, self._tells = [], []
        self._models = {}  # by name without the IOP's
        self._keep_state, self._reset_with_iop = [], []
        self._of_pins = []  # the GPIOs behind an IO switch
        for ip in described.ips:
            model = OF_AN_IOP.get(ip.kind)
            if model is None:
                continue
            name = ip.name[len(described.name) + 1 :]
            made = self._models[name] = model.of(ip, words, self)
            if isinstance(made, Gpio) and self.is_switched(ip):
                self._of_pins.append(made)
            self._connect(ip, made)
            (self._reset_with_iop if ip.reset_with_iop else self._keep_state).append(made)
        # first, because a GPIO that is reset asks which pins are its own
        self._reset_with_iop.sort(key=lambda model: not isinstance(model, IoSwitch))
        self._switches, self._timers = self._those(IoSwitch), self._those(Timer)
        self._find_memory()
        self.configure()

    def __getitem__(self, name):
        """The model of a peripheral, by its name in the IOP, such as "timer"."""
        return self._models[name]

    def load(self, address, size):
        """The program's read of 1, 2 or 4 bytes, which it asks for. Returns the value."""
        if size == 4 and not address & 3:
            value = self._words[address >> 2]
        else:
            value = int.from_bytes(self._bytes[address : address + size], "little")
        self._accessed(self._reads, address)
        return value

    def store(self, address, size, value):
        """The program's write of 1, 2 or 4 bytes: the lowest of the value."""
        if size == 4 and not address & 3:
            self._words[address >> 2] = value
        else:
            value &= 2 ** (8 * size) - 1
            self._bytes[address : address + size] = value.to_bytes(size, "little")
        self._accessed(self._writes, address)

    def serve(self, report):
        """Handles a stop of the processor. report: QEMU's. Returns whether the stop was at one of
        the watchpoints."""
        found = REPORT.search(report)
        if found is None:
            return False
        self._accessed(self._reads, int(found.group(1), 16))
        return True

    def _accessed(self, served, address):
        self.serving = True
        function = served.get(address & ~3) or self._tells[bisect.bisect(self._starts, address) - 1]
        if function is not None:
            function()

    def configure(self):
        """To be called when the bitstream is loaded: resets everything."""
        for model in self._keep_state:
            model.reset()
        self.reset()

    def reset(self):
        """Resets what the reset pin resets beside the processor."""
        self.wiring.pulses.clear()
        for model in self._reset_with_iop:
            model.reset()
        self.pwm_changed()
        self._told.clear()
        self.serving = bool(self.wiring.devices)

    @property
    def deadline(self):
        """When catch_up() will have something to do, by time.monotonic(). None: not before the
        processor does something."""
        deadlines = [timer.deadline for timer in self._timers]
        deadlines.append(self.wiring.pulses.deadline)
        return min([at for at in deadlines if at is not None], default=None)

    def catch_up(self):
        """Handles the events that are due."""
        for timer in self._timers:
            timer.catch_up()
        self.wiring.pulses.catch_up()

    def refresh_pins(self):
        """Works out the pins anew, because something outside has changed."""
        for model in self._those(Gpio, Xadc, UartLite):
            model.refresh()

    def _those(self, *kinds):
        return [model for model in self._models.values() if isinstance(model, kinds)]

    # For the peripherals (Peripheral.of)

    def is_wired_to(self, ip, name):
        """Whether a pin of an IP leads to a part with this full name."""
        return any(end == name for ends in ip.wires.values() for end, _ in ends)

    def is_switched(self, ip):
        """Whether an IO switch leads an IP's pins to the connector."""
        switches = [other.name for other in self.described.ips if other.kind == IoSwitch.KIND]
        return any(self.is_wired_to(ip, name) for name in switches)

    def signal(self, ip, pin):
        """Which of an IO switch's signals of a kind leads to a pin of a timer: 0 for PWM0. None:
        none does."""
        for _, end in ip.wires.get(pin, ()):
            # several timers reach the switch through a concatenation, whose inputs are In0, In1...
            return int(end[2:]) if end.startswith("In") else 0
        return None

    def carried_by(self, signal):
        """Which pins carry a signal of the IO switch, bit by bit."""
        return sum(switch.pins(signal) for switch in self._switches)

    def interrupt(self, ip):
        """A function that takes the level of an IP's interrupt line."""
        ends = list(ip.interrupts.values())
        if not ends:
            return lambda level: None
        controller, number = ends[0]
        name, last = controller[len(self.described.name) + 1 :], [0]

        def line(level):
            if level != last[0] and name in self._models:
                last[0] = level
                self._models[name].line(number, level)

        return line

    def pins_changed(self, levels, driven):
        """The GPIO behind the IO switch may have changed."""
        of_gpio = self.carried_by(IoSwitch.GPIO)
        self.wiring.show(levels & of_gpio, driven & of_gpio)

    def pwm_changed(self):
        """A timer's signal may have changed, or a pin carries another."""
        signals = {}
        for timer in self._timers:
            carried = 0 if timer.signal is None else self.carried_by(IoSwitch.PWM0 + timer.signal)
            if carried and timer.pwm is not None:
                signals.update({pin: timer.pwm for pin in range(32) if carried >> pin & 1})
        self.wiring.show_pwm(signals)

    def switched(self):
        """An IO switch connects its pins in another way."""
        for gpio in self._of_pins:
            gpio.refresh()
        self.pwm_changed()

    def _connect(self, ip, model):
        """Has a model told what it wants to know."""

        def on_write(offset):
            model.written(offset, model[offset])
            if model in self._of_pins:
                self.wiring.wrote()

        for offset in model.WRITTEN:
            self._writes[model.base + offset] = functools.partial(on_write, offset)
        for offset in model.READ:
            self._reads[model.base + offset] = functools.partial(model.was_read, offset)
        if not model.ASKS_TO_READ and not ip.base % PAGE and ip.size >= PAGE:
            self.readable.append(ip.base)
            self.watchpoints += [model.base + offset for offset in model.READ]

    def _find_memory(self):
        """Notes where there is no model, but memory."""
        nothing, start = "the virtual board has nothing but memory", DDR_END
        for ip in self.described.ips:  # in the order of their addresses
            end = ip.base + ip.size
            self._note(start, ip.base, nothing)
            there = f"the overlay has {ip.name} ({ip.vlnv}), and {nothing}"
            self._note(ip.base, end, None if ip.kind in OF_AN_IOP else there)
            start = end
        self._note(start, SIZE, nothing)

    def _note(self, start, end, there):
        if start < end:
            tell = there and functools.partial(self._tell_it_is_memory, start, end, there)
            self._starts.append(start)
            self._tells.append(tell)

    def _tell_it_is_memory(self, start, end, there):
        if start not in self._told:
            self._told.add(start)
            tell(
                f"The program of {self.described.name} uses an address from {start:#x} to"
                f" {end - 1:#x}, where {there}.\n"
            )
