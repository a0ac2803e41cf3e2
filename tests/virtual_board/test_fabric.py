"""The fabric is what the overlay's description says: with a base overlay, where one is at hand, and
with the tutorial's."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from pynq import MMIO, Overlay, allocate
from pynq.lib import PynqMicroblaze

from helpers.base_overlay import STOCK
from helpers.drivers import devmode, in_a_loop, wakes_for
from helpers.kit import OVERLAY
from helpers.waiting import soon
from iop.pynq_tutorial import Pynq_Tutorial
from iop.sharing import IopLock
from virtual_board.microblaze import mmu
from virtual_board.microblaze.qemu import cpu_seconds
from virtual_board.pmods import Led8

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


IOPS = "iop_pmoda", "iop_pmodb", "iop_arduino"


def test_every_iop_of_a_base_overlay(base, board):
    started = [iop.microblaze.pid is not None for iop in board.fabric.iops.values()]
    assert started == [True, False, False]  # the first, so that Overlay() says if QEMU is missing
    for data, name in enumerate(IOPS, 7):
        assert fills(getattr(base, name).mb_info, data)
    tutorial = Overlay(OVERLAY)
    assert fills(tutorial.iop1.mb_info, 8) and len(board.fabric.overlay.iops) == 1
    base.download()
    assert fills(base.iop_pmoda.mb_info, 9) and len(board.fabric.overlay.iops) == 3
    assert board.stray_writes() == []


def test_its_interrupt_has_the_number_of_this_overlay(base):
    """The two designs give it different inputs."""

    async def main(mb_info):
        await wakes_for(devmode(mb_info), 2)

    for name in IOPS[:2]:
        in_a_loop(main(getattr(base, name).mb_info))


def writes_to(iop, address):
    """Has an IOP execute imm; addik r3; sw r3, r0, r3; bri 0."""
    iop.microblaze.reset(active=True)
    iop.memory.words[:2] = 0xB0000000 | address >> 16, 0x30600000 | address & 0xFFFF
    iop.memory.words[2:4] = 0xD8601800, 0xB8000000
    iop.microblaze.reset(active=False)


def test_it_is_said_which_iop_wrote_astray(base, board):
    parts = list(board.fabric.iops.values())
    for iop, address in zip(parts, (0x20123450, 0x20300000, 0x20500004)):
        writes_to(iop, address)
    assert soon(lambda: len(board.stray_writes()) == 3)
    said = "[(1193040, 4) by iop_pmoda, (3145728, 4) by iop_pmodb, (5242884, 4) by iop_arduino]"
    assert repr(board.stray_writes()) == said
    board.memory.ddr[0x00700000] = 1  # Python
    assert board.stray_writes()[3].by == ()
    parts[0].close()
    assert board.stray_writes()[0].by == ()


def test_they_run_at_the_same_time(base, board):
    """Three programs write to one buffer, and then sleep. One of them goes astray, and the others
    go on."""
    iops = [Pynq_Tutorial(getattr(base, name).mb_info) for name in IOPS]
    buffer = allocate((300,), "u4")
    for number, iop in enumerate(iops):
        iop.write_to_buffer(buffer[100 * number :][:100], 100, 1000 * number)
    assert buffer.tolist() == [1000 * n + i for n in range(3) for i in range(100)]
    parts = list(board.fabric.iops.values())
    assert soon(lambda: all(iop.microblaze.is_asleep for iop in parts))
    pids = [iop.microblaze.pid for iop in parts]
    before = sum(map(cpu_seconds, pids))
    time.sleep(1)
    assert sum(map(cpu_seconds, pids)) - before < 0.02 and len(set(pids)) == 3
    rest = parts[:2]
    programs = [iop.memory.words[: 0xF000 // 4].copy() for iop in rest]
    writes_to(parts[2], mmu.PARTS + mmu.OWN_CODE)  # where the first one's reset code is in the file
    time.sleep(0.1)
    for iop, program in zip(rest, programs):
        assert (iop.memory.words[: 0xF000 // 4] == program).all()
    iops[0].write_to_buffer(buffer[:100], 100, 5)
    iops[1].write_to_buffer(buffer[100:200], 100, 6)
    assert buffer[:200].tolist() == [*range(5, 105), *range(6, 106)]


def test_iops_do_not_wait_for_each_other(base):
    """Neither in this process nor in another one."""
    first, second = (Pynq_Tutorial(getattr(base, name).mb_info) for name in IOPS[:2])
    with first._lock.threads, first._lock:
        assert fills(base.iop_arduino.mb_info, 3)
        second.write_to_buffer(allocate((4,), "u4"), 4, 1)
        other = IopLock(base.device.lock_file, second._lock._address, "iop_pmodb")
        with other:  # an open file of its own counts as another process
            pass


def test_a_driver_on_the_second_pmod(base, board):
    driver = devmode(base.iop_pmodb.mb_info)
    driver.write_cmd(0x40000004, 0)  # GPIO_TRI: all outputs
    driver.write_cmd(0x40000000, 0xA5)
    assert driver.read_cmd(0x40000000) == 0xA5
    assert board.fabric.iops[0].peripherals["gpio"][0] == 0xCC  # pulled up, as ever


def test_a_module_whose_iop_goes_is_dark(base, board):
    module = board.pmodb.plug(Led8())
    driver = devmode(base.iop_pmodb.mb_info)
    driver.write_cmd(0x40000004, 0)
    driver.write_cmd(0x40000000, 0xA5)
    assert module.leds == 0xA5
    Overlay(OVERLAY)
    assert module.leds == 0 and board.pmodb.plugged() == [module]


def test_an_iop_that_cannot_be_made_changes_nothing(base, board, tmp_path):
    hwh = Path(OVERLAY).with_suffix(".hwh").read_text()
    less = 'BASEVALUE="0x20000000" HIGHVALUE="0x{}FFFFFFF"'.format
    (tmp_path / "less.hwh").write_text(hwh.replace(less(3), less(2)))
    iop, buffer = Pynq_Tutorial(base.iop_pmoda.mb_info), allocate((4,), "u4")
    with pytest.raises(RuntimeError, match="iop1 sees 256 MB of DDR from 0x20000000 on, and"):
        Overlay(str(tmp_path / "less.bit"))
    iop.write_to_buffer(buffer, 4, 9)
    assert buffer.tolist() == [9, 10, 11, 12] and len(board.fabric.iops) == 3


def test_the_boards_parts(base, board):
    base.leds_gpio.write(0, 5)
    base.rgbleds_gpio.write(0, 0b110001)
    board.switches[1].on()
    board.buttons[3].press()
    assert repr(board.leds) == "LD0 is on, LD1 is off, LD2 is on, LD3 is off"
    assert repr(board.rgbleds) == "LD4 is blue, LD5 is yellow"
    assert base.switches_gpio.read(0) == 2 and base.btns_gpio.read(0) == 8


def test_what_has_no_model_is_memory_and_says_so_once(base, capfd):
    said = "audio_direct_0 (xilinx.com:user:audio_direct:1.1) has no model"
    mmio = MMIO(0x43C00000, 0x1000)
    assert said not in capfd.readouterr().err
    mmio.write(8, 5)
    assert mmio.read(8) == 5
    assert capfd.readouterr().err.count(said) == 1
    base.download()
    assert MMIO(0x43C00000, 0x1000).read(8) == 0
    with pytest.raises(ValueError, match="Nothing answers at 0x41260000"):
        MMIO(0x41260000, 0x1000)


def test_nothing_of_an_earlier_overlay_stays(base):
    Overlay(OVERLAY)
    with pytest.raises(ValueError, match="Nothing answers at 0x41250000: with this overlay"):
        MMIO(0x41250000, 0x1000)


def test_a_peripheral_without_a_model_is_named(board, tmp_path, capfd):
    """imm; lwi r3, r0, 0x41200000: the IOP's own interrupt controller, here of somebody else's;
    bri 0"""
    hwh = Path(OVERLAY).with_suffix(".hwh").read_text()
    (tmp_path / "other.hwh").write_text(
        re.sub(
            '(FULLNAME="/iop1/intc".*VLNV=")xilinx.com:ip:axi_intc', r"\1somebody:user:intc", hwh
        )
    )
    program = [0xB0004120, 0xE8600000, 0xB0004120, 0xE8600004, 0xB8000000]
    (tmp_path / "program.bin").write_bytes(np.array(program, "u4").tobytes())
    overlay = Overlay(str(tmp_path / "other.bit"))
    PynqMicroblaze(overlay.iop1.mb_info, str(tmp_path / "program.bin"))
    said = []
    assert soon(lambda: said.append(capfd.readouterr().err) or said[-1])
    time.sleep(0.1)
    said = said[-1] + capfd.readouterr().err
    assert "iop1 uses an address from 0x41200000 to 0x4120ffff" in said
    assert said.count("iop1/intc (somebody:user:intc:4.1)") == said.count("\n") == 1
