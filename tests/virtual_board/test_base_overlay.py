"""pynq.overlays.base on a PC: the kit's own, and the image's class and design where they are at
hand. And descriptions that cannot be an overlay."""

import asyncio
import importlib
import os
import signal
import subprocess
import sys

import pytest
from pynq import MMIO, Overlay, allocate
from pynq.lib import DMA
from pynq.lib.pmod import PMOD_SWCFG_DIOALL, Pmod_DevMode

from helpers import overlays
from helpers.base_overlay import STOCK
from helpers.drivers import devmode, in_a_loop, wakes_for
from helpers.kit import ROOT, run_program
from iop.pynq_tutorial import Pynq_Tutorial
from virtual_board.hwh_writer import Hwh
from virtual_board.overlays.base import make

BOARDS = "Pynq-Z1", "Pynq-Z2"
KIT = ROOT / "virtual_board" / "overlays" / "base"


@pytest.fixture(params=BOARDS)
def base(board, request, monkeypatch):
    from pynq.overlays.base import BaseOverlay

    monkeypatch.setenv("BOARD", request.param)
    return BaseOverlay("base.bit")


@pytest.fixture
def z1(board, monkeypatch):
    from pynq.overlays.base import BaseOverlay

    monkeypatch.delenv("BOARD", raising=False)
    return BaseOverlay("base.bit")


@pytest.mark.parametrize("name", BOARDS)
def test_its_description_is_what_make_py_writes(name):
    assert (KIT / name / "base.hwh").read_text() == make.base(name)


def of_an_iop(iop):
    """What the virtual board makes an IOP from, but for versions and the controller's input."""
    ips = {ip.name: (ip.kind, ip.base, ip.size, ip.interrupts, ip.reset_with_iop) for ip in iop.ips}
    return ips, iop.memory.base, iop.local_size, iop.reset, iop.acknowledge, iop.windows


@pytest.mark.parametrize("design", STOCK)
def test_it_is_the_images_overlay(z1, board, design):
    """... in all that is modelled: addresses, parameters, wires."""
    hwh = STOCK[design].with_suffix(".hwh")
    if not hwh.exists():
        pytest.skip("no base overlay of an image here")
    ours = board.fabric.overlay
    Overlay(str(STOCK[design]))
    theirs = board.fabric.overlay
    assert list(map(of_an_iop, ours.iops)) == list(map(of_an_iop, theirs.iops))
    for our, their in zip(ours.iops, theirs.iops):
        for one, other in zip(our.ips, their.ips):
            assert one.parameters.items() <= other.parameters.items()
            for pin, ends in one.wires.items():
                if pin not in one.interrupts:  # these go through other blocks
                    assert unnamed(ends) == unnamed(other.wires[pin]), (one.name, pin)
    reached = {ip.name: ip for ip in theirs.ips}
    for ip in ours.ips:
        other = reached[ip.name]
        assert (ip.vlnv, ip.base, ip.size) == (other.vlnv, other.base, other.size)
        assert list(ip.interrupts) == list(other.interrupts)
    assert ours.ports.items() <= theirs.ports.items()


def unnamed(ends):
    """Ends of wires, without the names of blocks that only collect or divide wires."""
    return sorted((name.rpartition("/")[2].replace("mb3_timer_", ""), pin) for name, pin in ends)


def test_the_boards_parts(base, board):
    base.leds[0:4].write(0b1001)
    base.rgbleds[4].on(3)
    base.rgbleds[5].on(4)
    assert [led.is_on for led in board.leds] == [True, False, False, True]
    assert repr(board.rgbleds) == "LD4 is cyan, LD5 is red"
    board.buttons[3].press()
    board.switches[0].on()
    assert (base.buttons.read(), base.switches.read()) == (8, 1)
    assert base.leds[3].read() == 1 and len(base.leds) == 4 and len(base.switches) == 2

    async def released():
        task = asyncio.ensure_future(base.buttons[3].wait_for_value_async(0))
        await asyncio.sleep(0.05)
        assert not task.done()
        board.buttons[3].release()
        await asyncio.wait_for(task, 60)

    in_a_loop(released())


