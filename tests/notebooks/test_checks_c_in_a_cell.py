"""8_c_in_a_cell's checks."""

import os
import sys

import pytest
from checks import c_in_a_cell as check
from pynq import Overlay
from pynq.buffer import PynqBuffer
from pynq.lib import MicroblazeRPC
from pynq.lib.pynqmicroblaze import magic

from helpers.exercises import RIGHT, UNTOUCHED, answers, cells
from helpers.kit import OVERLAY
from iop.buffers import locate
from virtual_board.pmods import Led8

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_buffer_stays")]

# What a student may put in place of the last line of the loop
RAMPS = [
    ("words[i] = i ? words[i - 1] + step : data", RIGHT),
    ("words[i] = data", r"ramp\(buffer, 10, 1000, -3\): word 1 is 1000. Expected: 997. "),
    ("words[i] = data + step", "word 0 is 997. Expected: 1000. "),
    ("words[i] = data + i * (step ? step : 1)", r"\(buffer, 10, 5, 0\): word 1 is 6. Expected: 5"),
    ("words[i] = data + i * step; words[length] = 0", "wrote words before or behind the 10 words"),
    ("while (1)", "the function had not returned after 1 s, and the IOP was stopped"),
]
# Another first line; what it returns
TYPES = "void *buffer, unsigned int length, unsigned int data"
SIGNATURES = [
    (f"void ramp({TYPES}, int step)", "", "the function returns nothing, so Python does not wait"),
    (f"int ramp({TYPES}, unsigned int step)", "length", "the call raised error: argument out"),
    (f"int ramp({TYPES})", "length", "raised TypeError: .*takes 4 positional arguments but 5"),
    (f"float ramp({TYPES}, int step)", "length", RIGHT),
]
# What a student may have it return
THERMOMETERS = [
    ("(signed char)bytes[0] * 2.0f + bytes[1] / 128.0f", RIGHT),
    ("(bytes[0] * 256 + bytes[1]) / 128.0f", "-12.5 degrees: it says 499.5. Expected: -12.5. The"),
    ("(short)(bytes[1] << 8 | bytes[0]) / 128.0f", "21.5 degrees: it says -127.9.*. Expected: 21"),
    ("(short)(bytes[0] << 8 | bytes[1]) / 128", "it says 21.0. Expected: 21.5. "),
]
# The guard of fill_safely: its condition, what it does otherwise, and before
GUARD = "if not ({}): raise ValueError('no')\nreturn fill(buffer, length, data)"
IS_BUFFER = "isinstance(buffer, PynqBuffer) and "
GUARDS = [
    (GUARD.format(IS_BUFFER + "0 <= length <= buffer.nbytes // 4"), RIGHT),
    (
        "if isinstance(buffer, int) or not 0 <= length <= locate(buffer)[1] // 4:\n"
        "    raise TypeError\nreturn fill(buffer, length=length, data=data)",
        RIGHT,
    ),
    ("...", UNTOUCHED),
    ("fill(buffer, length, data)", "buffer, 21, 1.*20 elements of uint32 .*: fill was called"),
    (
        GUARD.format(IS_BUFFER + "0 <= length <= len(buffer)"),
        r"15, 1\), where buffer is 3 x 5 elements of int32 \(PynqBuffer\): your code raised Val",
    ),
    (GUARD.format(IS_BUFFER + "0 <= length <= buffer.size"), "16 elements of uint8 .*: fill was"),
    (GUARD.format(IS_BUFFER + "0 <= length < buffer.nbytes // 4"), "20, 1.*raised ValueError: no"),
    (GUARD.format(IS_BUFFER + "0 < length <= buffer.nbytes // 4"), r"buffer, 0, 1.*raised Value"),
    (GUARD.format(IS_BUFFER + "0 < 4 * length <= buffer.nbytes"), r"buffer, 0, 1.*raised Value"),
    (
        GUARD.format("isinstance(buffer, np.ndarray) and 0 <= length <= buffer.nbytes // 4"),
        r"uint32 \(ndarray\): fill was called. Expected: .*Memory that the IOP can reach comes",
    ),
    (
        GUARD.format("hasattr(buffer, 'physical_address') and 0 <= length <= buffer.nbytes // 4"),
        r"\(SimpleNamespace\): fill was called. Expected",
    ),
    (GUARD.format(IS_BUFFER + "length <= buffer.nbytes // 4"), r"buffer, -1, 1\), .*: fill was"),
    ("fill(buffer, length, data); right(fill, buffer, length, data)", "fill was called 2 times"),
    (
        "right(fill, buffer, length, data); return",
        "fill returned [0-9]+, and fill_safely None. Exp",
    ),
]


