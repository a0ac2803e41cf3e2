"""Patches for pynq where it goes past its Device to Linux or to the disk, and has no plug-in point.

They replace names of the imported package; its files stay as they are.
"""

import asyncio
import os

import pynq.bitstream
import pynq.gpio
import pynq.interrupt
from pynq.pl_server import Device

GPIO_CHIP = 906  # the number Linux gives a Zynq's first GPIO, and
# how many of them are MIO pins (UG585), ahead of the EMIO pins that go to the fabric
FIRST_EMIO = 54
NOTEBOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "notebooks")


class GpioPin:
    """One pin, with the interface of pynq.gpio._GPIO, which writes files in /sys/class/gpio. Any
    thread may call."""

    def __init__(self, gpio_index, direction):
        if direction not in ("in", "out"):
            raise ValueError("Direction should be in or out.")
        self.index = gpio_index
        self.direction = direction
        self.path = f"/sys/class/gpio/gpio{gpio_index}/"
        self._exported = True

    def read(self):
        if self.direction != "in":
            raise AttributeError("Cannot read GPIO output.")
        return 0  # nothing drives a pin towards the PS

    def write(self, value):
        if self.direction != "out":
            raise AttributeError("Cannot write GPIO input.")
        if value not in (0, 1):
            raise ValueError("Can only write integer 0 or 1.")
        Device.active_device.gpio(self.index - GPIO_CHIP - FIRST_EMIO, value)

    def unexport(self):
        self._exported = False

    def is_exported(self):
        return self._exported


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
    """Accepts a missing .bit if its .hwh is there: the virtual board reads only the .hwh, and a
    fake .bit might find its way to a board. A file that is not in the working folder is looked for
    in the notebooks' folder: a board's Jupyter runs each notebook in its own folder, and other
    programs (papermill, VS Code) do not."""
    stem, extension = os.path.splitext(bitfile_path)
    if extension == ".bit" and not os.path.isfile(bitfile_path):
        # PYNQ's Overlay() has made the path absolute, from the working folder.
        inside = os.path.relpath(stem)
        in_notebooks = [] if inside.startswith(os.pardir) else [os.path.join(NOTEBOOKS, inside)]
        for found in [stem] + in_notebooks:
            if os.path.isfile(found + ".hwh"):
                return found + extension
    return resolve_bitstream.on_disk(bitfile_path, device)


# pynq's own function, even if %autoreload loads this module again
resolve_bitstream.on_disk = getattr(
    pynq.bitstream._resolve_bitstream, "on_disk", pynq.bitstream._resolve_bitstream
)
pynq.bitstream._resolve_bitstream = resolve_bitstream
pynq.gpio._GPIO = GpioPin
pynq.gpio.GPIO._GPIO_MIN_USER_PIN = FIRST_EMIO
pynq.gpio.GPIO.get_gpio_base_path = staticmethod(
    lambda target_label=None: f"/sys/class/gpio/gpiochip{GPIO_CHIP}"
)
pynq.interrupt.get_uio_irq = "/dev/uio-virtual-{}".format
pynq.interrupt.UioController = UioController
