"""The peripherals, register by register: what pynq's drivers do not show. There is no processor;
the test writes and reads."""

from fractions import Fraction

import numpy as np
import pytest

from virtual_board.axi import Gpio, Iic, Intc, IoSwitch, Spi, Timer
from virtual_board.axi.counter import (
    ARHT,
    CAPT,
    CASC,
    ENALL,
    ENIT,
    ENT,
    GENT,
    LOAD,
    MDT,
    PWMA,
    TINT,
    UDT,
)
from virtual_board.axi.timer import AHEAD

HZ = 100 * 10**6


class Processor:
    """Accesses the registers of one peripheral."""

    def __init__(self, peripheral, *arguments, **options):
        self.not_modelled = []
        self.peripheral = peripheral(
            np.zeros(0x80, np.uint32), 0, self.not_modelled.append, *arguments, **options
        )
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


class Clock:
    """A clock of which the test moves the hands."""

    ticks = period = 0  # and the ticks between two edges on the capture pin

    def __init__(self):
        self.processor = Processor(
            Timer, lambda: self.period, clock=lambda: 1000 + Fraction(self.ticks, HZ)
        )
        self.write = self.processor.write
        self.read = self.processor.read
        self.timer = self.processor.peripheral

    def at(self, ticks):
        self.ticks = ticks
        self.timer.catch_up()
        return self

    def count(self, tcr):
        self.read(tcr)  # gives what it was at the access before
        return self.read(tcr)

    def expired(self, tcsr=Timer.TCSR0):
        return bool(self.read(tcsr) & TINT)


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("tcsr", [Timer.TCSR0, Timer.TCSR1])
def test_timer_counts_down_once(clock, tcsr):
    clock.write(tcsr + 4, HZ)
    clock.write(tcsr, LOAD)
    assert clock.read(tcsr + 8) == HZ and clock.timer.deadline is None
    clock.at(500).write(tcsr, UDT | ENT)
    assert clock.at(500 + HZ // 4).count(tcsr + 8) == HZ - HZ // 4
    due = 500 + HZ + 2
    assert clock.timer.deadline == pytest.approx(1000 + (due - AHEAD) / HZ, abs=1e-9)
    assert not clock.at(due - AHEAD - 1).expired(tcsr) and clock.at(due).expired(tcsr)
    assert clock.at(2 * due).count(tcsr + 8) == 0 and clock.timer.deadline is None
    clock.write(tcsr, UDT | ENT | TINT)  # writing 1 clears it
    assert not clock.at(4 * due).expired(tcsr)  # it has halted
    clock.write(tcsr, UDT)
    clock.write(tcsr, UDT | LOAD)
    clock.write(tcsr, UDT | ENT)
    assert clock.at(5 * due).expired(tcsr)


def test_timer_counts_up_and_reloads(clock):
    clock.write(Timer.TLR0, 2**32 - HZ)
    clock.write(Timer.TCSR0, LOAD, ARHT | ENT)
    assert clock.at(1000).count(Timer.TCR0) == 2**32 - HZ + 1000
    period = HZ + 1
    # nothing more to be seen until that is acknowledged
    assert clock.at(period).expired() and clock.timer.deadline is None
    clock.write(Timer.TCSR0, ARHT | ENT | TINT)
    assert not clock.expired() and clock.at(period + 700).count(Timer.TCR0) == 2**32 - HZ + 700
    assert clock.at(2 * period).expired()
    # What nobody acknowledges happens all the same, and the grid of periods stays.
    assert clock.at(7 * period + 33).count(Timer.TCR0) == 2**32 - HZ + 33
    clock.write(Timer.TCSR0, ARHT | ENT | TINT)
    assert clock.timer.deadline == pytest.approx(1000 + (8 * period - AHEAD) / HZ, abs=1e-9)


def test_timer_stands_and_goes_on(clock):
    clock.write(Timer.TLR1, HZ)
    clock.write(Timer.TCSR1, LOAD, UDT | ENT)
    clock.at(1000).write(Timer.TCSR1, UDT)
    assert clock.at(5000).count(Timer.TCR1) == HZ - 1000
    clock.write(Timer.TCSR1, UDT | ENT)
    assert clock.at(6000).count(Timer.TCR1) == HZ - 2000


def test_timer_enables_both_at_once(clock):
    clock.write(Timer.TLR1, HZ)
    clock.write(Timer.TCSR1, LOAD, UDT)
    clock.at(100).write(Timer.TCSR0, ENALL | ENT)
    assert clock.read(Timer.TCSR1) & ENT
    assert clock.at(1100).count(Timer.TCR0) == 1000 and clock.count(Timer.TCR1) == HZ - 1000


def test_timer_events_in_their_order(clock):
    clock.write(Timer.TLR0, 3 * HZ)
    clock.write(Timer.TLR1, 1 * HZ)
    for tcsr in Timer.TCSR0, Timer.TCSR1:
        clock.write(tcsr, LOAD, UDT | ENT)
    assert clock.at(2 * HZ).expired(Timer.TCSR1) and not clock.expired(Timer.TCSR0)
    assert clock.at(4 * HZ).expired(Timer.TCSR0)


def test_timer_captures_each_edge_and_holds_it(clock):
    clock.period = 123
    clock.write(Timer.TCSR0, MDT | CAPT | ENT)
    captured = []
    for _ in range(100):
        clock.at(clock.ticks + HZ)  # a slow program
        assert clock.expired() and clock.timer.deadline is None
        captured.append(clock.read(Timer.TLR0))
        clock.write(Timer.TCSR0, MDT | CAPT | ENT | TINT)
    assert np.diff(captured).tolist() == [123] * 99
    clock.write(Timer.TCSR0, TINT)
    assert not clock.at(clock.ticks + HZ).expired()


def test_timer_captures_only_on_its_pin(clock):
    clock.write(Timer.TCSR0, MDT | CAPT | ENT)
    clock.write(Timer.TCSR1, MDT | CAPT | ENT)
    assert not clock.at(HZ).expired()
    clock.period = 50  # something is plugged in
    assert clock.at(2 * HZ).expired(Timer.TCSR0) and not clock.expired(Timer.TCSR1)


@pytest.mark.parametrize("window, edges", [(20100, 2), (99, 0), (30 * 10**6, 3000)])
@pytest.mark.parametrize("slow", [0, 5, 9 * 10**6])
def test_timer_counts_the_edges_in_a_window(clock, window, edges, slow):
    """As pynq's pmod_timer.c does it, at whatever pace."""
    clock.period = 10000
    clock.at(10**6).write(Timer.TLR1, window - 2)
    clock.write(Timer.TCSR1, TINT | LOAD | UDT, UDT | ENT)
    clock.at(clock.ticks + slow).write(Timer.TCSR0, TINT | ENT | CAPT | MDT)
    count = 0
    for _ in range(2 * edges + 10):
        clock.at(clock.ticks + 40 * HZ)
        if clock.expired(Timer.TCSR1):
            break
        assert clock.expired(Timer.TCSR0)
        clock.write(Timer.TCSR0, TINT | ENT | CAPT | MDT)
        count += 1
    assert clock.expired(Timer.TCSR1) and count == edges


def test_timer_pwm(clock):
    clock.write(Timer.TLR0, 998)
    clock.write(Timer.TLR1, 248)
    for bits in PWMA | GENT | UDT, PWMA | ENT | UDT, GENT | ENT | UDT, PWMA | GENT | ENT | MDT:
        clock.write(Timer.TCSR0, bits)
        clock.write(Timer.TCSR1, bits)
        assert clock.timer.pwm is None
    clock.write(Timer.TCSR0, PWMA | GENT | ENT | UDT)
    assert clock.timer.pwm is None
    clock.write(Timer.TCSR1, PWMA | GENT | ENT | UDT)
    assert clock.timer.pwm == (1000, 250)


def test_timer_says_what_it_lacks(clock):
    clock.write(Timer.TCSR0, ENIT, CASC)
    assert clock.processor.not_modelled == ["AXI Timer TCSR.ENIT", "AXI Timer TCSR.CASC"]


# AXI IIC, PG090


class I2cBus:
    """Keeps what it is told. Devices have the addresses 0x10, and 0x11, which acknowledges two
    bytes that are written."""

    def __init__(self):
        self.told, self._reads = [], 0

    def i2c_start(self, address, reading):
        self.told.append("{}{:x}".format("r" if reading else "w", address))
        self._room = 2 if address == 0x11 else 100
        return address in (0x10, 0x11)

    def i2c_write(self, byte):
        self.told.append(byte)
        self._room -= 1
        return self._room >= 0

    def i2c_read(self, acknowledged):
        self._reads += 1
        self.told.append("{}{}".format(self._reads, "" if acknowledged else " last"))
        return self._reads

    def i2c_stop(self):
        self.told.append("stop")

    def take(self):
        told, self.told = self.told, []
        return told


@pytest.fixture
def iic():
    bus = I2cBus()
    processor = Processor(Iic, bus)
    processor.bus = bus
    processor.write(Iic.CR, Iic.EN)
    return processor


def test_iic_writes_and_stops_after_one_more_byte(iic):
    iic.write(Iic.CR, Iic.EN | Iic.TX | Iic.MSMS)
    assert iic.read(Iic.SR) & Iic.BB and not iic.read(Iic.ISR) & Iic.BUS_NOT_BUSY
    iic.write(Iic.TX_FIFO, 0x20, 1, 2)
    iic.write(Iic.CR, Iic.EN | Iic.TX)
    assert iic.bus.take() == ["w10", 1, 2] and iic.read(Iic.SR) & Iic.BB
    iic.write(Iic.TX_FIFO, 3)
    assert (
        iic.bus.take() == [3, "stop"]
        and not iic.read(Iic.SR) & Iic.BB
        and iic.read(Iic.ISR) & Iic.BUS_NOT_BUSY
    )
    assert not iic.read(Iic.ISR) & Iic.TX_ERROR


def test_iic_nobody_acknowledges_the_address(iic):
    iic.write(Iic.TX_FIFO, 0x44, 1, 2)
    iic.write(Iic.CR, Iic.EN | Iic.TX | Iic.MSMS)
    assert iic.read(Iic.ISR) & Iic.TX_ERROR and iic.bus.take() == ["w22"]
    assert iic.read(Iic.SR) & Iic.BB and iic.read(Iic.SR) & Iic.TX_FIFO_EMPTY
    iic.write(Iic.CR, Iic.EN)
    assert iic.bus.take() == ["stop"] and not iic.read(Iic.SR) & Iic.BB
    iic.write(Iic.ISR, Iic.TX_ERROR)
    assert not iic.read(Iic.ISR) & Iic.TX_ERROR


@pytest.mark.parametrize("stops_first", [False, True])
def test_iic_a_byte_is_not_acknowledged(iic, stops_first):
    iic.write(Iic.CR, Iic.EN | Iic.TX | Iic.MSMS)
    iic.write(Iic.TX_FIFO, 0x22, 1, 2)
    if stops_first:
        iic.write(Iic.CR, Iic.EN | Iic.TX)
    assert not iic.read(Iic.ISR) & Iic.TX_ERROR
    iic.write(Iic.TX_FIFO, 3)
    assert iic.read(Iic.ISR) & Iic.TX_ERROR
    iic.write(Iic.CR, Iic.EN | Iic.TX)
    assert iic.bus.take() == ["w11", 1, 2, 3, "stop"] and not iic.read(Iic.SR) & Iic.BB


def test_iic_repeated_start(iic):
    iic.write(Iic.CR, Iic.EN | Iic.TX | Iic.MSMS)
    iic.write(Iic.TX_FIFO, 0x20, 7)
    iic.write(Iic.CR, Iic.EN | Iic.MSMS | Iic.RSTA | Iic.TXAK)
    assert not iic.read(Iic.CR) & Iic.RSTA
    iic.write(Iic.TX_FIFO, 0x21)
    assert iic.bus.take() == ["w10", 7, "r10", "1 last"] and iic.read(Iic.ISR) & Iic.RX_FULL
    iic.write(Iic.CR, Iic.EN)
    assert (
        iic.read(Iic.RX_FIFO) == 1
        and iic.read(Iic.SR) & Iic.RX_FIFO_EMPTY
        and iic.bus.take() == ["stop"]
    )


def test_iic_holds_the_bus_until_the_program_has_read(iic):
    iic.write(Iic.RX_FIFO_PIRQ, 2)
    iic.write(Iic.TX_FIFO, 0x21)
    iic.write(Iic.CR, Iic.EN | Iic.MSMS)
    assert iic.bus.take() == ["r10", "1", "2", "3"]
    assert (
        iic.read(Iic.ISR) & Iic.RX_FULL
        and iic.read(Iic.RX_FIFO_OCY) == 2
        and iic.read(Iic.SR) & Iic.SRW
    )
    assert iic.read(Iic.RX_FIFO) == 1 and iic.bus.take() == ["4"]
    iic.write(Iic.CR, Iic.EN | Iic.MSMS | Iic.TXAK)
    assert [iic.read(Iic.RX_FIFO) for _ in range(4)] == [2, 3, 4, 5] and iic.bus.take() == [
        "5 last"
    ]
    assert iic.read(Iic.SR) & Iic.RX_FIFO_EMPTY and not iic.read(Iic.ISR) & Iic.RX_FULL


def test_iic_dynamic_mode(iic):
    iic.write(Iic.RX_FIFO_PIRQ, 15)
    iic.write(Iic.TX_FIFO, 0x100 | 0x20, 5, 0x100 | 0x21, 0x200 | 20)
    assert iic.bus.take() == ["w10", 5, "r10"] + [str(byte) for byte in range(1, 17)]
    assert iic.read(Iic.CR) & Iic.MSMS and iic.read(Iic.SR) & Iic.SR_RX_FIFO_FULL
    assert [iic.read(Iic.RX_FIFO) for _ in range(20)] == list(range(1, 21))
    assert (
        iic.bus.take() == ["17", "18", "19", "20 last", "stop"] and not iic.read(Iic.CR) & Iic.MSMS
    )
    iic.write(Iic.TX_FIFO, 0x100 | 0x44, 1, 0x200 | 2)  # nobody is there
    assert (
        iic.read(Iic.ISR) & Iic.TX_ERROR
        and iic.bus.take()[:2] == ["w22", "stop"]
        and not iic.read(Iic.SR) & Iic.BB
    )


def test_iic_fifos_and_reset(iic):
    iic.write(Iic.CR, 0)
    iic.write(Iic.TX_FIFO, *range(20))
    assert iic.read(Iic.TX_FIFO_OCY) == 15 and not iic.read(Iic.SR) & Iic.TX_FIFO_EMPTY
    iic.write(Iic.CR, Iic.TX_FIFO_RESET)
    assert iic.read(Iic.SR) & Iic.TX_FIFO_EMPTY and iic.read(Iic.CR) == 0 and not iic.bus.told
    iic.write(Iic.CR, Iic.EN | Iic.MSMS)
    iic.write(Iic.TX_FIFO, 0x20)
    iic.write(Iic.SOFTR, 0xA)
    assert (
        iic.bus.take() == ["w10", "stop"]
        and iic.read(Iic.CR) == 0
        and not iic.read(Iic.SR) & Iic.BB
    )


# AXI Quad SPI, PG153


class SpiBus:
    def __init__(self):
        self.told = []

    def spi_select(self, selected):
        self.told.append(selected)

    def spi_transfer(self, byte):
        self.told.append(byte)
        return byte ^ 0xFF


@pytest.fixture
def spi():
    bus = SpiBus()
    processor = Processor(Spi, bus)
    processor.bus = bus
    processor.write(Spi.SPICR, Spi.SPE | Spi.MASTER | 0x80)
    return processor


def test_spi_transfers(spi):
    spi.write(Spi.SPISSR, 0xFE)
    spi.write(Spi.SPI_DTR, 0x12, 0xFFFFFFAE)  # a char of C's may come with its sign
    spi.write(Spi.SPISSR, 0xFF)
    assert spi.bus.told == [True, 0x12, 0xAE, False]
    assert spi.read(Spi.RX_FIFO_OCY) == 1 and [spi.read(Spi.SPI_DRR) for _ in range(2)] == [
        0xED,
        0x51,
    ]
    assert spi.read(Spi.SPISR) & Spi.RX_EMPTY


def test_spi_fifos_have_sixteen_places(spi):
    spi.write(Spi.SPISSR, 0xFE)
    spi.write(Spi.SPICR, Spi.SPE | Spi.MASTER | Spi.MASTER_TRANSACTION_INHIBIT)
    spi.write(Spi.SPI_DTR, *range(20))
    assert (
        spi.read(Spi.SPISR) & Spi.TX_FULL
        and spi.read(Spi.TX_FIFO_OCY) == 15
        and spi.bus.told == [True]
    )
    spi.write(Spi.SPICR, Spi.SPE | Spi.MASTER)
    assert (
        spi.bus.told == [True] + list(range(16))
        and spi.read(Spi.SPISR) & (Spi.RX_FULL | Spi.TX_EMPTY) == 6
    )
    spi.write(Spi.SPI_DTR, 99)
    assert [spi.read(Spi.SPI_DRR) for _ in range(16)] == [byte ^ 0xFF for byte in range(16)]
    assert spi.read(Spi.SPISR) & Spi.RX_EMPTY
    spi.write(Spi.SPI_DTR, 1)
    spi.write(Spi.SPICR, Spi.SPE | Spi.MASTER | Spi.RX_FIFO_RESET)
    assert spi.read(Spi.SPISR) & Spi.RX_EMPTY and not spi.read(Spi.SPICR) & Spi.RX_FIFO_RESET


def test_spi_does_nothing_disabled_and_reads_ones_unselected(spi):
    for control in 0, Spi.SPE, Spi.MASTER:
        spi.write(Spi.SPICR, control)
        spi.write(Spi.SPI_DTR, 5)
        assert not spi.read(Spi.SPISR) & Spi.TX_EMPTY
    spi.write(Spi.SPICR, Spi.SPE | Spi.MASTER | Spi.TX_FIFO_RESET)
    assert spi.read(Spi.SPISR) & Spi.TX_EMPTY and spi.read(Spi.SPISR) & Spi.RX_EMPTY
    spi.write(Spi.SPI_DTR, 5)
    assert spi.read(Spi.SPI_DRR) == 0xFF and not spi.bus.told


def test_spi_loop_reset_and_what_it_lacks(spi):
    spi.write(Spi.SPISSR, 0xFE)
    spi.write(Spi.SPICR, Spi.SPE | Spi.MASTER | Spi.LOOP)
    spi.write(Spi.SPI_DTR, 0x5A)
    assert spi.read(Spi.SPI_DRR) == 0x5A and spi.bus.told == [True]
    spi.write(Spi.SPI_DTR, 0x5A)
    spi.write(Spi.SRR, 0xA)
    assert (
        spi.bus.told == [True, False]
        and spi.read(Spi.SPICR) == 0x180
        and spi.read(Spi.SPISR) & Spi.RX_EMPTY
    )
    assert not spi.not_modelled
    spi.write(Spi.SPICR, Spi.LSB_FIRST)
    assert spi.not_modelled == ["AXI SPI SPICR.LSB_FIRST"]


# AXI GPIO, PG144, and the IO switch


def test_gpio_reads_the_pins():
    outside, changes = [0, 0], []
    gpio = Processor(
        Gpio, 8, lambda *pins: changes.append(pins), pulled_up=0b1100, inputs=lambda: tuple(outside)
    )
    assert gpio.read(Gpio.GPIO_TRI) == 0xFF and gpio.read(Gpio.GPIO_DATA) == 0b1100
    gpio.write(Gpio.GPIO_DATA, 0x1FF)
    assert gpio.read(Gpio.GPIO_DATA) == 0b1100  # no pin is an output
    gpio.write(Gpio.GPIO_TRI, 0xFE)
    assert gpio.read(Gpio.GPIO_DATA) == 0b1101 and changes[-1] == (0b1101, 0b0001)
    outside[:] = 0b10101, 0b10000
    gpio.peripheral.refresh()
    assert gpio.read(Gpio.GPIO_DATA) == 0b11001 and changes[-1] == (0b11001, 0b0001)
    gpio.peripheral.reset()
    assert gpio.read(Gpio.GPIO_DATA) == 0b11000 and gpio.read(Gpio.GPIO_TRI) == 0xFF


def test_gpio_of_outputs_alone():
    changes = []
    gpio = Processor(Gpio, 1, lambda *pins: changes.append(pins), all_outputs=True)
    gpio.write(Gpio.GPIO_DATA, 1)
    assert changes == [(0, 1), (1, 1)] and gpio.read(Gpio.GPIO_DATA) == 1


def test_io_switch():
    switch = Processor(IoSwitch)
    switch.write(IoSwitch.REG0, 0x07060504)
    switch.write(IoSwitch.REG1, 0x0C0D0000)
    assert [
        switch.peripheral.pins(signal) for signal in (IoSwitch.SS0, IoSwitch.GPIO, IoSwitch.SDA0)
    ] == [8, 0x30, 0x80]


# AXI INTC, PG099


class Controller:
    def __init__(self):
        self.registers = np.zeros(8, np.uint32)
        self.intc = Intc(self.registers)
        self.raised = 0

    def write(self, offset, value):
        self.registers[offset // 4] = value
        self.intc.written()

    def read(self, offset):
        return int(self.registers[offset // 4])

    def when_raised(self):
        self.intc.when_raised(lambda: setattr(self, "raised", self.raised + 1))


def test_intc_raises_once_for_an_edge():
    controller = Controller()
    controller.when_raised()
    controller.intc.line(8, 1)
    assert (
        controller.read(Intc.ISR) == 1 << 8
        and controller.read(Intc.IPR) == 0
        and controller.read(Intc.IVR) == 2**32 - 1
    )
    controller.write(Intc.SIE, 1 << 8)
    assert (
        controller.read(Intc.IER) == 1 << 8
        and controller.read(Intc.IPR) == 1 << 8
        and controller.read(Intc.IVR) == 8
    )
    assert controller.raised == 0
    controller.write(Intc.MER, 3)
    assert controller.raised == 1
    controller.write(Intc.IAR, 1 << 8)
    assert controller.read(Intc.ISR) == controller.read(Intc.IPR) == 0
    controller.when_raised()
    controller.intc.line(8, 1)  # that is no edge
    assert controller.raised == 1
    controller.intc.line(8, 0)
    controller.intc.line(8, 1)
    assert controller.raised == 2
    controller.when_raised()  # it is still pending
    assert controller.raised == 3
    controller.write(Intc.CIE, 1 << 8)
    assert controller.read(Intc.IER) == controller.read(Intc.IPR) == 0


def test_intc_other_lines_and_reset():
    controller = Controller()
    controller.write(Intc.MER, 3)
    controller.write(Intc.IER, 0b110)
    controller.intc.line(0, 1)
    controller.when_raised()
    assert controller.raised == 0
    controller.intc.line(2, 1)
    assert controller.raised == 1 and controller.read(Intc.IVR) == 2
    controller.intc.line(1, 1)
    assert controller.read(Intc.IVR) == 1  # the lowest first
    controller.write(Intc.CIE, 0b110)
    controller.when_raised()
    controller.intc.reset()
    assert not controller.registers.any()
    controller.write(Intc.MER, 3)
    controller.write(Intc.IER, 1 << 31)
    controller.intc.line(31, 1)
    # who waited before the reset waits no more
    assert controller.raised == 1 and controller.read(Intc.IVR) == 31
