"""Students' own IPs, as Python classes."""

import re

import numpy as np

from .ip.peripheral import Peripheral
from .messages import FAILED, of_a_students_code, tell

VLNV = re.compile(r"[^:]+:[^:]+:[^:]+:[^:]+")
WORD = 0xFFFFFFFF

_circuits = {}  # the classes, by VLNV


class Circuit:
    """An IP in the fabric. Derive a class from this one, give it the IP's VLNV as the overlay's
    .hwh has it, and hand it to add_circuit(). Each Overlay(...) makes one object for each such IP.

    The methods are called one at a time, in the thread that accesses the board. They may not plug
    in or drive a module, which waits for an IOP. Offsets are in bytes from the IP's address, and
    values are whole numbers of 32 bits. In __init__, and when another overlay was downloaded,
    send() and interrupt() do nothing."""

    VLNV = None
    _place = None  # the Place in which it is

    def write(self, offset, value):
        """Linux writes a register. Without a method of the class's own, read() gives it back."""
        self.__dict__.setdefault("_registers", {})[offset] = value

    def read(self, offset):
        """Linux reads a register. Returns its value."""
        return self.__dict__.get("_registers", {}).get(offset, 0)

    def stream(self, data):
        """A packet comes in by an AXI stream, as from a DMA's sendchannel.

        Args:
            data: A numpy array of unsigned numbers, as wide as the stream.
        Returns:
            The packet that goes out, as an array or a list; None for none."""

    def send(self, data):
        """Sends a packet out by its AXI stream: an array or a list of numbers. TypeError or
        ValueError if it is none. Any thread may call it."""
        if self._place is not None:
            self._place.send(data)

    def interrupt(self, pin, level):
        """Sets an interrupt output, such as "interrupt", to 1 or 0. ValueError if it has no such
        output. Any thread may call it."""
        if self._place is not None:
            self._place.set_interrupt(pin, level)


def add_circuit(circuit):
    """Registers a class for the overlays that are downloaded from now on. Call it before or after
    activate(), and again when the class has changed.

    Returns:
        The class, so that @virtual_board.add_circuit may stand above it.
    Raises:
        TypeError, ValueError: It is no such class; the message says what to do."""
    if not (isinstance(circuit, type) and issubclass(circuit, Circuit)):
        raise TypeError(
            f"{circuit!r} is not a class of a circuit: derive one from virtual_board.Circuit."
        )
    if not (isinstance(circuit.VLNV, str) and VLNV.fullmatch(circuit.VLNV)):
        raise ValueError(
            f"{circuit.__name__}.VLNV is {circuit.VLNV!r}: give the IP's VLNV as in the .hwh, such"
            ' as "xilinx.com:hls:add:1.0".'
        )
    _circuits[circuit.VLNV] = circuit
    return circuit


def has_circuit(ip):
    """Whether there is a class for an IP: a description.Ip."""
    return ip.vlnv in _circuits


class Place(Peripheral):
    """The place of a circuit in the fabric. An error in the circuit is told once, and the board
    goes on without its answer.

    Args:
        ip: As description.Ip.
        words: The memory of its registers, numpy uint32.
        bus: What is around it: a LinuxBus.

    circuit: the student's object, or None if there was an error when it was made"""

    def __init__(self, ip, words, bus):
        super().__init__(words, 0)
        self._ip, self._told, self._class = ip, set(), _circuits[ip.vlnv]
        self._send = bus.stream(ip)
        self._outputs = {pin: bus.interrupt(ip, pin) for pin in ip.interrupts}
        made = self._try("__init__", self._class)
        self.circuit = None if made is FAILED else made
        if self.circuit is not None:
            self.circuit._place = self

    def leave(self):
        """The overlay goes: what the circuit does from now on reaches nothing."""
        if self.circuit is not None:
            self.circuit._place = None

    def before_read(self, offset):
        value = self._call("read", offset)
        if value is FAILED:
            value = 0
        elif not _is_word(value):
            self._tell(
                "read",
                f"{self._class.__name__}.read({offset:#x}) returned {value!r}: return a whole"
                " number of 32 bits, and Linux reads 0 in its place.\n",
            )
            value = 0
        self[offset] = int(value)

    def written(self, offset, value):
        self._call("write", offset, value)

    def receive(self, data):
        """A packet comes in: numpy uint8."""
        width = self._ip.stream_width
        padded = np.concatenate((data, np.zeros(-len(data) % width, np.uint8)))
        answer = self._call("stream", padded.view(f"u{width}"))
        if answer is not FAILED and answer is not None:
            self._try("stream", lambda: self.send(answer))

    def send(self, data):
        """Sends a packet. TypeError or ValueError if it does not consist of numbers."""
        packet = (
            data if isinstance(data, np.ndarray) else np.array(data, f"u{self._ip.stream_width}")
        )
        if packet.dtype.hasobject:
            raise TypeError(
                f"A packet of {packet.dtype} cannot be sent: give an array of numbers, as"
                ' numpy.array([1, 2], "u4").'
            )
        self._send(np.frombuffer(packet.tobytes(), np.uint8))

    def set_interrupt(self, pin, level):
        """ValueError if there is no such output."""
        if pin not in self._outputs:
            there = ", ".join(self._outputs) or "none that is connected"
            raise ValueError(
                f"{self._ip.name} has no interrupt output {pin!r}: in the .hwh it has {there}."
            )
        self._outputs[pin](bool(level))

    def _call(self, method, *arguments):
        """The result of a method of the circuit's, or FAILED."""
        if self.circuit is None:
            return FAILED
        return self._try(method, lambda: getattr(self.circuit, method)(*arguments))

    def _try(self, method, function):
        """The function's result, or FAILED if it raises anything but the stop button's."""
        try:
            return function()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            where, trace = of_a_students_code(error, __file__)
            self._tell(
                where,
                f"{trace}This came from {self._class.__name__}.{method}(), for {self._ip.name}, and"
                " the board goes on without its answer.\n",
            )
            return FAILED

    def _tell(self, what, text):
        if what not in self._told:
            self._told.add(what)
            tell(text)


def _is_word(value):
    try:
        return 0 <= value <= WORD and value == int(value)
    except (TypeError, ValueError):
        return False
