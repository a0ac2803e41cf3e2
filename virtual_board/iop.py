"""iop1, an IOP for a Pmod connector: the peripherals of its MicroBlaze, and their addresses
(base.tcl of every image)."""

import functools
import re

from .ip import Gpio, Iic, IoSwitch, Spi, Timer
from .memory import SIZE
from .messages import tell

GPIO, INTERRUPT, IIC = 0x40000000, 0x40010000, 0x40800000
TIMER, SPI, IO_SWITCH = 0x41C00000, 0x44A10000, 0x44A20000
BLOCK = 0x10000  # bytes of each

PULLED_UP = 0b11001100  # base.xdc: pins 2, 3, 6 and 7, which can be I2C's

REPORT = re.compile(rb";(r?)watch:([0-9a-f]+)")


class PmodIop:
    """The peripherals, and the watchpoints that tell them what the processor does. Only the thread
    that speaks with QEMU may call methods; any thread may look at `timer.pwm`, `gpio` and the like.

    QEMU stops after an access to a watched word, and reports the address at which the watchpoint
    begins. So there is one watchpoint for each register that does something, and the instruction
    need not be known.

    Args:
        words: The processor's memory as numpy uint32.
        connector: Where its pins and buses lead.
        raised: A function that takes the level of the interrupt line to Linux.

    serving: whether a program uses a peripheral, or something is plugged in that it will use; any
        thread may read it, and the board sets it when it plugs something in"""

    def __init__(self, words, connector, raised):
        self._connector = connector
        self.serving = False
        self._told = set()

        self.io_switch = IoSwitch(words, IO_SWITCH)
        self.gpio = Gpio(words, GPIO, 8, self._pins_changed, PULLED_UP, connector.inputs)
        self.interrupt = Gpio(words, INTERRUPT, 1, lambda level, _: raised(level), all_outputs=True)
        self.iic = Iic(words, IIC, connector)
        self.timer = Timer(words, TIMER, connector.capture_period)
        self.spi = Spi(words, SPI, connector)
        # (whether it is a read, address where it begins): (length in bytes, the function to call)
        self._served = {}
        peripherals = self.io_switch, self.gpio, self.interrupt, self.iic, self.timer, self.spi
        for peripheral in peripherals:
            self._watch(peripheral)
        self._watch_gaps([peripheral.base for peripheral in peripherals])
        self.configure()

    @property
    def watchpoints(self):
        """[(whether for reads or else for writes, address, length in bytes), ...]"""
        return [(read, address, length) for (read, address), (length, _) in self._served.items()]

    def serve(self, report):
        """Handles a stop of the processor. report: QEMU's. Returns whether the stop was at one of
        the watchpoints."""
        found = REPORT.search(report)
        if found is None:
            return False
        self.serving = True
        self._served[found.group(1) == b"r", int(found.group(2), 16)][1]()
        return True

    def configure(self):
        """To be called when the bitstream is loaded: resets everything."""
        self.io_switch.reset()
        self.interrupt.reset()
        self.reset()

    def reset(self):
        """Resets what the reset pin resets beside the processor. The IO switch and the interrupt
        keep their state (base.tcl)."""
        for peripheral in self.iic, self.spi, self.timer, self.gpio:
            peripheral.reset()
        self._told.clear()
        self.serving = bool(self._connector.devices)

    @property
    def deadline(self):
        """When catch_up() will have something to do, by time.monotonic(). None: not before the
        processor does something."""
        return self.timer.deadline

    def catch_up(self):
        """Handles the events that are due."""
        self.timer.catch_up()

    def _watch(self, peripheral):
        def on_write(offset):
            peripheral.written(offset, peripheral[offset])

        def serve(read, offset, function):
            served = functools.partial(function, offset)
            self._served[read, peripheral.base + offset] = 4, served

        for offset in peripheral.WRITTEN:
            serve(False, offset, on_write)
        for offset in peripheral.READ:
            serve(True, offset, peripheral.was_read)

    def _watch_gaps(self, peripherals):
        """Watches the addresses between the peripherals, among them those of the IOP's INTC."""
        blocks = sorted([*peripherals, SIZE])
        for start, end in zip([block + BLOCK for block in blocks], blocks[1:]):
            if start < end:
                told = functools.partial(self._tell_nothing_is, start, end)
                for read in False, True:
                    self._served[read, start] = end - start, told

    def _pins_changed(self, levels, driven):
        of_gpio = self.io_switch.pins(IoSwitch.GPIO)
        self._connector.pins(levels & of_gpio, driven & of_gpio)

    def _tell_nothing_is(self, start, end):
        if start not in self._told:
            self._told.add(start)
            tell(
                f"The IOP's program uses an address from {start:#x} to {end - 1:#x}, where the"
                " virtual board has nothing but memory.\n"
            )
