"""Patches for pynq where it goes past its Device to Linux or to the disk, and has no plug-in point.

They replace names of the imported package; its files stay as they are."""

import asyncio
import os

import pynq.bitstream
import pynq.gpio
import pynq.interrupt
import pynq.overlays
from pynq.pl_server import Device

GPIO_CHIP = 906  # the number Linux gives a Zynq's first GPIO
FIRST_EMIO = 54  # UG585: MIO pins come first, then EMIO pins, which go to the fabric
OVERLAYS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "overlays")
BASES = "Pynq-Z1", "Pynq-Z2"  # what the environment variable BOARD of an image says
UIO = "/dev/uio-virtual-"
NOTEBOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "notebooks")


class GpioPin:
    """A pin, with the interface of pynq.gpio._GPIO, which writes files in /sys/class/gpio. Any
    thread may call."""

    def __init__(self, gpio_index, direction):
        self.index, self.direction = gpio_index, direction
        self.path = f"/sys/class/gpio/gpio{gpio_index}/"
        self._exported = True

    def read(self):
        return Device.active_device.gpio_level(self.index - GPIO_CHIP - FIRST_EMIO)

    def write(self, value):
        Device.active_device.gpio(self.index - GPIO_CHIP - FIRST_EMIO, value)

    def unexport(self):
        self._exported = False

    def is_exported(self):
        return self._exported


class UioController:
    """A line from the fabric to Linux, with the interface of pynq.uio.UioController. Only the event
    loop that waits may call it.

    Args:
        device: UIO and the number of Linux's interrupt."""

    def __init__(self, device):
        self._number = int(device[len(UIO) :])

    def add_event(self, event, number):
        loop = asyncio.get_event_loop()

        def tell():
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop is closed, so nobody waits
                pass

        Device.active_device.when_interrupted(self._number, tell)


def base_overlays():
    """Where pynq looks for base.bit beside its package pynq.overlays.base."""
    return [os.path.join(path, "base", "base.bit") for path in pynq.overlays.__path__]


def resolve_bitstream(bitfile_path, device):
    """Needs no .bit if its .hwh is there: a fake .bit might find its way to a board.

    Looks into the notebooks' folder, too: not every program runs a notebook in its own folder, as a
    board's Jupyter does (papermill, VS Code)."""
    if os.path.isfile(bitfile_path):
        return bitfile_path
    if bitfile_path in base_overlays():
        board = os.environ.get("BOARD")
        return os.path.join(
            OVERLAYS, "base", board if board in BASES else BASES[0], os.path.basename(bitfile_path)
        )
    stem, extension = os.path.splitext(bitfile_path)
    if extension == ".bit":
        inside = os.path.relpath(stem)  # Overlay() has made the path absolute, from this folder
        in_notebooks = [] if inside.startswith(os.pardir) else [os.path.join(NOTEBOOKS, inside)]
        for found in [stem] + in_notebooks:
            if os.path.isfile(found + ".hwh"):
                return found + extension
    return None


pynq.bitstream._resolve_bitstream = resolve_bitstream
pynq.gpio._GPIO = GpioPin
pynq.gpio.GPIO._GPIO_MIN_USER_PIN = FIRST_EMIO
pynq.gpio.GPIO.get_gpio_base_path = staticmethod(
    lambda target_label=None: f"/sys/class/gpio/gpiochip{GPIO_CHIP}"
)
pynq.interrupt.get_uio_irq = (UIO + "{}").format
pynq.interrupt.UioController = UioController
# pynq.overlays.base; an image's own, if it is there, comes first
if OVERLAYS not in pynq.overlays.__path__:
    pynq.overlays.__path__.append(OVERLAYS)
