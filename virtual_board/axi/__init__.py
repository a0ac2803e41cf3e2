"""The peripherals on the AXI bus of an IOP, and of Linux, each as its datasheet has it: names of registers and bits as there.

A peripheral's registers lie in memory that the processor shares with Python. What a write to one brings about, or a read, the
class does when it is told of it, and leaves in the memory what the next read shall give. Devices answer at once: how long a
transfer takes on a wire is not modelled.
"""

from .gpio import Gpio
from .iic import Iic
from .intc import Intc
from .io_switch import IoSwitch
from .spi import Spi
from .timer import Timer

__all__ = ["Gpio", "Iic", "Intc", "IoSwitch", "Spi", "Timer"]
