"""7_pins' checks: plausible wrong answers are told what is wrong with them, in one line, and
unusual right ones are right."""

import json
import re

import numpy as np
import pytest
from checks import pins as check

from helpers.kit import ROOT
from iop.pynq_tutorial import PROGRAM as PROGRAM_OF_THE_KIT
from virtual_board.pmods import I2cDevice, Led8

pytestmark = pytest.mark.slow

PROGRAM = next(
    "".join(cell["source"])
    for cell in json.loads((ROOT / "notebooks" / "7_pins.ipynb").read_text())["cells"]
    if "my_firmware/pins.c\n" in "".join(cell["source"])
)
RIGHT_FILM = [1 << led for led in (0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1)]

FILMS = [
    (RIGHT_FILM, "Right: "),
    (np.array(RIGHT_FILM, np.uint32), "Right: "),
    ([1, 2, 4, 8, 16, 32, 64, 128, 64.0, 32, 16, 8, 4, 2], "Right: "),
    (RIGHT_FILM + [1], "Not yet: the film: it has 15 words. Expected: 14: "),
    (RIGHT_FILM[:8] * 2, "Not yet: the film: it has 16 words"),
    (
        RIGHT_FILM[:8] + RIGHT_FILM[7:1:-1],
        "Not yet: word 8 of the film: it is 0x80, which lights LED 7. Expected: 0x40, LED 6 alone",
    ),
    (
        list(range(14)),
        "Not yet: word 0 of the film: it is 0x0, which lights no LED. Expected: 0x1, LED 0 alone",
    ),
    (
        [2**led - 1 for led in range(1, 15)],
        (
            "Not yet: word 1 of the film: it is 0x3, which lights LED 0 and 1. Expected: 0x2, LED 1"
            " alone"
        ),
    ),
    (list("there and back"), "Not yet: word 0 of the film: it is 't'. Expected: 0x1"),
    (..., "Not yet: fill in"),
]

PROGRAMS = [
    ("levels >> i & 1", "Right: "),
    ("(levels & 1 << i) != 0", "Right: "),
    ("levels & 1, levels >>= 1", "Right: "),
    ("levels & 1 << i ? 1 : 0", "Right: "),
    ("...", "Not yet: fill in"),
    ("1 + 0 * levels", "Not yet: the levels 00000000, pin 7 first: RESULT is 8. Expected: 0."),
    ("levels & 1 << i", "Not yet: the levels 11111111, pin 7 first: RESULT is 255. Expected: 8."),
    ("levels & i", "Not yet: the levels 11111111, pin 7 first: RESULT is 28. Expected: 8."),
    (
        "levels >> (i + 1) & 1",
        "Not yet: the levels 11111111, pin 7 first: RESULT is 7. Expected: 8.",
    ),
    ("i-- && levels", "Not yet: the levels 00000000, pin 7 first: the IOP did not answer"),
    ("level >> i & 1", "Not yet: building pins.c: pins.c:21:18: error: 'level' undeclared"),
]


class Right(I2cDevice):
    address, celsius = 0x4B, 20.0

    def start(self, reading):
        self.bytes = list(int(self.celsius * 128).to_bytes(2, "big"))

    def write(self, byte):
        return True

    def read(self):
        return self.bytes.pop(0)


class ByShifts(Right):
    def start(self, reading):
        self.word = int(self.celsius * 128) << 8

    def read(self):
        self.word >>= 8
        self.word, byte = self.word << 16, self.word >> 8 & 0xFF
        return byte


class TakesItAnew(Right):
    def start(self, reading):
        self.low = False

    def read(self):
        high, low = divmod(round(self.celsius * 128), 256)
        self.low, byte = True, low if self.low else high
        return byte


class Untouched(Right):
    def start(self, reading): ...

    def read(self): ...


class LowFirst(Right):
    def start(self, reading):
        self.bytes = list(int(self.celsius * 128).to_bytes(2, "little"))


class Degrees(Right):
    def start(self, reading):
        self.bytes = [0, int(self.celsius)]


class NeverAgain(Right):
    bytes = None

    def start(self, reading):
        self.bytes = self.bytes or list(int(self.celsius * 128).to_bytes(2, "big"))

    def read(self):
        return self.bytes[0]


class Elsewhere(Right):
    address = 0x48


class NoBytes(Right):
    def read(self):
        return str(self.celsius)


class OutOfBytes(Right):
    def start(self, reading):
        self.bytes = []


class NoDevice:
    start = read = Right.start


DEVICES = [
    (Right, "Right: "),
    (ByShifts, "Right: "),
    (TakesItAnew, "Right: "),
    (Untouched, "Not yet: fill in"),
    (LowFirst, "Not yet: 20.0 degrees: your device sent the bytes 000a, which .* Expected: 0a00"),
    (Degrees, "Not yet: 20.0 degrees: your device sent the bytes 0014, .* Expected: 0a00"),
    (NeverAgain, "Not yet: 20.0 degrees: your device sent the bytes 0a0a, .* Expected: 0a00"),
    (Elsewhere, r"Not yet: 20.0 degrees: your device sent the bytes \(none\)"),
    (NoBytes, "Not yet: 20.0 degrees: your device sent the bytes ffff"),
    (OutOfBytes, "Not yet: 20.0 degrees: your device sent the bytes ffff"),
    (NoDevice, "Not yet: your code raised TypeError: .* is not a virtual Pmod"),
]


def told(capsys, says):
    said = capsys.readouterr().out
    assert re.fullmatch(f"{says}.*\n", said), said


@pytest.mark.parametrize("film, says", FILMS)
def test_a_film(film, says, capsys):
    check.tweak(film)
    told(capsys, says)


@pytest.mark.parametrize("answer, says", PROGRAMS)
def test_a_program_that_counts_pins(answer, says, tmp_path, overlay, capsys):
    source = tmp_path / "pins.c"
    assert PROGRAM.count("...") == 1
    source.write_text(PROGRAM.split("\n", 1)[1].replace("...", answer))
    check.change(str(source))
    told(capsys, says)


@pytest.mark.parametrize("device, says", DEVICES, ids=lambda what: getattr(what, "__name__", ""))
def test_a_thermometer(device, says, overlay, board, capsys):
    students = board.plug(Led8())
    try:
        check.write(device)
        told(capsys, says)
        assert board.plugged() == [students]
    finally:
        board.unplug(students)


def test_the_kits_program_is_in_the_iop_afterwards(overlay, board, capsys):
    check.write(Right)
    with open(PROGRAM_OF_THE_KIT, "rb") as file:
        program = file.read()
    assert board.memory.bram[: len(program)].tobytes() == program
