"""7_pins' checks."""

import numpy as np
import pytest
from checks import pins as check

from helpers.exercises import RIGHT, UNTOUCHED, program
from virtual_board.pmods import I2cDevice, Led8

pytestmark = pytest.mark.slow

FILM = [1 << led for led in (0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1)]
FILMS = [
    (np.array(FILM, np.uint32), RIGHT),
    (FILM + [1], "the film: it has 15 words. Expected: 14 words: "),
    (5, "the film: it is 5. Expected: 14 words: "),
    (FILM[:8] + FILM[7:1:-1], "word 8 .*: it is 0x80, which lights LED 7. Expected: 0x40, LED 6"),
    (list(range(14)), "word 0 .*: it is 0x0, which lights no LED. Expected: 0x1, LED 0 alone"),
    (list("there and back"), "word 0 of the film: it is 't'. Expected: 0x1"),
    (..., UNTOUCHED),
]
PROGRAMS = [
    ("levels >> i & 1", RIGHT),
    ("levels & 1, levels >>= 1", RIGHT),
    ("...", UNTOUCHED),
    ("1 + 0 * levels", "the levels 00000000, pin 7 first: RESULT is 8. Expected: 0."),
    ("levels & 1 << i", "the levels 11111111, pin 7 first: RESULT is 255. Expected: 8."),
    ("levels >> (i + 1) & 1", "the levels 11111111, pin 7 first: RESULT is 7. Expected: 8."),
    ("i-- && levels", "the levels 00000000, pin 7 first: the IOP did not answer"),
    ("level >> i & 1", "building pins.c: pins.c:21:18: error: 'level' undeclared"),
]


class Device(I2cDevice):
    """A thermometer as a student may write it, right if nothing else is said."""

    address, celsius = 0x4B, 20.0

    def start(self, reading):
        self.bytes = list(self.word.to_bytes(2, "big"))

    def write(self, byte):
        return True

    def read(self):
        return self.bytes.pop(0)

    @property
    def word(self):
        return int(self.celsius * 128)


def nothing(*_): ...


SENT = r"20.0 degrees: your device sent the bytes "
DEVICES = [  # what is another than in Device
    ({}, RIGHT),
    ({"start": nothing, "read": nothing}, UNTOUCHED),
    (
        {"start": lambda self, _: setattr(self, "bytes", [*self.word.to_bytes(2, "little")])},
        SENT + "000a, which .* Expected: 0a00",
    ),
    ({"read": lambda self: self.bytes[0]}, SENT + "0a0a, .* Expected: 0a00"),
    ({"address": 0x48}, SENT + r"\(none\)"),
    ({"read": lambda self: str(self.celsius)}, SENT + "ffff"),
]


@pytest.fixture
def as_it_was(overlay, board, kits_program_stays):
    """What the student had plugged in is there again."""
    students = board.plug(Led8())
    yield
    assert board.plugged() == [students]
    board.unplug(students)


@pytest.mark.parametrize("film, says", FILMS)
def test_a_film(film, says, told):
    told(says, check.tweak, film)


@pytest.mark.parametrize("answer, says", PROGRAMS)
def test_a_program_that_counts_pins(answer, says, told, tmp_path, as_it_was, iop):
    source = tmp_path / "pins.c"
    source.write_text(program("7_pins", "pins", answer))
    told(says, check.change, str(source))


@pytest.mark.parametrize("difference, says", DEVICES)
def test_a_thermometer(difference, says, told, as_it_was, iop):
    told(says, check.write, type("Thermometer", (Device,), difference))


def test_what_is_no_device(told, as_it_was):
    no_device = type("NoDevice", (), {"start": Device.start, "read": Device.start})
    told(
        r"Not yet: the check could not judge this answer \(TypeError: .* is not a virtual module",
        check.write,
        no_device,
    )
