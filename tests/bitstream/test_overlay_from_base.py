"""bitstream/derive.py: the tutorial's overlay, made from a base overlay; the image's real one where
it is at hand."""

import hashlib
import subprocess
import sys

import pytest

from bitstream.derive import OverlayError, derive
from helpers import base_overlay
from helpers.kit import ROOT

pytestmark = pytest.mark.slow

BASES = ["small"] + [
    pytest.param(
        design,
        marks=pytest.mark.skipif(
            not path.exists(), reason="the image's base overlay is not beside the project"
        ),
    )
    for design, path in base_overlay.STOCK.items()
]


@pytest.fixture
def base(request, tmp_path):
    return (
        base_overlay.write(tmp_path / "base")
        if request.param == "small"
        else base_overlay.STOCK[request.param]
    )


@pytest.fixture
def derived(base, tmp_path):
    for name, contents in derive(str(base)).items():
        (tmp_path / name).write_bytes(contents)
    return tmp_path / "pynq_tutorial.bit"


def parsed_by_pynq(path):
    """{field: value} of a .bit's header, and what goes to the FPGA manager, by the installed
    release's own board class."""
    from pynq.pl_server.embedded_device import bit2bin, parse_bit_header

    data = path.read_bytes()
    return parse_bit_header(data), bit2bin(data)


@pytest.mark.parametrize("base", BASES, indirect=True)
def test_the_configuration_data_stays_as_it_is_and_the_name_tells_the_overlays_apart(base, derived):
    (ours, our_data), (theirs, their_data) = parsed_by_pynq(derived), parsed_by_pynq(base)
    assert our_data == their_data and len(their_data) >= 276
    digest = hashlib.sha256(derived.with_suffix(".hwh").read_bytes()).hexdigest()
    assert ours["design"] == "pynq_tutorial_" + digest[:32]
    assert {name: value for name, value in ours.items() if name != "design"} == {
        name: value for name, value in theirs.items() if name != "design"
    }


def test_another_description_is_another_bit_file(tmp_path):
    base = base_overlay.write(tmp_path)
    before = derive(str(base))
    base.with_suffix(".hwh").write_text(
        base_overlay.hwh().replace("VIVADOVERSION=", "OTHERVERSION=")
    )
    after = derive(str(base))
    assert (
        before["pynq_tutorial.hwh"] != after["pynq_tutorial.hwh"]
        and before["pynq_tutorial.bit"] != after["pynq_tutorial.bit"]
    )


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
    from pynq import Overlay

    from virtual_board import pynq_versions

    interrupt = pynq_versions.read_hwh(str(base.with_suffix(".hwh"))).interrupt_pins[
        "iop_pmoda/dff_en_reset_vector_0/q"
    ]

    def described(bit):
        overlay = Overlay(str(bit))
        gpio = {name: pin["index"] for name, pin in overlay.gpio_dict.items()}
        found = dict(overlay.interrupt_pins["iop1/dff_en_reset_vector_0/q"])
        return (
            overlay.__doc__.split("\n", 1)[1],
            sorted(overlay.ip_dict),
            sorted(overlay.hierarchy_dict),
            gpio,
            overlay.interrupt_controllers,
            overlay.clock_dict,
            overlay.iop1.mb_info,
        ), found

    (ours, our_interrupt), (kits, kits_interrupt) = (
        described(derived),
        described(ROOT / "bitstream" / "pynq_tutorial.bit"),
    )
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
        (b"\0" * 5000, "is not a bitstream"),
        (base_overlay.bit()[:60], "is not a bitstream"),
        (base_overlay.bit(data=b""), "is not a bitstream"),
        (
            base_overlay.bit(part="7z010clg400"),
            "is for a 7z010clg400, and a PYNQ-Z1 or PYNQ-Z2 has a 7z020",
        ),
        (base_overlay.bit(part="xczu3eg"), "is for a xczu3eg"),
        (
            base_overlay.bit()[:-1],
            "is damaged: its header announces 276 bytes of configuration, and 275 follow",
        ),
        (base_overlay.bit() + b"\0", "and 277 follow"),
        (base_overlay.bit(data=b"\0" * 276), "is damaged"),
    ],
)
def test_a_wrong_bit_file_is_refused(tmp_path, bit, message):
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, bit=bit)))


NOT_DDR = (
    "does not lead all of the IOP's addresses from 0x20000000 to 0x3fffffff to the board's DDR"
    " memory"
)


@pytest.mark.parametrize(
    "before, after, message",
    [
        ("<EDKSYSTEM", "", "is not a hardware description"),
        ('DEVICE="7z020"', 'DEVICE="xczu3eg"', "describes xczu3eg"),
        ("<SYSTEMINFO", "<SOMETHING", "describes no device"),
        (
            "iop_pmoda",
            "iop_other",
            "has no iop_pmoda/dff_en_reset_vector_0, so it is not the base overlay",
        ),
        ("processing_system7", "processing_system8", "has no processing_system7"),
        ('BASEVALUE="0x20000000"', "", "is not a hardware description"),
        ('BASEVALUE="0x20000000"', 'BASEVALUE="zz"', "is not a hardware description"),
        ('"0x3fffffff"', '"0x2fffffff"', NOT_DDR),
        ('ADDRESSBLOCK="GP0_DDR_LOWOCM"', 'ADDRESSBLOCK="GP0_M_AXI_GP1"', NOT_DDR),
        ('"0x3fffffff" INSTANCE="ps7_0"', '"0x3fffffff" INSTANCE="nothing"', NOT_DDR),
        (
            'INSTANCE="system_interrupts" PORT="irq"',
            'INSTANCE="nothing" PORT="irq"',
            "does not connect the IOP's interrupt",
        ),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, before, after, message):
    assert before in base_overlay.hwh()
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, hwh=base_overlay.hwh().replace(before, after))))