def test_every_iop(base):
    connectors = ["PMODA", "PMODB", "ARDUINO"] + ["RPI"] * ("iop_rpi" in base.hierarchy_dict)
    assert ("RPI" in connectors) == base.bitfile_name.endswith("Pynq-Z2/base.bit")
    for data, connector in enumerate(connectors):
        buffer = allocate((10,), "u4")
        Pynq_Tutorial(getattr(base, connector)).write_to_buffer(buffer, 10, data)
        assert buffer.tolist() == list(range(data, data + 10))
    types = [getattr(base, name)["mbtype"] for name in connectors]
    assert types == ["Pmod", "Pmod", "Arduino", "Rpi"][: len(types)]
    base = type(base)("base.bit")  # which also ends these programs

    async def main():
        for connector in connectors[:2]:
            await wakes_for(devmode(getattr(base, connector)), 1)

    in_a_loop(main())


@pytest.mark.parametrize("hit", range(3))
def test_when_one_qemu_is_killed_the_others_go_on(z1, board, hit):
    iops = [Pynq_Tutorial(getattr(z1, name)) for name in ("PMODA", "PMODB", "ARDUINO")]
    pids = [iop.microblaze.pid for iop in board.fabric.iops.values()]
    os.kill(pids[hit], signal.SIGKILL)
    buffers = allocate((3, 10), "u4")
    for number, iop in enumerate(iops):
        try:
            iop.write_to_buffer(buffers[number], 10, 7, timeout=2 if number != hit else 0.2)
        except TimeoutError:
            assert number == hit
            iop.write_to_buffer(buffers[number], 10, 7)  # in a new one
    assert buffers.tolist() == 3 * [list(range(7, 17))]
    now = [iop.microblaze.pid for iop in board.fabric.iops.values()]
    assert [one == other for one, other in zip(now, pids)] == [n != hit for n in range(3)]
    assert board.stray_writes() == []


KERNEL = """
import os, sys, time, virtual_board
board = virtual_board.activate()
from pynq import Overlay, allocate
from iop.pynq_tutorial import Pynq_Tutorial
if sys.argv[1] == "base":
    from pynq.overlays.base import BaseOverlay
    iop = BaseOverlay("base.bit").PMODB
else:
    iop = Overlay("notebooks/bitstream/pynq_tutorial.bit").iop1.mb_info
iop, buffer = Pynq_Tutorial(iop), allocate((100,), "u4")
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    iop.write_to_buffer(buffer, 100, number)
    assert buffer.tolist() == list(range(number, number + 100))
print(len(board.fabric.iops), board.stray_writes())
"""


def test_kernels_with_other_overlays():
    """A process has a board of its own."""
    overlays = [("base", "Pynq-Z1"), ("base", "Pynq-Z2"), ("tutorial", "Pynq-Z1")]
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", KERNEL, overlay],
            cwd=ROOT,
            env=dict(os.environ, BOARD=board),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        for overlay, board in overlays
    ]
    assert [kernel.stdout.readline() for kernel in kernels] == 3 * ["ready\n"]
    for kernel in kernels:
        print(file=kernel.stdin, flush=True)
    said = [kernel.communicate(timeout=120)[0] for kernel in kernels]
    assert said == ["3 []\n", "4 []\n", "1 []\n"]


def test_a_driver_on_the_second_pmod(z1):
    driver = Pmod_DevMode(z1.PMODB, PMOD_SWCFG_DIOALL)
    driver.start()
    driver.write_cmd(0x40000004, 0)
    driver.write_cmd(0x40000000, 0xA5)
    assert driver.read_cmd(0x40000000) == 0xA5


def test_the_pins_that_rpi_and_pmoda_share(base):
    if "iop_rpi" not in base.hierarchy_dict:
        pytest.skip("a PYNQ-Z1 has no such pins")
    base.select_rpi()
    base.select_pmoda()


@pytest.mark.parametrize("what", ["video", "audio", "trace_pmoda"])
def test_what_is_missing_says_so(z1, what):
    part = getattr(z1, what)
    with pytest.raises(AttributeError, match="The virtual board has no (video|audio|trace)"):
        part.start()
    assert "The virtual board has no" in repr(part) and not hasattr(part, "_repr_png_")


