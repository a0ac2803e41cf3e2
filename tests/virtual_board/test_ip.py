"""The other peripherals' registers, in cases that pynq's drivers do not show."""

import pytest

from helpers.registers import Processor
from virtual_board.ip import Gpio, Intc, IoSwitch, UartLite, Xadc
from virtual_board.ip.gpio import ALL, Channel

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
