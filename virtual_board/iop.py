"""iop1, an IOP for a Pmod connector: the peripherals of its MicroBlaze, and their addresses
(base.tcl of every image)."""

import functools
import re
import traceback

from .axi import Gpio, Iic, IoSwitch, Spi, Timer
from .messages import tell

GPIO, INTERRUPT, IIC, INTC, TIMER, SPI, IO_SWITCH = (
    0x40000000,
    0x40010000,
    0x40800000,
    0x41200000,
    0x41C00000,
    0x44A10000,
    0x44A20000,
)
BLOCK = 0x10000  # bytes of each
END = 0x45000000

PULLED_UP = 0b11001100  # base.xdc: pins 2, 3, 6 and 7, which can be I2C's

REPORT = re.compile(rb";(r?)watch:([0-9a-f]+)")


class PmodIop:
    """The peripherals, and the watchpoints that tell them what the processor does. Only the thread
    that speaks with QEMU may call methods; any thread may look at `timer.pwm`, `gpio` and the like.

    QEMU stops after an access to a watched word, and reports the address at which the watchpoint
    begins. So there is one watchpoint for each register that does something, and the instruction
    need not be known.

    words: the processor's memory as numpy uint32; connector: where its pins and buses lead; raised:
    a function that takes the level of the interrupt line to Linux give_way: a function that takes
    True as soon as a program uses a peripheral or something is plugged in, and False once neither
    is so"""

    def __init__(self, words, connector, raised, give_way):
        self._connector, self._give_way = connector, give_way
        self._serving = False
        self._told = set()
        self.io_switch = IoSwitch(words, IO_SWITCH, self._not_modelled)
        self.gpio = Gpio(
            words, GPIO, self._not_modelled, 8, self._pins_changed, PULLED_UP, connector.inputs
        )
        self.interrupt = Gpio(
            words,
            INTERRUPT,
            self._not_modelled,
            1,
            lambda level, _: raised(level),
            all_outputs=True,
        )
        self.iic = Iic(words, IIC, self._not_modelled, connector)
        self.timer = Timer(words, TIMER, self._not_modelled, connector.capture_period)
        self.spi = Spi(words, SPI, self._not_modelled, connector)
        self._peripherals = (
            self.io_switch,
            self.gpio,
            self.interrupt,
            self.iic,
            self.timer,
            self.spi,
        )
        # (whether it is a read, address where it begins): (length in bytes, the function to call)
        self._served = {}
        for peripheral in self._peripherals:
            self._watch(peripheral)
        self._watch_gaps()
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
        self.will_serve()
        try:
            self._served[found.group(1) == b"r", int(found.group(2), 16)][1]()
        except BaseException:  # from a device, in a way that Connector does not catch
            self._tell_once(traceback.format_exc())
        return True

    def will_serve(self):
        """To be called when a program uses a peripheral, or when something is plugged in that it
        will use."""
        if not self._serving:
            self._serving = True
            self._give_way(True)

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
        self._serving = bool(self._connector.devices)
        self._give_way(self._serving)

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
            return lambda: peripheral.written(offset, peripheral[offset])

        def on_read(offset):
            return lambda: peripheral.was_read(offset)

        def on_lack(name, offset, read):
            return lambda: peripheral.lacks(name) if read or peripheral[offset] else None

        for offset in peripheral.WRITTEN:
            self._served[False, peripheral.base + offset] = 4, on_write(offset)
        for offset in peripheral.READ:
            self._served[True, peripheral.base + offset] = 4, on_read(offset)
        for offset, name in peripheral.NOT_MODELLED.items():
            for read in (False, True):
                self._served[read, peripheral.base + offset] = 4, on_lack(name, offset, read)

    def _watch_gaps(self):
        """Watches the addresses without a peripheral, and those of one that is not modelled."""
        blocks = sorted([peripheral.base for peripheral in self._peripherals] + [INTC, END])
        gaps = [(f"AXI INTC (0x{INTC:x})", INTC, INTC + BLOCK)]
        gaps += [
            (
                f"an address where nothing is (0x{block + BLOCK:x} to 0x{following - 1:x})",
                block + BLOCK,
                following,
            )
            for block, following in zip(blocks, blocks[1:])
            if block + BLOCK < following
        ]
        for name, start, end in gaps:
            for read in (False, True):
                self._served[read, start] = end - start, functools.partial(self._not_modelled, name)

    def _pins_changed(self, levels, driven):
        of_gpio = self.io_switch.pins(IoSwitch.GPIO)
        self._connector.pins(levels & of_gpio, driven & of_gpio)

    def _not_modelled(self, name):
        self._tell_once(
            f"The IOP's program uses {name}, which the virtual board does not have: there it is"
            " memory that does nothing.\n"
        )

    def _tell_once(self, text):
        if text not in self._told:
            self._told.add(text)
            tell(text)
