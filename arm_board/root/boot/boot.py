"""As the stock image's boot.py, without its LEDs."""

from pynq import Overlay

Overlay("base.bit")
