"""bitstream/derive.py: the tutorial's overlay, made from a base overlay; the image's real one where
it is at hand."""

import hashlib
import re
import sys

import pytest

from bitstream.derive import OverlayError, derive
from helpers import base_overlay
from helpers.kit import ROOT, run_program

pytestmark = pytest.mark.slow


def stock(design):
    path = base_overlay.STOCK[design]
    lacks = pytest.mark.skipif(not path.exists(), reason="no base overlay of an image here")
    return pytest.param(design, marks=lacks)


BASES = ["small"] + [stock(design) for design in base_overlay.STOCK]


@pytest.fixture
def base(request, tmp_path):
    made = request.param == "small"
    return base_overlay.write(tmp_path / "base") if made else base_overlay.STOCK[request.param]


@pytest.fixture
def derived(base, tmp_path):
    for name, contents in derive(str(base)).items():
        (tmp_path / name).write_bytes(contents)
    return tmp_path / "pynq_tutorial.bit"


@pytest.mark.parametrize("base", BASES, indirect=True)
def test_only_the_designs_name_changes_in_the_bit_file(base, derived):
    """pynq's own board class reads the headers, and what goes to the FPGA manager."""
    from pynq.pl_server.embedded_device import bit2bin, parse_bit_header

    ours, theirs = derived.read_bytes(), base.read_bytes()
    assert bit2bin(ours) == bit2bin(theirs) and len(bit2bin(ours)) >= 276
    digest = hashlib.sha256(derived.with_suffix(".hwh").read_bytes()).hexdigest()
    design = f"pynq_tutorial_{digest[:32]}"
    assert parse_bit_header(ours) == dict(parse_bit_header(theirs), design=design)


@pytest.mark.parametrize("base", BASES, indirect=True)
def test_the_iop_example_runs_on_it(board, xlnk, buffer, derived):
    from pynq import Overlay

    from iop.pynq_tutorial import Pynq_Tutorial

    overlay = Overlay(str(derived))
    assert overlay.iop1.mb_info["rst_name"] == "mb_iop1_reset"
    Pynq_Tutorial(overlay.iop1.mb_info).write_to_buffer(buffer, 100, 7)
    assert buffer.tolist() == list(range(7, 107))
    assert board.stray_writes() == []


@pytest.mark.parametrize("base", BASES, indirect=True)
def test_it_holds_just_what_the_tutorial_needs(board, base, derived):
    """... and says the same of it as the kit's own description, which the notebooks' outputs are
    from. The interrupt has the number that the base overlay gives it."""
    from pynq import Device, Overlay

    pins = Device.active_device.get_bitfile_metadata(str(base)).interrupt_pins
    interrupt = pins["iop_pmoda/dff_en_reset_vector_0/q"]

    def described(bit):
        overlay = Overlay(str(bit))
        found = dict(overlay.interrupt_pins["iop1/dff_en_reset_vector_0/q"])
        said = {
            "help": overlay.__doc__.split("\n", 1)[1],
            "gpio": {name: pin["index"] for name, pin in overlay.gpio_dict.items()},
            "mb_info": overlay.iop1.mb_info,
        }
        for name in ("ip_dict", "hierarchy_dict", "interrupt_controllers", "clock_dict"):
            said[name] = sorted(getattr(overlay, name))
        return said, found

    ours, our_interrupt = described(derived)
    kits, kits_interrupt = described(ROOT / "bitstream" / "pynq_tutorial.bit")
    assert ours == kits
    assert our_interrupt == dict(kits_interrupt, index=interrupt["index"])


def wrong(folder, bit=None, hwh=None):
    base = base_overlay.write(folder)
    if bit is not None:
        base.write_bytes(bit)
    if hwh is not None:
        base.with_suffix(".hwh").write_text(hwh)
    return base


@pytest.mark.parametrize(
    "bit, message",
    [
        (b"", "is not a bitstream"),
        (base_overlay.bit()[:60], "is not a bitstream"),
        (base_overlay.bit(data=b""), "is not a bitstream"),
        (base_overlay.bit(part="7z010clg400"), "is for a 7z010clg400, and a PYNQ-Z1 or .* 7z020"),
        (base_overlay.bit()[:-1], "header announces 276 bytes of configuration, and 275 follow"),
        (base_overlay.bit(data=b"\0" * 276), "is damaged"),
    ],
)
def test_a_wrong_bit_file_is_refused(tmp_path, bit, message):
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, bit=bit)))


NOT_DDR = "does not lead all of .* 0x20000000 to 0x3fffffff to the board's DDR memory"
NONE = "is not a hardware description"


