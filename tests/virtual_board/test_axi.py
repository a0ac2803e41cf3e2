"""The registers of each peripheral, in cases that pynq's drivers do not show. Here the test is the
processor: it writes to the registers and reads them."""

from fractions import Fraction

import numpy as np
import pytest

from virtual_board.ip import (
    Gpio,
    Iic,
    Intc,
    IoSwitch,
    Spi,
    Timer,
    UartLite,
    Xadc,
    timer_counter as bit,
)
from virtual_board.ip.gpio import ALL, Channel
from virtual_board.ip.timer import AHEAD

HZ = 100 * 10**6
# what a counter does
ONCE, AGAIN = bit.UDT | bit.ENT, bit.ARHT | bit.ENT
CAPTURE = bit.MDT | bit.CAPT | bit.ENT


class Processor:
    """Accesses the registers of one peripheral."""

    def __init__(self, peripheral, *arguments, **options):
        self.peripheral = peripheral(np.zeros(0x100, np.uint32), 0, *arguments, **options)
        self.peripheral.reset()

    def write(self, offset, *values):
        for value in values:
            self.peripheral[offset] = value
            if offset in self.peripheral.WRITTEN:
                self.peripheral.written(offset, self.peripheral[offset])

    def read(self, offset):
        value = self.peripheral[offset]
        if offset in self.peripheral.READ:
            self.peripheral.was_read(offset)
        return value


# AXI Timer, PG079


