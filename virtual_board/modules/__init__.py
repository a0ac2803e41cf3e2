"""What can be plugged into a connector: a file for each module, whose first line names its data
sheet.

To add one, write a file like tmp2.py, and add its class here and to virtual_board/pmods.py."""

from .als import Als
from .device import I2cDevice, PmodDevice, SpiDevice, UartDevice
from .led8 import Led8
from .oled import Oled
from .tmp2 import Tmp2

__all__ = ["Als", "I2cDevice", "Led8", "Oled", "PmodDevice", "SpiDevice", "Tmp2", "UartDevice"]
