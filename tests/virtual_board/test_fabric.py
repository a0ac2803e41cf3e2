"""The fabric is what the overlay's description says: with a base overlay, where one is at hand, and
with the tutorial's."""

import time

import pytest
from pynq import MMIO, Overlay, allocate

from helpers.base_overlay import STOCK
from helpers.drivers import devmode, in_a_loop, wakes_for
from helpers.kit import OVERLAY
from helpers.waiting import soon
from iop.pynq_tutorial import Pynq_Tutorial

pytestmark = pytest.mark.slow


@pytest.fixture(params=STOCK)
def base(board, request):
    if not STOCK[request.param].exists():
        pytest.skip("no base overlay of an image here")
    return Overlay(str(STOCK[request.param]))


def fills(mb_info, data):
    buffer = allocate((100,), "u4")
    Pynq_Tutorial(mb_info).write_to_buffer(buffer, 100, data)
    return buffer.tolist() == list(range(data, data + 100))


def test_the_first_iop_of_a_base_overlay(base, board):
    assert fills(base.iop_pmoda.mb_info, 7)
    tutorial = Overlay(OVERLAY)
    assert fills(tutorial.iop1.mb_info, 8) and len(board.fabric.overlay.iops) == 1
    base.download()
    assert fills(base.iop_pmoda.mb_info, 9) and len(board.fabric.overlay.iops) == 3
    assert board.stray_writes() == []


def test_its_interrupt_has_the_number_of_this_overlay(base):
    """The two designs give it different inputs."""

    async def main():
        await wakes_for(devmode(base.iop_pmoda.mb_info), 2)

    in_a_loop(main())


def test_what_has_no_model_is_memory_and_says_so_once(base, capfd):
    said = "leds_gpio (xilinx.com:ip:axi_gpio:2.0) has no model"
    mmio = MMIO(0x41250000, 0x1000)
    assert said not in capfd.readouterr().err
    leds = base.leds_gpio
    leds.write(0, 5)
    assert mmio.read(0) == 5 and leds.read(0) == 5
    assert capfd.readouterr().err.count(said) == 1
    base.download()
    assert MMIO(0x41250000, 0x1000).read(0) == 0
    with pytest.raises(ValueError, match="Nothing answers at 0x41260000"):
        MMIO(0x41260000, 0x1000)


def test_nothing_of_an_earlier_overlay_stays(base):
    Overlay(OVERLAY)
    with pytest.raises(ValueError, match="Nothing answers at 0x41250000: with this overlay"):
        MMIO(0x41250000, 0x1000)


def test_a_peripheral_without_a_model_is_named(load, capfd):
    """imm; lwi r3, r0, 0x41200000: the IOP's own interrupt controller; bri 0"""
    load([0xB0004120, 0xE8600000, 0xB0004120, 0xE8600004, 0xB8000000])
    said = []
    assert soon(lambda: said.append(capfd.readouterr().err) or said[-1])
    time.sleep(0.1)
    said = said[-1] + capfd.readouterr().err
    assert "iop1 uses an address from 0x41200000 to 0x4120ffff" in said
    assert said.count("iop1/intc (xilinx.com:ip:axi_intc:4.1)") == said.count("\n") == 1