class Clock(Processor):
    """A timer, and a clock that the test sets."""

    ticks = period = 0  # and the ticks between two edges on the capture pin

    def __init__(self):
        captures = (lambda: self.period, lambda: 0)
        super().__init__(Timer, captures, clock=lambda: 1000 + Fraction(self.ticks, HZ))
        self.timer = self.peripheral

    def at(self, ticks):
        self.ticks = ticks
        self.timer.catch_up()
        return self

    def count(self, tcr):
        self.read(tcr)  # returns the count at the access before
        return self.read(tcr)

    def expired(self, tcsr=Timer.TCSR0):
        return bool(self.read(tcsr) & bit.TINT)

    def is_due_at(self, ticks):
        return self.timer.deadline == pytest.approx(1000 + (ticks - AHEAD) / HZ, abs=1e-9)


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("tcsr", [Timer.TCSR0, Timer.TCSR1])
def test_timer_counts_down_once(clock, tcsr):
    clock.write(tcsr + 4, HZ)
    clock.write(tcsr, bit.LOAD)
    assert clock.read(tcsr + 8) == HZ and clock.timer.deadline is None
    clock.at(500).write(tcsr, ONCE)
    assert clock.at(500 + HZ // 4).count(tcsr + 8) == HZ - HZ // 4
    due = 500 + HZ + 2
    assert clock.is_due_at(due)
    assert not clock.at(due - AHEAD - 1).expired(tcsr) and clock.at(due).expired(tcsr)
    assert clock.at(2 * due).count(tcsr + 8) == 0 and clock.timer.deadline is None
    clock.write(tcsr, ONCE | bit.TINT)  # writing 1 clears it
    assert not clock.at(4 * due).expired(tcsr)  # it has halted
    clock.write(tcsr, bit.UDT, bit.UDT | bit.LOAD, ONCE)
    assert clock.at(5 * due).expired(tcsr)


def test_timer_counts_up_and_reloads(clock):
    clock.write(Timer.TLR0, 2**32 - HZ)
    clock.write(Timer.TCSR0, bit.LOAD, AGAIN)
    assert clock.at(1000).count(Timer.TCR0) == 2**32 - HZ + 1000
    period = HZ + 1
    # nothing more to be seen until that is acknowledged
    assert clock.at(period).expired() and clock.timer.deadline is None
    clock.write(Timer.TCSR0, AGAIN | bit.TINT)
    assert not clock.expired() and clock.at(period + 700).count(Timer.TCR0) == 2**32 - HZ + 700
    # Events that nobody acknowledges keep the grid of periods.
    assert clock.at(7 * period + 33).expired()
    assert clock.count(Timer.TCR0) == 2**32 - HZ + 33
    clock.write(Timer.TCSR0, AGAIN | bit.TINT)
    assert clock.is_due_at(8 * period)


def test_timer_stops_and_goes_on(clock):
    clock.write(Timer.TLR1, HZ)
    clock.write(Timer.TCSR1, bit.LOAD, ONCE)
    clock.at(1000).write(Timer.TCSR1, bit.UDT)
    assert clock.at(5000).count(Timer.TCR1) == HZ - 1000
    clock.write(Timer.TCSR1, ONCE)
    assert clock.at(6000).count(Timer.TCR1) == HZ - 2000


def test_timer_events_in_their_order(clock):
    clock.write(Timer.TLR0, 3 * HZ)
    clock.write(Timer.TLR1, 1 * HZ)
    for tcsr in Timer.TCSR0, Timer.TCSR1:
        clock.write(tcsr, bit.LOAD, ONCE)
    assert clock.at(2 * HZ).expired(Timer.TCSR1) and not clock.expired(Timer.TCSR0)
    assert clock.at(4 * HZ).expired(Timer.TCSR0)


@pytest.mark.parametrize("window, edges", [(20100, 2), (99, 0), (30 * 10**6, 3000)])
@pytest.mark.parametrize("slow", [0, 5, 9 * 10**6])
def test_timer_counts_the_edges_in_a_window(clock, window, edges, slow):
    """As pynq's pmod_timer.c does it. However slow the program is, it misses no edge."""
    clock.period = 10000
    clock.at(10**6).write(Timer.TLR1, window - 2)
    clock.write(Timer.TCSR1, bit.TINT | bit.LOAD | bit.UDT, ONCE)
    clock.at(clock.ticks + slow).write(Timer.TCSR0, bit.TINT | CAPTURE)
    captured = []
    while not clock.at(clock.ticks + 40 * HZ).expired(Timer.TCSR1):
        assert clock.expired() and clock.timer.deadline is None and len(captured) < edges
        captured.append(clock.read(Timer.TLR0))
        clock.write(Timer.TCSR0, bit.TINT | CAPTURE)
    assert len(captured) == edges and set(np.diff(captured)) <= {clock.period}


# AXI IIC (PG090) and AXI Quad SPI (PG153). A step of the tables: a register, and the values written
# to it, or read from it if it is a receive FIFO or an occupancy; then what the bus was told, and
# the flags.


class Bus:
    """Keeps what it is told. Devices have the addresses 0x10, and 0x11, which acknowledges two
    bytes that are written."""

    def __init__(self):
        self.told, self.reads = [], 0

    def i2c_start(self, address, reading):
        self.told.append(f"{'r' if reading else 'w'}{address:x}")
        self.room = 2 if address == 0x11 else 100
        return address in (0x10, 0x11)

    def i2c_write(self, byte):
        self.told.append(byte)
        self.room -= 1
        return self.room >= 0

    def i2c_read(self, acknowledged):
        self.reads += 1
        self.told.append(f"{self.reads}" if acknowledged else f"{self.reads} last")
        return self.reads

    def i2c_stop(self):
        self.told.append("stop")

    def spi_select(self, selected):
        self.told.append(selected)

    def spi_transfer(self, byte):
        self.told.append(byte)
        return byte ^ 0xFF


def follow(peripheral, steps, flags):
    """Takes the steps of a table. flags: {register: names of its bits}"""
    bus = Bus()
    processor = Processor(peripheral, bus)
    for register, values, told, expected in steps:
        if register in peripheral.READ + (peripheral.TX_FIFO_OCY, peripheral.RX_FIFO_OCY):
            assert [processor.read(register) for _ in values] == list(values)
        else:
            processor.write(register, *values)
        bits = [(flag, name) for flag, names in flags.items() for name in names.split()]
        seen = {name for flag, name in bits if processor.read(flag) & getattr(peripheral, name)}
        assert (bus.told, seen) == (list(told), set(expected.split())), (register, values)
        bus.told.clear()


CR, TX, RX = Iic.CR, Iic.TX_FIFO, Iic.RX_FIFO
ON, MASTER = Iic.EN, Iic.EN | Iic.MSMS  # a master reads, and with Iic.TX it writes
SEND, LAST = MASTER | Iic.TX, MASTER | Iic.TXAK
IIC_FLAGS = {
    Iic.SR: "BB SRW TX_FIFO_EMPTY RX_FIFO_EMPTY SR_RX_FIFO_FULL",
    Iic.ISR: "TX_ERROR RX_FULL BUS_NOT_BUSY",
    Iic.CR: "MSMS RSTA",
}
EMPTY = "TX_FIFO_EMPTY RX_FIFO_EMPTY"
IDLE, BUSY, OWN = f"BUS_NOT_BUSY {EMPTY}", f"BB {EMPTY}", f"BB MSMS {EMPTY}"
FULL, UNSENT = "BB MSMS SRW TX_FIFO_EMPTY RX_FULL", "BUS_NOT_BUSY RX_FIFO_EMPTY"
IIC_STEPS = {
    "stops after one more byte": [
        (CR, [ON, SEND], [], OWN),
        (TX, [0x20, 1, 2], ["w10", 1, 2], OWN),
        (CR, [ON | Iic.TX], [], BUSY),
        (TX, [3], [3, "stop"], IDLE),
    ],
    "nobody acknowledges the address": [
        (TX, [0x44, 1, 2], [], UNSENT),
        (CR, [SEND], ["w22"], OWN + " TX_ERROR"),
        (CR, [ON], ["stop"], IDLE + " TX_ERROR"),
        (Iic.ISR, [Iic.TX_ERROR], [], IDLE),
    ],
    "a byte is not acknowledged": [
        (CR, [SEND], [], OWN),
        (TX, [0x22, 1, 2], ["w11", 1, 2], OWN),
        (TX, [3], [3], OWN + " TX_ERROR"),
        (CR, [ON | Iic.TX], ["stop"], IDLE + " TX_ERROR"),
    ],
    "the last byte is not acknowledged": [
        (CR, [SEND], [], OWN),
        (TX, [0x22, 1, 2], ["w11", 1, 2], OWN),
        (CR, [ON | Iic.TX], [], BUSY),
        (TX, [3], [3, "stop"], IDLE + " TX_ERROR"),
    ],
    "repeated start": [
        (CR, [SEND], [], OWN),
        (TX, [0x20, 7], ["w10", 7], OWN),
        (CR, [LAST | Iic.RSTA], [], OWN),
        (TX, [0x21], ["r10", "1 last"], FULL),
        (CR, [ON], ["stop"], "BUS_NOT_BUSY TX_FIFO_EMPTY RX_FULL"),
        (RX, [1], [], IDLE),
    ],
    "holds the bus until the program has read": [
        (Iic.RX_FIFO_PIRQ, [2], [], IDLE),
        (TX, [0x21], [], UNSENT),
        (CR, [MASTER], ["r10", "1", "2", "3"], FULL),
        (Iic.RX_FIFO_OCY, [2], [], FULL),
        (RX, [1], ["4"], FULL),
        (CR, [LAST], [], FULL),
        (RX, [2, 3, 4, 5], ["5 last"], OWN + " SRW"),
    ],
    "dynamic mode": [
        (CR, [ON], [], IDLE),
        (Iic.RX_FIFO_PIRQ, [15], [], IDLE),
        (TX, [0x120, 5, 0x121], ["w10", 5, "r10"], OWN + " SRW"),
        (TX, [0x214], [str(byte) for byte in range(1, 17)], FULL + " SR_RX_FIFO_FULL"),
        (RX, range(1, 21), ["17", "18", "19", "20 last", "stop"], IDLE),
        (TX, [0x144], ["w22", "stop"], IDLE + " TX_ERROR"),  # nobody is there
    ],
    "resets": [
        (TX, range(20), [], UNSENT),
        (Iic.TX_FIFO_OCY, [15], [], UNSENT),
        (CR, [Iic.TX_FIFO_RESET], [], IDLE),
        (CR, [MASTER], [], OWN),
        (TX, [0x20], ["w10"], OWN),
        (Iic.SOFTR, [0xA], ["stop"], IDLE),
    ],
}


@pytest.mark.parametrize("name", IIC_STEPS)
def test_iic(name):
    follow(Iic, [(CR, [ON], [], IDLE)] * (name != "resets") + IIC_STEPS[name], IIC_FLAGS)


SPICR, DTR, DRR = Spi.SPICR, Spi.SPI_DTR, Spi.SPI_DRR
SPI_ON = Spi.SPE | Spi.MASTER
SPI_FLAGS = {Spi.SPISR: "RX_EMPTY RX_FULL TX_EMPTY TX_FULL"}
NONE, RECEIVED = "RX_EMPTY TX_EMPTY", "TX_EMPTY"
SELECT = (Spi.SPISSR, [0xFE], [True], NONE)
SPI_STEPS = {
    "transfers": [
        (SPICR, [SPI_ON], [], NONE),
        SELECT,
        (DTR, [0x12, 0xFFFFFFAE], [0x12, 0xAE], RECEIVED),  # a char of C's may come with its sign
        (Spi.SPISSR, [0xFF], [False], RECEIVED),
        (Spi.RX_FIFO_OCY, [1], [], RECEIVED),
        (DRR, [0xED, 0x51], [], NONE),
    ],
    "FIFOs of sixteen places": [
        SELECT,
        (SPICR, [SPI_ON | Spi.MASTER_TRANSACTION_INHIBIT], [], NONE),
        (DTR, range(20), [], "RX_EMPTY TX_FULL"),
        (Spi.TX_FIFO_OCY, [15], [], "RX_EMPTY TX_FULL"),
        (SPICR, [SPI_ON], range(16), "RX_FULL TX_EMPTY"),
        (DTR, [99], [99], "RX_FULL TX_EMPTY"),
        (DRR, range(255, 239, -1), [], NONE),
        (DTR, [1], [1], RECEIVED),
        (SPICR, [SPI_ON | Spi.RX_FIFO_RESET], [], NONE),
    ],
    "does nothing disabled, and reads ones unselected": [
        (SPICR, [0], [], NONE),
        (DTR, [5], [], "RX_EMPTY"),
        (SPICR, [Spi.SPE, Spi.MASTER], [], "RX_EMPTY"),
        (SPICR, [SPI_ON | Spi.TX_FIFO_RESET], [], NONE),
        (DTR, [5], [], RECEIVED),
        (DRR, [0xFF], [], NONE),
    ],
    "reset": [
        SELECT,
        (SPICR, [SPI_ON], [], NONE),
        (DTR, [0x5A], [0x5A], RECEIVED),
        (Spi.SRR, [0xA], [False], NONE),
        (DTR, [0x5A], [], "RX_EMPTY"),  # MASTER_TRANSACTION_INHIBIT is set again
    ],
}


@pytest.mark.parametrize("name", SPI_STEPS)
def test_spi(name):
    follow(Spi, SPI_STEPS[name], SPI_FLAGS)


# Their interrupts


def test_interrupts():
    """Each is a level, which its enable registers let through at any time."""
    levels = []
    timer = Processor(Timer, (lambda: 0, lambda: 0), interrupt=levels.append)
    timer.write(Timer.TLR0, 10 * HZ)
    timer.write(Timer.TCSR0, bit.LOAD, bit.ENIT | ONCE)
    timer.peripheral._began -= 20
    timer.peripheral.catch_up()
    assert levels[-1] and not any(levels[:-1])
    timer.write(Timer.TCSR0, bit.ENIT | bit.TINT)
    assert not levels[-1]
    iic = Processor(Iic, Bus(), levels.append)
    iic.write(Iic.IER, Iic.BUS_NOT_BUSY)
    assert not levels[-1]
    iic.write(Iic.GIE, 1 << 31)
    assert levels[-1]
    iic.write(Iic.IER, Iic.TX_ERROR)
    assert not levels[-1]
    iic.write(CR, ON, SEND)
    iic.write(TX, 0x44)
    assert levels[-1]
    iic.write(Iic.SOFTR, 0xA)
    assert not levels[-1]
    spi = Processor(Spi, Bus(), levels.append)
    spi.write(Spi.IPIER, Spi.DTR_EMPTY)
    spi.write(Spi.DGIER, 1 << 31)
    spi.write(Spi.SPICR, SPI_ON)
    assert not levels[-1] and not spi.read(Spi.IPISR)
    spi.write(Spi.SPI_DTR, 0x5A)
    assert levels[-1] and spi.read(Spi.IPISR) == Spi.DTR_EMPTY
    spi.write(Spi.IPISR, Spi.DTR_EMPTY)
    assert not levels[-1] and not spi.read(Spi.IPISR)


# AXI UART Lite, PG142


def test_uart():
    sent, coming, levels = [], [], []

    def received():
        return coming.pop(0) if coming else None

    uart = Processor(UartLite, sent.append, received, levels.append)
    stat, fifo = UartLite.STAT_REG, UartLite.RX_FIFO
    assert uart.read(stat) == UartLite.TX_EMPTY and uart.read(fifo) == 0
    uart.write(UartLite.TX_FIFO, 0x41, 0x142)
    assert sent == [0x41, 0x42] and levels == []
    coming.extend(range(20))
    uart.peripheral.refresh()
    assert uart.read(stat) == UartLite.TX_EMPTY | UartLite.RX_VALID | UartLite.RX_FULL
    assert [uart.read(fifo) for _ in range(20)] == list(range(20))
    assert uart.read(stat) == UartLite.TX_EMPTY
    uart.write(UartLite.CTRL_REG, UartLite.ENABLE_INTR)
    coming.append(7)
    uart.peripheral.refresh()
    assert levels == [1, 0] and uart.read(stat) & UartLite.INTR_ENABLED
    uart.write(UartLite.CTRL_REG, UartLite.RST_RX_FIFO)
    assert uart.read(stat) == UartLite.TX_EMPTY
    uart.write(UartLite.TX_FIFO, 0x43)
    assert levels == [1, 0]


# XADC Wizard, PG091


def test_xadc():
    volts = {"A0": 0.0, "A1": 1.66, "A5": 3.3}
    xadc = Processor(Xadc, lambda: volts)
    vaux = [Xadc.VAUX0 + 4 * channel for channel in (1, 9, 13)]  # base.xdc
    assert [xadc.read(at) >> 4 for at in vaux] == [0, 2048, int(3.3 / 3.32 * 4096)]
    assert xadc.read(Xadc.SR) & Xadc.EOS and xadc.read(Xadc.SR) & Xadc.EOC
    # UG480: the temperature's and the supplies' transfer functions
    assert xadc.read(Xadc.TEMP) / 65536 * 503.975 - 273.15 == pytest.approx(42, abs=0.2)
    assert xadc.read(Xadc.VCCAUX) / 65536 * 3 == pytest.approx(1.8, abs=0.001)
    volts["A0"] = 4.0
    xadc.peripheral.refresh()
    assert xadc.read(vaux[0]) == 0xFFF0
    xadc.write(Xadc.SR, 0)
    xadc.write(Xadc.SRR, 0xA)
    assert xadc.read(Xadc.SR) & Xadc.EOS


# IO switch


def test_io_switch():
    changes = []
    switch = Processor(IoSwitch, 20, lambda: changes.append(True))
    assert switch.peripheral.pins(IoSwitch.GPIO) == 0xFFFFF and not changes
    switch.write(4, IoSwitch.PWM0 << 16 | IoSwitch.SDA0)
    switch.write(16, IoSwitch.PWM0 << 24)
    assert switch.peripheral.pins(IoSwitch.PWM0) == 1 << 6 | 1 << 19 and len(changes) == 2
    assert switch.peripheral.pins(IoSwitch.SDA0) == 1 << 4
    assert switch.peripheral.pins(IoSwitch.GPIO) == 0xFFFFF & ~(1 << 6 | 1 << 19 | 1 << 4)
    switch.peripheral.reset()
    assert switch.peripheral.pins(IoSwitch.GPIO) == 0xFFFFF


# AXI INTC, PG099


def test_intc():
    """Edge-triggered inputs, as the stock base overlays have them."""
    outputs = []
    cpu = Processor(Intc, outputs.append)
    line = cpu.peripheral.line
    nine, both, none, last = 1 << 8, 0b110, 2**32 - 1, 1 << 31
    for action, arguments, raised, state in [
        # what is done, the level of the output afterwards, and ISR, IER, IPR, IVR
        (line, (8, 1), 0, (0, 0, 0, none)),  # no input counts before MER's HIE is set
        (cpu.write, (Intc.SIE, nine), 0, (0, nine, 0, none)),
        (cpu.write, (Intc.MER, 3), 1, (nine, nine, nine, 8)),
        (cpu.write, (Intc.IAR, nine), 0, (0, nine, 0, none)),
        (line, (8, 1), 0, (0, nine, 0, none)),  # that is no edge
        (line, (8, 0), 0, (0, nine, 0, none)),
        (line, (8, 1), 1, (nine, nine, nine, 8)),
        (cpu.write, (Intc.IPR, 0), 1, (nine, nine, nine, 8)),  # it cannot be written
        (cpu.write, (Intc.ISR, 0), 1, (nine, nine, nine, 8)),  # nor this, with MER's HIE set
        (cpu.write, (Intc.CIE, nine), 0, (nine, 0, 0, none)),
        (cpu.write, (Intc.IAR, nine), 0, (0, 0, 0, none)),
        (cpu.write, (Intc.IER, both), 0, (0, both, 0, none)),
        (line, (0, 1), 0, (1, both, 0, none)),
        (line, (2, 1), 1, (0b101, both, 0b100, 2)),
        (line, (1, 1), 1, (0b111, both, both, 1)),  # the lowest first
        (cpu.write, (Intc.CIE, both), 0, (0b111, 0, 0, none)),
        (cpu.peripheral.reset, (), 0, (0, 0, 0, none)),
        (cpu.write, (Intc.ISR, 4), 0, (4, 0, 0, none)),  # by software
        (cpu.write, (Intc.IAR, 4), 0, (0, 0, 0, none)),
        (cpu.write, (Intc.MER, 3), 0, (0, 0, 0, none)),
        (cpu.write, (Intc.IER, last), 0, (0, last, 0, none)),
        (line, (31, 1), 1, (last, last, last, 31)),
    ]:
        action(*arguments)
        found = tuple(map(cpu.read, (Intc.ISR, Intc.IER, Intc.IPR, Intc.IVR)))
        assert (outputs[-1], found) == (raised, state), (action, arguments)


def test_intc_with_levels():
    """Input 0 is high-active, input 1 low-active, and input 2 takes a falling edge."""
    outputs = []
    cpu = Processor(Intc, outputs.append, inputs=3, edges=0b100, rising=0, high=0b001)
    line = cpu.peripheral.line
    cpu.write(Intc.MER, 3)
    cpu.write(Intc.IER, 0xFFFFFFFF)
    for action, arguments, requested in [
        (line, (1, 1), 0b010),  # it was low until now
        (cpu.write, (Intc.IAR, 2), 0),
        (line, (0, 1), 1),
        (cpu.write, (Intc.IAR, 1), 1),  # it is still high
        (line, (0, 0), 1),
        (cpu.write, (Intc.IAR, 1), 0),
        (line, (2, 1), 0),
        (line, (2, 0), 4),
        (cpu.write, (Intc.IAR, 4), 0),
    ]:
        action(*arguments)
        assert (cpu.read(Intc.ISR), outputs[-1]) == (requested, bool(requested)), (
            action,
            arguments,
        )
    assert cpu.read(Intc.IER) == 0b111


# AXI GPIO, PG144


def test_gpio_channels_and_interrupts():
    """Two channels; the pins of the second come from outside."""
    shown, levels, outside = [], [], [0]
    channels = [
        Channel(8, lambda *pins: shown.append(pins), defaults=(0xA5, 0xF0)),
        Channel(2, lambda *pins: None, inputs=lambda: (3, outside[0]), fixed=ALL),
    ]
    cpu = Processor(Gpio, channels, levels.append)
    assert shown == [(0x05, 0x0F)] and cpu.read(Gpio.GPIO_TRI) == 0xF0
    cpu.write(Gpio.GPIO_TRI, 0)
    assert shown[-1] == (0xA5, 0xFF)
    cpu.write(Gpio.GPIO2_DATA, 3)
    assert cpu.read(Gpio.GPIO2_DATA) == 0  # inputs

    def turn(value):
        outside[0] = value
        cpu.peripheral.refresh()

    for action, arguments, isr, raised in [
        (turn, (1,), 2, 0),
        (cpu.write, (Gpio.IP_IER, 2), 2, 0),
        (cpu.write, (Gpio.GIER, 1 << 31), 2, 1),
        (cpu.write, (Gpio.IP_ISR, 2), 0, 0),
        (turn, (1,), 0, 0),
        (turn, (0,), 2, 1),
        (cpu.write, (Gpio.IP_ISR, 2), 0, 0),
        (cpu.write, (Gpio.GPIO_DATA, 7), 0, 0),  # an output is no reason
        (cpu.write, (Gpio.IP_ISR, 1), 1, 0),  # toggles, and the first channel is not enabled
        (cpu.write, (Gpio.IP_IER, 3), 1, 1),
        (cpu.peripheral.reset, (), 0, 0),
    ]:
        action(*arguments)
        assert (cpu.read(Gpio.IP_ISR), levels[-1]) == (isr, raised), (action, arguments)
