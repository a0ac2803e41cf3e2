"""Pmod 8LD (Digilent's reference manual): eight LEDs, each on a pin of its own."""

from .device import PmodDevice


class Led8(PmodDevice):
    """A Pmod 8LD: eight LEDs.

    leds: int, bit i is LED i; a pin that the IOP does not drive lights nothing"""

    leds = 0

    def pins(self, levels, driven):
        self.leds = levels & driven

    def __repr__(self):
        lit = [str(led) for led in range(8) if self.leds >> led & 1]
        return f"<virtual Pmod {type(self).__name__}: LEDs that are on: {', '.join(lit) or 'none'}>"

    def _repr_html_(self):
        cells = ""
        for led in range(7, -1, -1):
            on = self.leds >> led & 1
            lamp = "<b style='color: #2ca02c'>&#9679;</b> on" if on else "&#9675; off"
            cells += f"<td style='text-align: center'>LED {led}<br>{lamp}</td>"
        return f"<table><tr>{cells}</tr></table>"
