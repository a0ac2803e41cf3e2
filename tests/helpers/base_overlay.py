"""A small base overlay for tests of what is made from a base overlay, where no image's own is at
hand."""

import struct

from helpers.kit import ROOT

# Real ones: of the images up to v2.5, and of the design that the images from v2.6 on have
STOCK = {
    design: ROOT.parent / "shared" / "stock_base_overlay" / folder / "base.bit"
    for design, folder in (("v2.4", "Pynq-Z1-v2.4"), ("v3", "Pynq-Z1-v3-design"))
}
HEADER_START = bytes.fromhex("00090ff00ff00ff00ff0000001")
LEDS = """<MODULE FULLNAME="/leds/gpio" INSTANCE="leds_gpio" MODTYPE="axi_gpio"
VLNV="xilinx.com:ip:axi_gpio:2.0"><PARAMETERS/><PORTS/><BUSINTERFACES/></MODULE>"""
LEDS_RANGE = """<MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x41210000"
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x4121FFFF" INSTANCE="leds_gpio" MASTERBUSINTERFACE="M_AXI_GP0"
SLAVEBUSINTERFACE="S_AXI"/>"""


def bit(
    part="7z020clg400", data=b"\xff" * 16 + b"\xaa\x99\x55\x66" + bytes(range(256)), announced=None
):
    """A .bit file: the header as Vivado writes it, and then some bytes that would not configure
    anything."""
    contents = HEADER_START
    for letter, text in zip(
        "abcd", ("base_wrapper;Version=2018.3", part, "2019/01/23", "15:27:38")
    ):
        contents += letter.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    return contents + b"e" + struct.pack(">I", len(data) if announced is None else announced) + data


def hwh():
    """The tutorial's own description with the stock names, and with something in it that the
    tutorial has no use for."""
    text = (ROOT / "bitstream" / "pynq_tutorial.hwh").read_text().replace("iop1", "iop_pmoda")
    return text.replace("</MODULES>", LEDS + "</MODULES>").replace(
        "<MEMORYMAP>", "<MEMORYMAP>" + LEDS_RANGE, 1
    )


def write(folder):
    """Writes base.bit and base.hwh into a folder; returns the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.bit").write_bytes(bit())
    (folder / "base.hwh").write_text(hwh())
    return folder / "base.bit"
