"""What the virtual board reads in a .hwh: the tutorial's, and those of two base overlays where they
are at hand."""

import ast

import pytest

from helpers.base_overlay import STOCK
from helpers.kit import ROOT
from virtual_board import description, pynq_versions

TUTORIAL = ROOT / "bitstream" / "pynq_tutorial.hwh"
# base.tcl: where the MicroBlaze of a Pmod IOP, and that of the Arduino IOP, has its peripherals
PMOD = {
    0x40000000: "axi_gpio",
    0x40010000: "axi_gpio",
    0x40800000: "axi_iic",
    0x41200000: "axi_intc",
    0x41C00000: "axi_timer",
    0x44A10000: "axi_quad_spi",
    0x44A20000: "io_switch",
}
ARDUINO = {
    **PMOD,
    0x40020000: "axi_gpio",
    0x40600000: "axi_uartlite",
    **{0x41C00000 + 0x10000 * number: "axi_timer" for number in range(6)},
    0x44A00000: "axi_quad_spi",
    0x44A30000: "xadc_wiz",
}
# the memory as Linux sees it, the EMIO pins, and the peripherals
IOPS = {
    "iop_pmoda": (0x40000000, 0, 4, PMOD),
    "iop_pmodb": (0x42000000, 1, 5, PMOD),
    "iop_arduino": (0x44000000, 2, 6, ARDUINO),
}
DDR = description.Window(0x20000000, 0x20000000, 0)


def read(hwh):
    parser = pynq_versions.read_hwh(str(hwh))
    return parser, parser.overlay


@pytest.fixture(scope="module", params=STOCK)
def base(request):
    hwh = STOCK[request.param].with_suffix(".hwh")
    if not hwh.exists():
        pytest.skip("no base overlay of an image here")
    return read(hwh)


def named(ips):
    return {ip.name: ip for ip in ips}


def test_the_tutorials():
    _, overlay = read(TUTORIAL)
    assert [(ip.name, ip.kind, ip.base) for ip in overlay.ips] == [
        ("system_interrupts", description.INTERRUPT_CONTROLLER, 0x41800000)
    ]
    (iop,) = overlay.iops
    assert (iop.name, iop.memory.base, iop.memory.size) == ("iop1", 0x40000000, 0x10000)
    assert (iop.reset, iop.acknowledge, iop.interrupt) == (0, 4, ("system_interrupts", 8))
    assert {ip.base: ip.kind.rpartition(":")[2] for ip in iop.ips} == PMOD
    assert (iop.local_size, iop.windows) == (0x10000, [DDR])


def test_the_tutorials_iop_is_the_base_overlays(base):
    """... in what the virtual board is made from: addresses, wires, and the parameters given."""
    (ours,), theirs = read(TUTORIAL)[1].iops, base[1].iops[0]
    for our, their in zip(ours.ips, theirs.ips):
        assert our.parameters.items() <= their.parameters.items()
        assert our.wires.items() <= renamed(their.wires).items()
        assert our.interrupts == renamed(their.interrupts)
        assert (our.kind, our.base, our.size) == (their.kind, their.base, their.size)
        assert our.reset_with_iop == their.reset_with_iop


def renamed(ends):
    return ast.literal_eval(repr(ends).replace("iop_pmoda", "iop1"))


def test_the_iops_of_a_base_overlay(base):
    _, overlay = base
    assert [iop.name for iop in overlay.iops] == list(IOPS)
    for iop in overlay.iops:
        memory, reset, acknowledge, peripherals = IOPS[iop.name]
        assert (iop.memory.base, iop.memory.size, iop.local_size) == (memory, 0x10000, 0x10000)
        assert (iop.reset, iop.acknowledge) == (reset, acknowledge)
        assert iop.windows == [DDR]
        assert {ip.base: ip.kind.rpartition(":")[2] for ip in iop.ips} == peripherals


def test_linux_reaches_what_pynq_says(base):
    parser, overlay = base
    reached = named(overlay.ips + [iop.memory for iop in overlay.iops])
    mapped = {
        name: part
        for name, part in {**parser.ip_dict, **parser.mem_dict}.items()
        if part.get("phys_addr") is not None
    }
    assert {name: (ip.base, ip.size) for name, ip in reached.items()} == {
        name: (part["phys_addr"], part["addr_range"]) for name, part in mapped.items()
    }
    leds = reached["leds_gpio"]
    assert (leds.kind, leds.base) == ("xilinx.com:ip:axi_gpio", 0x41250000)
    assert leds.parameter("C_GPIO_WIDTH") == 4 and leds.parameter("C_ALL_OUTPUTS") == 1
    assert leds.parameter("C_TRI_DEFAULT") == 0xFFFFFFFF and leds.parameter("ABSENT", 7) == 7


