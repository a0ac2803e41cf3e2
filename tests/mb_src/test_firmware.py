"""The committed program: its header, its size, and the tools that check it. `make firmware-check`
proves its origin."""

import re
import subprocess

import pytest

from helpers.kit import ROOT
from iop.firmware import HEADER, MAGIC, PROGRAM
from mb_src import check, compiler

MB_SRC = ROOT / "mb_src"
TOOLS = compiler.built() and compiler.built() / "bin"
needs_compiler = pytest.mark.skipif(
    TOOLS is None, reason="the pinned compiler is not built; `make compiler` builds it"
)


def test_header_says_how_long_it_is():
    program = open(PROGRAM, "rb").read()
    assert program[HEADER : HEADER + 4] == MAGIC
    assert int.from_bytes(program[HEADER + 4 : HEADER + 8], "little") == len(program)


def test_fits_its_budget():
    assert len(open(PROGRAM, "rb").read()) <= 512


def test_no_name_of_a_machine_or_person_is_in_it():
    assert re.findall(rb"[ -~]{8,}", open(PROGRAM, "rb").read()) == []


def compile_c(source, folder, *flags):
    (folder / "t.c").write_text(source)
    made, sources = str(folder / "t.elf"), [str(MB_SRC / "crt0.S"), str(folder / "t.c")]
    link = ["-O2", "-nostdlib", "-T", str(MB_SRC / "iop.ld"), *sources, "-lgcc", "-o", made]
    subprocess.run([str(TOOLS / "mb-gcc"), *flags, *link], check=True)
    copy = [str(TOOLS / "mb-objcopy"), "-O", "binary", made, str(folder / "t.bin")]
    subprocess.run(copy, check=True)
    return folder / "t.bin"


ARITHMETIC = """
int main(void) {
   volatile unsigned *p = (void *)0xF000;
   p[0] = p[1] * p[2]; p[3] = p[1] << p[2]; p[4] = p[1] / p[2];
   return p[0] == p[1];
}
"""


@needs_compiler
def test_check_names_each_instruction_that_a_stock_iop_lacks(tmp_path):
    options = "-mno-xl-soft-mul -mxl-barrel-shift -mno-xl-soft-div -mxl-pattern-compare"
    program = compile_c(ARITHMETIC, tmp_path, "-mcpu=v11.0", *options.split())
    found = {text.split()[0] for _, text in check.lacking(str(TOOLS / "mb-objdump"), program)}
    assert found == {"mul", "bsll", "idivu", "pcmpeq"}


@needs_compiler
def test_check_passes_the_same_done_in_software(tmp_path):
    program = compile_c(ARITHMETIC, tmp_path, "-mcpu=v11.0", "-mxl-soft-mul")
    assert check.lacking(str(TOOLS / "mb-objdump"), program) == []


@needs_compiler
def test_check_fails_for_a_changed_byte(tmp_path):
    program = bytearray(open(PROGRAM, "rb").read())
    program[100] ^= 1
    (tmp_path / "changed.bin").write_bytes(program)
    with pytest.raises(SystemExit, match="is not what the source makes"):
        check.main(str(TOOLS / "mb-objdump"), PROGRAM, str(tmp_path / "changed.bin"))
