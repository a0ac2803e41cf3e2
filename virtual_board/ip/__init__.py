"""The peripherals on the AXI bus of an IOP, and of Linux: a file for each, whose first line names
its IP as a .hwh does, and its data sheet. Registers and bits have the data sheet's names.

A peripheral's registers are in memory that the processor shares with Python. When the class is told
of an access, it does what that access causes, and stores the values for the next read. Devices
answer at once: the time of a transfer on a wire is not modelled."""

from .dma import Dma
from .flip_flop import FlipFlop
from .gpio import Gpio
from .iic import Iic
from .intc import Intc
from .io_switch import IoSwitch
from .spi import Spi
from .timer import Timer
from .uart_lite import UartLite
from .xadc import Xadc

__all__ = [
    "Dma",
    "FlipFlop",
    "Gpio",
    "Iic",
    "Intc",
    "IoSwitch",
    "OF_AN_IOP",
    "OF_LINUX",
    "Spi",
    "Timer",
    "UartLite",
    "Xadc",
]

# the models of what an IOP's MicroBlaze reaches, by KIND; what has none is memory there
OF_AN_IOP = {model.KIND: model for model in (Gpio, Iic, Intc, IoSwitch, Spi, Timer, UartLite, Xadc)}
# and of what Linux reaches
OF_LINUX = {model.KIND: model for model in (Dma, Gpio, Intc, Timer, Xadc)}
