"""pynq's own driver of a Pmod, with its own program, under pynq's own board classes."""

from board import NOTEBOOKS
from conftest import NAME

THERMOMETER = """
from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2
thermometer = Pmod_TMP2(Overlay({!r}).{}.mb_info)
print([thermometer.read() for _ in range(3)])
"""


def test_a_thermometer_is_read_through_either_overlay(power_up):
    board = power_up()
    for overlay, iop, folder in 2 * (
        ("base.bit", "iop_pmoda", NOTEBOOKS),
        ("./bitstream/pynq_tutorial.bit", "iop1", NAME),
    ):
        assert board.python(THERMOMETER.format(overlay, iop), folder) == "[21.5, 21.5, 21.5]"