@pytest.mark.parametrize(
    "before, after, message",
    [
        ("<EDKSYSTEM", "", NONE),
        ('DEVICE="7z020"', 'DEVICE="xczu3eg"', "describes xczu3eg"),
        ("iop_pmoda", "iop_other", "has no iop_pmoda/dff_en_.*, so it is not the base overlay"),
        ("processing_system7", "processing_system8", "has no processing_system7"),
        ('BASEVALUE="0x20000000"', "", NONE),
        ('"0x3FFFFFFF"', '"0x2FFFFFFF"', NOT_DDR),
        ('ADDRESSBLOCK="GP0_DDR_LOWOCM"', 'ADDRESSBLOCK="GP0_M_AXI_GP1"', NOT_DDR),
        ('"0x3FFFFFFF" INSTANCE="ps7_0"', '"0x3FFFFFFF" INSTANCE="nothing"', NOT_DDR),
        ('INSTANCE="system_interrupts" PORT="irq"', 'INSTANCE="x" PORT="irq"', "IOP's interrupt"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, before, after, message):
    assert before in base_overlay.hwh()
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, hwh=base_overlay.hwh().replace(before, after))))


REMAP = """<MODULE FULLNAME="/remap" INSTANCE="remap" MODTYPE="address_remap"><PARAMETERS>
<PARAMETER NAME="C_in_ADDR_WIDTH" VALUE="{bits}"/></PARAMETERS><PORTS/><BUSINTERFACES/>
<MEMORYMAP>{ranges}</MEMORYMAP></MODULE>"""
RANGE = (
    '<MEMRANGE ADDRESSBLOCK="{}" BASEVALUE="{:#x}" HIGHVALUE="{:#x}" INSTANCE="{}"'
    ' SLAVEBUSINTERFACE="in"/>'
)


def with_blocks(window, bits, ranges):
    """A base.hwh whose IOP has `window` in place of its way to DDR, and a block that passes on
    `bits` bits of an address."""
    text = base_overlay.hwh()
    (way,) = re.findall('<MEMRANGE ADDRESSBLOCK="GP0_DDR_LOWOCM".*/>', text)
    text = text.replace(way, "".join(RANGE.format(*part) for part in window))
    remap = REMAP.format(bits=bits, ranges="".join(RANGE.format(*part) for part in ranges))
    return text.replace("</MODULES>", remap + "</MODULES>")


def to_remap(first=0x20000000, last=0x3FFFFFFF):
    return "memory", first, last, "remap"


DDR = ("GP0_DDR_LOWOCM", 0, 0x1FFFFFFF, "ps7_0")


@pytest.mark.parametrize(
    "window, ranges",
    [
        ([to_remap()], [DDR]),  # as the images from v2.6 on
        ([to_remap(last=0x2FFFFFFF), to_remap(0x30000000)], [DDR]),  # in two parts
    ],
)
def test_what_lies_between_the_iop_and_ddr_is_followed(tmp_path, window, ranges):
    made = derive(str(wrong(tmp_path, hwh=with_blocks(window, 29, ranges))))
    assert b"iop1/dff_en" in made["pynq_tutorial.hwh"]


@pytest.mark.parametrize(
    "window, bits, ranges",
    [
        ([to_remap()], 28, [DDR]),  # the upper half would be the lower half again
        ([to_remap()], 32, [("GP0_DDR_LOWOCM", 0x20000000, 0x2FFFFFFF, "ps7_0")]),  # half of DDR
        ([to_remap()], 29, [("GP0_QSPI_LINEAR", 0, 0x1FFFFFFF, "ps7_0")]),  # no DDR
        ([to_remap()], 29, [("memory", 0, 0x1FFFFFFF, "remap")]),  # round in a circle
        ([to_remap(last=0x2FFFFFFF)], 29, [DDR]),  # the upper half leads nowhere
    ],
)
def test_a_way_that_does_not_lead_to_all_of_ddr_is_refused(tmp_path, window, bits, ranges):
    with pytest.raises(OverlayError, match=NOT_DDR):
        derive(str(wrong(tmp_path, hwh=with_blocks(window, bits, ranges))))


def test_the_program_writes_both_files_or_says_why_not(tmp_path):
    base = base_overlay.write(tmp_path / "base")

    def run(folder):
        return run_program(sys.executable, str(ROOT / "bitstream/derive.py"), str(base), folder)

    assert "No such file or directory" in run(str(tmp_path / "missing")).stdout
    assert run(str(tmp_path)).returncode == 0
    made = ["base", "pynq_tutorial.bit", "pynq_tutorial.hwh"]
    assert sorted(path.name for path in tmp_path.iterdir()) == made
    base.unlink()
    said = run(str(tmp_path))
    assert said.returncode == 1 and "base.bit cannot be read" in said.stdout
