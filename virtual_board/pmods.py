"""Virtual modules to plug into the virtual board's connectors, and the classes from which you
derive a device of your own. modules/ has a file for each or for a family.

    oled = board.plug(Oled())
    Pmod_OLED(overlay.iop1.mb_info).write("Hello")    # pynq's own driver
    oled                                              # as the last line of a cell: the picture

Derive your own device from I2cDevice, RegisterFile, SpiDevice, UartDevice or PmodDevice. The thread
that serves the IOP calls its methods, one at a time, while the IOP's program waits; any thread may
set its attributes. It answers at once: on the virtual board no transfer takes time."""

from .modules import *  # noqa: F403
from .modules import __all__  # noqa: F401
