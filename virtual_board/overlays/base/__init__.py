"""The base overlay of a PYNQ-Z1 or PYNQ-Z2 as pynq.overlays.base, for a PC. On a board the image
has its own."""

from pynq import GPIO, Overlay
from pynq.lib import RGBLED

from virtual_board.missing import Missing

__all__ = ["BaseOverlay"]


class BaseOverlay(Overlay):
    """The board's own parts and its I/O processors, as in the image's class.

    leds, buttons, switches: channels of AXI GPIOs, as leds[0].on() and buttons[0].read()
    rgbleds: pynq.lib.RGBLED of LD4 and LD5, as rgbleds[4].write(color)
    iop_pmoda, iop_pmodb, iop_arduino: the I/O processors; and iop_rpi of a PYNQ-Z2
    PMODA, PMODB, ARDUINO, RPI: their mb_info, which pynq's drivers take
    pin_select: on a PYNQ-Z2, whether PMODA (0) or RPI (1) has the pins that they share

    Args:
        bitfile: "base.bit" is that of the board that the environment variable BOARD names, Pynq-Z1
            or Pynq-Z2; without it, a PYNQ-Z1's.
        options: As of Overlay."""

    video, audio = Missing("video"), Missing("audio")
    trace_pmoda = trace_pmodb = trace_arduino = trace_rpi = Missing("trace analyzer")

    def __init__(self, bitfile="base.bit", **options):
        super().__init__(bitfile, **options)
        if not self.is_loaded():
            return
        for name, kind in [("pmoda", "Pmod"), ("pmodb", "Pmod"), ("arduino", "Arduino")]:
            self._name(name, kind)
        if "iop_rpi" in self.hierarchy_dict:
            self._name("rpi", "Rpi")
            pin = self.gpio_dict["pmoda_rp_pin_sel"]["index"]
            self.pin_select = GPIO(GPIO.get_gpio_pin(pin), "out")
        for name, gpio, width, direction in [
            ("leds", self.leds_gpio, 4, "out"),
            ("buttons", self.btns_gpio, 4, "in"),
            ("switches", self.switches_gpio, 2, "in"),
        ]:
            channel = gpio.channel1
            channel.setlength(width)
            channel.setdirection(direction)
            setattr(self, name, channel)
        RGBLED._mmio = None  # which an earlier overlay may have left
        self.rgbleds = [None] * 4 + [RGBLED(index) for index in (4, 5)]

    def _name(self, connector, kind):
        iop = getattr(self, f"iop_{connector}")
        iop.mbtype = kind
        setattr(self, connector.upper(), iop.mb_info)

    def select_pmoda(self):
        """Gives the pins that PMODA and RPI share to PMODA (PYNQ-Z2)."""
        self.pin_select.write(0)

    def select_rpi(self):
        """Gives the pins that PMODA and RPI share to RPI (PYNQ-Z2)."""
        self.pin_select.write(1)
