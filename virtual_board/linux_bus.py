"""What Linux reaches in the fabric beside the memories of IOPs: the models of the overlay's IPs,
and what connects them with each other, with the board's parts and with the processing system."""

import threading
import time

import numpy as np

from .circuit import Place, has_circuit
from .ip import OF_LINUX, Gpio, Timer
from .messages import tell
from .watched import Refused, Registers, Unmodelled

MEMORY = "xilinx.com:ip:axi_bram_ctrl"
# what passes each packet on as it is
PASSED_ON = {
    f"xilinx.com:ip:axis_{kind}"
    for kind in ("clock_converter", "data_fifo", "dwidth_converter", "register_slice")
}
# whose drivers would wait for ever
REFUSED = {f"xilinx.com:hls:trace_cntrl_{width}": "trace analyzer" for width in (32, 64)}
# pins of an AXI GPIO, and the register that shows them
GPIO_OUTPUTS = {"gpio_io_o": Gpio.GPIO_DATA, "gpio2_io_o": Gpio.GPIO2_DATA}


class Slot:
    """An address on the bus, for as long as the board is open.

    model: what answers there now; None for nothing but memory"""

    def __init__(self, bus, size):
        self.words, self.model = np.zeros(size // 4, np.uint32), None
        self.array = Registers.over(self.words, bus.lock, self)
        self.was_written = bus.schedule


class IrqLine:
    """An interrupt input of the processing system, active while it is high. Whoever uses it holds
    the bus's lock."""

    def __init__(self):
        self._level, self._waiting = False, []

    def set(self, level):
        self._level = bool(level)
        self._raise()

    def when_raised(self, function):
        """Calls a function once, as soon as the line is high: in the thread that raises it, or
        here."""
        self._waiting.append(function)
        self._raise()

    def _raise(self):
        while self._level and self._waiting:
            self._waiting.pop(0)()


class LinuxBus:
    """Empty before the first download. Any thread may call any method.

    Arrays of an earlier overlay lead to what is at the address now, if it has the same size.

    Args:
        memory: What bus masters in the fabric reach: DDR as numpy uint8.
        parts: The board's own parts, as of BoardParts.

    lock: whoever accesses a model holds it
    models: {full name of an IP: its model}"""

    def __init__(self, memory, parts):
        self.memory, self._parts = memory, parts
        self.lock = threading.RLock()
        self.models = {}
        self._overlay = None
        self._slots = {}  # (address, bytes): Slot
        self._arrays = {}  # (address, bytes): the array that answers there
        self._irqs = {}  # number: IrqLine
        self._levels = {}  # (full name, interrupt output): its level
        self._told = set()
        self._alarm_at = None  # when the next timer has something to do, by time.monotonic()
        parts.refresh = self.refresh_pins

    def make(self, overlay):
        """[(Ip, Slot or None, model or None), ...] for configure(). Changes nothing. ValueError if
        a parameter in the description is no number."""
        with self.lock:
            return self._make_all(overlay)

    def _make_all(self, overlay):
        # which GPIO is wired to what is asked of the new one
        before, self._overlay = self._overlay, overlay
        try:
            return [self._make(ip) for ip in overlay.ips + overlay.others]
        finally:
            self._overlay = before

    def _make(self, ip):
        slot, words = None, np.zeros(0, np.uint32)
        if ip.base is not None:
            slot = self._slots.get((ip.base, ip.size)) or Slot(self, ip.size)
            words = slot.words
        if has_circuit(ip):
            return ip, slot, Place(ip, words, self)
        if slot is None or ip.kind == MEMORY:
            return ip, slot, None
        if ip.kind in REFUSED:
            return ip, slot, Refused(ip, words, REFUSED[ip.kind])
        model = OF_LINUX.get(ip.kind)
        return (
            ip,
            slot,
            Unmodelled(ip, words) if model is None else model.for_linux(ip, words, self),
        )

    def configure(self, overlay, made):
        """Starts everything anew, as a bitstream does."""
        with self.lock:
            self._leave()
            self._overlay, self.models, self._arrays = overlay, {}, {}
            self._levels, self._told, self._alarm_at = {}, set(), None
            for slot in self._slots.values():
                slot.model = None
                slot.words[:] = 0
            self._irqs = {}  # nobody waits any more
            self._parts.go_dark()
            for ip, slot, model in made:
                if slot is not None:
                    slot.model = model
                    self._slots[ip.base, ip.size] = slot
                    is_memory = model is None
                    self._arrays[ip.base, ip.size] = slot.words if is_memory else slot.array
                if model is not None:
                    self.models[ip.name] = model
            # first those that take the others' outputs
            for model in sorted(self.models.values(), key=lambda m: not hasattr(m, "line")):
                model.reset()

    def places(self):
        """{(address, bytes): the array that answers there}"""
        return dict(self._arrays)

    def circuits(self):
        """{full name: the Circuit} of those that add_circuit() has brought into the overlay."""
        with self.lock:
            placed = {n: model for n, model in self.models.items() if isinstance(model, Place)}
            return {name: place.circuit for name, place in placed.items() if place.circuit}

    def refresh_pins(self):
        """Works out the pins of every GPIO anew, because something outside has changed."""
        with self.lock:
            for model in self.models.values():
                if isinstance(model, Gpio):
                    model.refresh()

    def emio(self, pin):
        """The level that drives an EMIO pin towards the processing system; 0 if nothing does."""
        with self.lock:
            inputs = self._overlay.emio_inputs if self._overlay else ()
            if pin >= len(inputs) or inputs[pin] is None:
                return 0
            name, output, bit = inputs[pin]
            model = self.models.get(name)
            if output in GPIO_OUTPUTS and isinstance(model, Gpio):
                return model[GPIO_OUTPUTS[output]] >> bit & 1
            return int(self._levels.get((name, output), 0))

    def set_line(self, controller, number, level):
        """Sets an interrupt line.

        Args:
            controller: Full name of an interrupt controller, or "" for the processing system.
            number: Of its input, or of Linux's interrupt."""
        with self.lock:
            if not controller:
                self._irq(number).set(level)
            elif hasattr(self.models.get(controller), "line"):
                self.models[controller].line(number, level)

    def when_interrupted(self, number, function):
        """Calls a function once, as soon as an interrupt of Linux's is raised.

        Args:
            number: Linux's."""
        with self.lock:
            self._irq(number).when_raised(function)

    def _irq(self, number):
        return self._irqs.setdefault(number, IrqLine())

    def schedule(self):
        """To be called when a timer may have a new deadline."""
        with self.lock:
            deadlines = [timer.deadline for timer in self._timers()]
            at = min([one for one in deadlines if one is not None], default=None)
            if at is None or self._alarm_at is not None and self._alarm_at <= at:
                return
            self._alarm_at = at
        alarm = threading.Timer(max(0, at - time.monotonic()), self._catch_up, [at])
        alarm.daemon = True
        alarm.start()

    def _catch_up(self, at):
        with self.lock:
            if self._alarm_at != at:
                return  # there is an earlier one now, or another overlay
            self._alarm_at = None
            for timer in self._timers():
                timer.catch_up()
        self.schedule()

    def _timers(self):
        return [model for model in self.models.values() if isinstance(model, Timer)]

    def close(self):
        """Ends what may still be going on."""
        with self.lock:
            self._leave()
            self.models, self._alarm_at = {}, None

    def _leave(self):
        for model in self.models.values():
            if isinstance(model, Place):
                model.leave()

    # For the models (Peripheral.for_linux)

    def interrupt(self, ip, output):
        """A function that takes the level of an IP's interrupt output."""
        line = ip.interrupts.get(output)

        def set_level(level):
            with self.lock:
                self._levels[ip.name, output] = level
                if line is not None:
                    self.set_line(*line, level)

        return set_level

    def pins(self, ip, channel):
        """(changed, pulled_up, inputs), as gpio.Channel takes them, of a channel of a GPIO."""
        return self._parts.wired_to(ip.name, self._overlay.ports.get((ip.name, channel)), channel)

    def stream(self, ip, output=None):
        """A function that takes each packet (numpy uint8) that an IP sends.

        Args:
            output: The name of the bus interface; without it, the only one."""
        names = [output] if output else list(ip.streams)
        end = next((ip.streams[name] for name in names if name in ip.streams), None)

        def send(data):
            with self.lock:
                self._deliver(ip, end, data)

        return send

    def _deliver(self, source, name, data):
        others = {ip.name: ip for ip in self._overlay.ips + self._overlay.others}
        while name is not None and others[name].kind in PASSED_ON and name not in self.models:
            name = next(iter(others[name].streams.values()), None)
        if hasattr(self.models.get(name), "receive"):
            self.models[name].receive(data)
        elif source.name not in self._told:
            self._told.add(source.name)
            end, why = "nothing", "no stream interface is connected"
            if name is not None:
                end, why = f"{name} ({others[name].vlnv})", "the virtual board has no model of that"
            tell(f"The data that {source.name} sends goes to {end}, and is lost: {why}.\n")