REMAP = """<MODULE FULLNAME="/remap" INSTANCE="remap" MODTYPE="address_remap"><PARAMETERS>
<PARAMETER NAME="C_in_ADDR_WIDTH" VALUE="{bits}"/></PARAMETERS><PORTS/><BUSINTERFACES/><MEMORYMAP>{ranges}</MEMORYMAP></MODULE>"""
RANGE = (
    '<MEMRANGE ADDRESSBLOCK="{}" BASEVALUE="{:#x}" HIGHVALUE="{:#x}" INSTANCE="{}"'
    ' SLAVEBUSINTERFACE="in"/>'
)


def with_blocks(window, bits, ranges):
    """A base.hwh whose IOP has `window` in place of its way to DDR, and a block that passes on
    `bits` bits of an address."""
    way = base_overlay.MICROBLAZE[
        base_overlay.MICROBLAZE.index("<MEMRANGE") : base_overlay.MICROBLAZE.index("</MEMORYMAP>")
    ]
    text = base_overlay.hwh().replace(way, "".join(RANGE.format(*part) for part in window))
    remap = REMAP.format(bits=bits, ranges="".join(RANGE.format(*part) for part in ranges))
    return text.replace("</MODULES>", remap + "</MODULES>")


TO_REMAP = ("memory", 0x20000000, 0x3FFFFFFF, "remap")
DDR = ("GP0_DDR_LOWOCM", 0, 0x1FFFFFFF, "ps7_0")


@pytest.mark.parametrize(
    "window, bits, ranges",
    [
        ([TO_REMAP], 29, [DDR]),  # as the images from v2.6 on
        (
            [TO_REMAP],
            29,
            [("HP0_DDR_LOWOCM", 0, 0x3FFFFFFF, "ps7_0")],
        ),  # a wider way than is needed
        # in two parts
        (
            [
                ("memory", 0x20000000, 0x2FFFFFFF, "remap"),
                ("memory", 0x30000000, 0x3FFFFFFF, "remap"),
            ],
            29,
            [DDR],
        ),
    ],
)
def test_what_lies_between_the_iop_and_ddr_is_followed(tmp_path, window, bits, ranges):
    assert (
        b"iop1/dff_en"
        in derive(str(wrong(tmp_path, hwh=with_blocks(window, bits, ranges))))["pynq_tutorial.hwh"]
    )


@pytest.mark.parametrize(
    "window, bits, ranges",
    [
        ([TO_REMAP], 28, [DDR]),  # the upper half would be the lower half again
        ([TO_REMAP], 32, [("GP0_DDR_LOWOCM", 0x20000000, 0x2FFFFFFF, "ps7_0")]),  # half of DDR
        ([TO_REMAP], 29, [("GP0_DDR_LOWOCM", 0, 0x0FFFFFFF, "ps7_0")]),
        ([TO_REMAP], 29, [("GP0_QSPI_LINEAR", 0, 0x1FFFFFFF, "ps7_0")]),  # no DDR
        ([TO_REMAP], 29, [("memory", 0, 0x1FFFFFFF, "remap")]),  # round in a circle
        ([TO_REMAP], 29, []),
        ([("memory", 0x20000000, 0x2FFFFFFF, "remap")], 29, [DDR]),  # the upper half leads nowhere
        ([("memory", 0x10000000, 0x3FFFFFFF, "ps7_0")], 29, [DDR]),
        ([], 29, [DDR]),
    ],
)
def test_a_way_that_does_not_lead_to_all_of_ddr_is_refused(tmp_path, window, bits, ranges):
    with pytest.raises(OverlayError, match=NOT_DDR):
        derive(str(wrong(tmp_path, hwh=with_blocks(window, bits, ranges))))


@pytest.mark.parametrize("missing", ["base.bit", "base.hwh"])
def test_the_program_says_what_is_missing_and_writes_nothing(tmp_path, missing):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "base" / missing).unlink()
    run = subprocess.run(
        [sys.executable, str(ROOT / "bitstream" / "derive.py"), str(base), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert (
        run.returncode == 1
        and len(run.stderr.splitlines()) == 1
        and missing + " cannot be read" in run.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_the_program_writes_both_files_or_none(tmp_path):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "pynq_tutorial.hwh").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        run = subprocess.run(
            [sys.executable, str(ROOT / "bitstream" / "derive.py"), str(base), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert (
            run.returncode == 1
            and len(run.stderr.splitlines()) == 1
            and "cannot be written into" in run.stderr
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "pynq_tutorial.hwh"]


def test_the_program_writes_both_files(tmp_path):
    subprocess.run(
        [
            sys.executable,
            str(ROOT / "bitstream" / "derive.py"),
            str(base_overlay.write(tmp_path / "base")),
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "base",
        "pynq_tutorial.bit",
        "pynq_tutorial.hwh",
    ]
