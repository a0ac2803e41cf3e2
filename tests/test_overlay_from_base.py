"""bitstream/derive.py: the tutorial's overlay, made from a base overlay; the image's real one where it is at hand."""

import subprocess
import sys

import pytest

import base_overlay
from conftest import ROOT

sys.path.insert(0, str(ROOT / "bitstream"))
from derive import OverlayError, derive  # noqa: E402

BASES = ["small", pytest.param("stock", marks=pytest.mark.skipif(
    not base_overlay.STOCK.exists(), reason="the stock image's base overlay is not beside the project"))]


@pytest.fixture
def base(request, tmp_path):
    return base_overlay.STOCK if request.param == "stock" else base_overlay.write(tmp_path / "base")


@pytest.fixture
def derived(base, tmp_path):
    for name, contents in derive(str(base)).items():
        (tmp_path / name).write_bytes(contents)
    return tmp_path / "pynq_tutorial.bit"


@pytest.mark.parametrize("base", BASES, indirect=True)
def test_the_bit_file_stays_as_it_is(base, derived):
    assert derived.read_bytes() == base.read_bytes()


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
def test_it_holds_just_what_the_tutorial_needs(board, derived):
    """... and says the same of it as the kit's own description, which the notebooks' outputs are from."""
    from pynq import Overlay
    def described(bit):
        overlay = Overlay(str(bit))
        gpio = {name: pin["index"] for name, pin in overlay.gpio_dict.items()}
        interrupt = dict(overlay.interrupt_pins["iop1/dff_en_reset_vector_0/q"])
        return (overlay.__doc__.split("\n", 1)[1], sorted(overlay.ip_dict), sorted(overlay.hierarchy_dict), gpio, interrupt,
                overlay.interrupt_controllers, overlay.clock_dict, overlay.iop1.mb_info)
    assert described(derived) == described(ROOT / "bitstream" / "pynq_tutorial.bit")


def wrong(folder, bit=None, hwh=None):
    base = base_overlay.write(folder)
    if bit is not None:
        base.write_bytes(bit)
    if hwh is not None:
        base.with_suffix(".hwh").write_text(hwh)
    return base


@pytest.mark.parametrize("bit, message", [
    (b"", "is no bitstream"),
    (b"\0" * 5000, "is no bitstream"),
    (base_overlay.bit()[:60], "is no bitstream"),
    (base_overlay.bit(data=b""), "is no bitstream"),
    (base_overlay.bit(part="7z010clg400"), "is for a 7z010clg400, and a PYNQ-Z1 or PYNQ-Z2 has a 7z020"),
    (base_overlay.bit(part="xczu3eg"), "is for a xczu3eg"),
    (base_overlay.bit()[:-1], "is damaged: its header announces 276 bytes of configuration, and 275 follow"),
    (base_overlay.bit() + b"\0", "and 277 follow"),
    (base_overlay.bit(data=b"\0" * 276), "is damaged"),
])
def test_a_wrong_bit_file_is_refused(tmp_path, bit, message):
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, bit=bit)))


@pytest.mark.parametrize("before, after, message", [
    ("<EDKSYSTEM", "", "is no hardware description"),
    ('DEVICE="7z020"', 'DEVICE="xczu3eg"', "describes xczu3eg"),
    ("<SYSTEMINFO", "<SOMETHING", "describes no device"),
    ("iop_pmoda", "iop_other", "has no iop_pmoda/dff_en_reset_vector_0, so it is not the base overlay"),
    ("processing_system7", "processing_system8", "has no processing_system7"),
    ('BASEVALUE="0x20000000"', "", "is no hardware description"),
    ('BASEVALUE="0x20000000"', 'BASEVALUE="zz"', "is no hardware description"),
    ('"0x3fffffff"', '"0x2fffffff"', "does not let the IOP reach DDR memory at 0x20000000"),
    ('INSTANCE="system_interrupts" PORT="irq"', 'INSTANCE="nothing" PORT="irq"', "does not connect the IOP's interrupt"),
])
def test_a_wrong_description_is_refused(tmp_path, before, after, message):
    assert before in base_overlay.hwh()
    with pytest.raises(OverlayError, match=message):
        derive(str(wrong(tmp_path, hwh=base_overlay.hwh().replace(before, after))))


@pytest.mark.parametrize("missing", ["base.bit", "base.hwh"])
def test_the_program_says_what_is_missing_and_writes_nothing(tmp_path, missing):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "base" / missing).unlink()
    run = subprocess.run([sys.executable, str(ROOT / "bitstream" / "derive.py"), str(base), str(tmp_path)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1 and missing + " cannot be read" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_the_program_writes_both_files_or_none(tmp_path):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "pynq_tutorial.hwh").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        run = subprocess.run([sys.executable, str(ROOT / "bitstream" / "derive.py"), str(base), str(folder)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert run.returncode == 1 and len(run.stderr.splitlines()) == 1 and "cannot be written into" in run.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "pynq_tutorial.hwh"]


def test_the_program_writes_both_files(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "bitstream" / "derive.py"), str(base_overlay.write(tmp_path / "base")),
                    str(tmp_path)], stdout=subprocess.PIPE, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "pynq_tutorial.bit", "pynq_tutorial.hwh"]
