"""Patches for pynq where it goes past its Device to Linux or to the disk, and has no plug-in point.

They replace names of the imported package; its files stay as they are."""

import asyncio
import os
import sys

import numpy
import pynq.bitstream
import pynq.gpio
import pynq.interrupt
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.pl_server import Device

GPIO_CHIP = 906  # the number Linux gives a Zynq's first GPIO
FIRST_EMIO = 54  # UG585: MIO pins come first, then EMIO pins, which go to the fabric
NOTEBOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "notebooks")


class GpioPin:
    """A pin, with the interface of pynq.gpio._GPIO, which writes files in /sys/class/gpio. Any
    thread may call."""

    def __init__(self, gpio_index, direction):
        self.index, self.direction = gpio_index, direction

    def write(self, value):
        Device.active_device.gpio(self.index - GPIO_CHIP - FIRST_EMIO, value)

    def unexport(self):
        pass

    def is_exported(self):
        return True


class UioController:
    """The line from the fabric's interrupt controller to Linux, with the interface of
    pynq.uio.UioController. Only the event loop that waits may call it."""

    def __init__(self, device):
        pass

    def add_event(self, event, number):
        loop = asyncio.get_event_loop()

        def tell():
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop is closed, so nobody waits
                pass

        Device.active_device.interrupt_controller.when_raised(tell)


def resolve_bitstream(bitfile_path, device):
    """Needs no .bit if its .hwh is there: a fake .bit might find its way to a board.

    Looks into the notebooks' folder, too: not every program runs a notebook in its own folder, as a
    board's Jupyter does (papermill, VS Code)."""
    if os.path.isfile(bitfile_path):
        return bitfile_path
    stem, extension = os.path.splitext(bitfile_path)
    # Overlay() has made the path absolute, from this folder
    for found in stem, os.path.join(NOTEBOOKS, os.path.relpath(stem)):
        if extension == ".bit" and os.path.isfile(found + ".hwh"):
            return found + extension
    return None


pynq.bitstream._resolve_bitstream = resolve_bitstream

# Clocks of pynq 3.0 looks here for the architecture, and later ones in the device. From it rpc, for
# cells of C, works out where the IOP has DDR, when pynq.lib is imported; it may be already.
pynq.ps.CPU_ARCH = pynq.ps.ZYNQ_ARCH
if "pynq.lib.pynqmicroblaze.rpc" in sys.modules:
    sys.modules["pynq.lib.pynqmicroblaze.rpc"].PTR_OFFSET = "0x20000000"

# PynqBuffer sets `device`, which numpy 2 does not allow; an attribute of the class hides numpy's.
if hasattr(numpy.ndarray, "device"):
    PynqBuffer.device = None

pynq.gpio._GPIO = GpioPin
pynq.gpio.GPIO._GPIO_MIN_USER_PIN = FIRST_EMIO
pynq.gpio.GPIO.get_gpio_base_path = staticmethod(
    lambda target_label=None: f"/sys/class/gpio/gpiochip{GPIO_CHIP}"
)
pynq.interrupt.get_uio_irq = "/dev/uio-virtual-{}".format
pynq.interrupt.UioController = UioController