@pytest.fixture(autouse=True)
def path_as_it_was(monkeypatch):
    """A cell's compiler comes onto the PATH, which is not what the tests after these expect."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(check, "LONGEST", 1)


@pytest.fixture
def loaded(overlay):
    """A function that loads C as a cell does, and returns the function of that name."""

    def run(name, source):
        library = MicroblazeRPC(overlay.iop1, source)
        return magic._FunctionWrapper(getattr(library, name), library)

    return run


@pytest.fixture
def defined(loaded):
    """As loaded, of an exercise's cell with something in it replaced."""

    def run(exercise, name, old="return", new="return"):
        cell = cells("8_c_in_a_cell")[exercise + "-answer"]
        assert cell.count(old) == 1
        return loaded(name, cell.split("\n", 1)[1].replace(old, new))

    return run


@pytest.mark.parametrize("answer, says", RAMPS)
def test_a_ramp(answer, says, defined, told, board):
    told(says, check.tweak, defined("tweak", "ramp", "words[i] = data", answer))
    assert not board.stray_writes()


@pytest.mark.parametrize("first_line, result, says", SIGNATURES)
def test_a_ramp_with_other_types(first_line, result, says, loaded, told):
    step = "step" if "step" in first_line else "-3"
    loop = f"for (int i = 0; i < length; i++) ((unsigned int *)buffer)[i] = data + i * {step};"
    told(says, check.tweak, loaded("ramp", f"{first_line} {{ {loop} return {result}; }}"))


@pytest.mark.parametrize("answer, says", THERMOMETERS)
def test_a_thermometer_below_zero(answer, says, defined, told, board):
    students = board.plug(Led8())
    in_the_cell = "(bytes[0] * 256 + bytes[1]) / 128.0f"
    told(says, check.change, defined("change", "degrees", in_the_cell, answer))
    assert board.plugged() == [students]


@pytest.mark.parametrize(
    "check, answer, says", answers(check.write, "fill_safely(fill, buffer, length, data)", GUARDS)
)
def test_a_guard(check, answer, says, told):
    answer.__globals__.update(PynqBuffer=PynqBuffer, locate=locate)
    told(says, check, answer)


@pytest.mark.parametrize("exercise, name", [("tweak", "ramp"), ("change", "degrees")])
def test_a_function_whose_cell_was_not_the_last_one(exercise, name, loaded, defined, told):
    first = defined(exercise, name)
    loaded("other", "int other(void) { return 1; }")
    says = "Not yet: The IOP runs another program now: .* run the cell .* %%microblaze again.$"
    told(says, getattr(check, exercise), first)
    Overlay(OVERLAY)
    says = "Not yet: An overlay was downloaded since .* compiled.* run overlay = Overlay"
    told(says, getattr(check, exercise), first)


def test_what_is_no_function_of_a_cell(told, overlay):
    says = "Expected: a function that the cell of C above defined. The IOP is to do the work."
    for exercise in check.tweak, check.change:
        told(says, exercise, lambda: 1)


def test_below_zero_needs_a_virtual_thermometer(defined, told, monkeypatch):
    degrees = defined("change", "degrees")
    monkeypatch.setitem(sys.modules, "virtual_board", None)
    says = "Not yet: this check plugs in virtual modules, and this is a real board."
    told(says, check.change, degrees)
