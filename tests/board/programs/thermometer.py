"""pynq's own driver of a Pmod, with its own program, through either overlay."""

from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2

for overlay, iop in ("base.bit", "iop_pmoda"), ("./bitstream/pynq_tutorial.bit", "iop1"):
    thermometer = Pmod_TMP2(getattr(Overlay(overlay), iop).mb_info)
    print([thermometer.read() for _ in range(3)])