def test_interrupts_to_linux_are_numbered_as_pynq_numbers_them(base):
    parser, overlay = base
    for iop in overlay.iops:
        pin = parser.interrupt_pins[f"{iop.name}/dff_en_reset_vector_0/q"]
        assert iop.interrupt == (pin["controller"], pin["index"])
    buttons = named(overlay.ips)["btns_gpio"].interrupts["ip2intc_irpt"]
    first = overlay.iops[0].interrupt[1]  # another block's input in front of it moves all of them
    assert buttons == ("system_interrupts", first + 3)


def test_interrupts_inside_of_an_iop(base):
    """They go through one concatenation, and the Arduino IOP's six timers through another."""
    pmod, _, arduino = base[1].iops
    assert {ip.name: ip.interrupts for ip in pmod.ips if ip.interrupts} == {
        "iop_pmoda/iic": {"iic2intc_irpt": ("iop_pmoda/intc", 0)},
        "iop_pmoda/spi": {"ip2intc_irpt": ("iop_pmoda/intc", 1)},
        "iop_pmoda/timer": {"interrupt": ("iop_pmoda/intc", 2)},
    }
    inputs = {ip.name: list(ip.interrupts.values()) for ip in arduino.ips}
    for number in range(6):
        timer = inputs[f"iop_arduino/timers_subsystem/timer_{number}"]
        assert timer == [("iop_arduino/intc", number)]
    assert inputs["iop_arduino/gpio_subsystem/arduino_gpio"] == [("iop_arduino/intc", 10)]


def test_what_an_iops_reset_leaves_alone(base):
    """A Pmod's switch keeps its state over a reset, and the Arduino's does not."""
    pmod, _, arduino = base[1].iops
    keep = {
        iop.name: {ip.base for ip in iop.ips if not ip.reset_with_iop} for iop in (pmod, arduino)
    }
    assert keep["iop_pmoda"] == {0x40010000, 0x44A20000}
    assert keep["iop_arduino"] == {0x40010000, 0x40600000, 0x44A00000, 0x44A30000}


def test_wires_tell_which_gpio_is_the_connectors(base):
    for iop in base[1].iops:
        ends = {ip.base: {end for end, _ in sum(ip.wires.values(), ())} for ip in iop.ips}
        pins = 0x40020000 if iop.name == "iop_arduino" else 0x40000000
        assert {end.rpartition("/")[2].split("_0")[0] for end in ends[pins]} >= {"io_switch"}
        assert ends[0x40010000] == {iop.flip_flop}


def changed(folder, before, after):
    """The tutorial's description, in which something else stands in one place."""
    text = TUTORIAL.read_text()
    assert text.count(before) == 1
    hwh = folder / "changed.hwh"
    hwh.write_text(text.replace(before, after))
    return read(hwh)[1].iops[0]


def test_a_wide_input_moves_those_behind_it(tmp_path):
    width = '<PARAMETER NAME="IN0_WIDTH" VALUE="{}"/>'.format
    iop = changed(tmp_path, width(1), width(5))
    inputs = {ip.name: number for ip in iop.ips for _, number in ip.interrupts.values()}
    assert inputs == {"iop1/iic": 0, "iop1/spi": 5, "iop1/timer": 6}


def test_ddr_is_where_the_memory_map_has_it(tmp_path):
    last = 'BASEVALUE="0x20000000" HIGHVALUE="0x{}FFFFFFF"'.format
    iop = changed(tmp_path, last(3), last(2))
    assert iop.windows == [description.Window(0x20000000, 0x10000000, 0)]
    no_ddr = changed(tmp_path, "GP0_DDR_LOWOCM", "GP0_QSPI_LINEAR")
    assert no_ddr.windows == []


def test_an_installed_description_leaves_the_microblaze_out(tmp_path):
    iop = changed(tmp_path, "xilinx.com:ip:microblaze:11.0", "xilinx.com:ip:other:11.0")
    assert (iop.ips, iop.windows, iop.local_size) == ([], [DDR], 0x10000)