def test_a_users_own_base_bit_comes_first(board, tmp_path, monkeypatch):
    design = Hwh("mine")
    overlays.gpio(design, "mine", 0x41200000)
    overlays.write(design, tmp_path, "base")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="multiple possible matches"):
        assert list(Overlay("base.bit").ip_dict) == ["mine", "ps7_0"]


def test_a_script_finds_it():
    """A new process, as a user starts it."""
    script = "import virtual_board; virtual_board.activate();"
    script += "from pynq.overlays.base import BaseOverlay; print(BaseOverlay('base.bit').leds)"
    ran = run_program(sys.executable, "-c", script, BOARD="Pynq-Z2")
    assert "AxiGPIO.Channel" in ran.stdout and ran.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("design", STOCK)
def test_the_images_drivers_load(board, design, capfd):
    """Those that pynq binds to video, audio and trace analyzers."""
    if not STOCK[design].exists():
        pytest.skip("no base overlay of an image here")
    for name in "audio", "video", "logictools":
        importlib.import_module(f"pynq.lib.{name}")
    base = Overlay(str(STOCK[design]))
    for part, what in (base.audio_direct_0, "audio"), (base.video, "video"):
        with pytest.raises(AttributeError, match=f"The virtual board has no {what}: use it on a"):
            part.hdmi_in.configure() if what == "video" else part.record(1)
    base.audio_direct_0.configure()
    info = base.trace_analyzer_pmoda.description["ip"]
    assert isinstance(base.trace_analyzer_pmoda.axi_dma_0, DMA)
    trace = MMIO(info["trace_cntrl_32_0"]["phys_addr"], 64)
    assert trace.read(0) == 0
    with pytest.raises(RuntimeError, match="no trace analyzer.*trace_analyzer_pmoda/trace_cntrl_3"):
        trace.write(0, 1)


# Descriptions that cannot be an overlay

GOOD = "leds"


def bad(change):
    """The text of a description, changed."""
    design = Hwh("bad")
    overlays.gpio(design, GOOD, 0x41200000)
    overlays.gpio(design, "others", 0x41210000)
    return change(design.text())


BAD = {
    "cut off": (lambda text: text[: len(text) // 2], "no element found|unclosed token"),
    "another family": (
        lambda text: text.replace('ARCH="zynq"', 'ARCH="zynquplus"'),
        "for a chip of the family zynquplus, and a PYNQ-Z1 or PYNQ-Z2 has a zynq",
    ),
    "twice at an address": (
        lambda text: text.replace("0x41210000", "0x41208000").replace("0x4121FFFF", "0x41217FFF"),
        "leds and others are both at 0x41208000",
    ),
    "beyond what Linux reaches": (
        lambda text: text.replace("0x4121", "0xC121"),
        "others is at 0xc1210000 to 0xc121ffff, and Linux reaches the fabric at 0x40000000",
    ),
    "empty": (lambda text: "", "no element found"),
    "something else": (lambda text: "<html></html>", "."),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_description_changes_nothing(z1, board, tmp_path, name):
    z1.leds.write(5, 15)
    change, says = BAD[name]
    (tmp_path / "bad.hwh").write_text(bad(change))
    before = board.fabric.overlay
    with pytest.raises(RuntimeError, match=f"cannot be read as the description.*({says})"):
        Overlay(str(tmp_path / "bad.bit"))
    assert board.fabric.overlay is before and board.leds[2].is_on
    assert z1.leds[2].read() == 1


def test_a_parameter_that_is_no_number(z1, board, tmp_path):
    text = bad(
        lambda text: text.replace(
            'NAME="C_GPIO_WIDTH" VALUE="4"', 'NAME="C_GPIO_WIDTH" VALUE="x"', 1
        )
    )
    (tmp_path / "bad.hwh").write_text(text)
    before = board.fabric.overlay
    z1.leds.write(5, 15)
    with pytest.raises((RuntimeError, ValueError), match="leds.*C_GPIO_WIDTH.*'x'"):
        Overlay(str(tmp_path / "bad.bit"))
    assert board.fabric.overlay is before and board.leds[2].is_on
