"""8_c_in_a_cell's checks: plausible wrong answers are told what is wrong with them, in one line,
and unusual right ones are right."""

import json
import os
import re
import sys

import numpy as np
import pytest
from checks import c_in_a_cell as check
from pynq import Overlay
from pynq.buffer import PynqBuffer
from pynq.lib import MicroblazeRPC
from pynq.lib.pynqmicroblaze import magic

from helpers.kit import OVERLAY, ROOT
from iop.buffers import locate
from iop.xlnk import Xlnk
from virtual_board.pmods import Led8

pytestmark = pytest.mark.slow

CELLS = {
    cell["id"]: "".join(cell["source"])
    for cell in json.loads((ROOT / "notebooks" / "8_c_in_a_cell.ipynb").read_text())["cells"]
}

# What was tried, what came, what was expected, and the rule that it follows from
FOUR_PARTS = r"Not yet: [^\n]+: [^\n]+\. Expected: [^\n]+\. [^\n]+\.\n"

# what a student may put in place of the last line of the loop, and what the check says then
RAMPS = [
    ("words[i] = data + i * step", "Right: "),
    ("words[i] = data, data += step", "Right: "),
    ("words[i] = i ? words[i - 1] + step : data", "Right: "),
    (
        "((volatile int *)buffer)[length - 1 - i] = (int)data + (int)(length - 1 - i) * step",
        "Right: ",
    ),
    ("words[i] = data", r"Not yet: ramp\(buffer, 10, 1000, -3\): word 1 is 1000. Expected: 997. "),
    ("words[i] = data + step", "Not yet: .*: word 0 is 997. Expected: 1000. "),
    ("words[i] = (data += step)", "Not yet: .*: word 0 is 997. Expected: 1000. "),
    ("words[i] = data + i + step", "Not yet: .*: word 0 is 997. Expected: 1000. "),
    ("words[i] = data + (i > 0) * step", "Not yet: .*: word 2 is 997. Expected: 994. "),
    (
        "words[i] = data + i * (step < 0 ? step : 1)",
        r"Not yet: ramp\(buffer, 10, 5, 0\): word 1 is 6. Expected: 5. ",
    ),
    (
        "{ words[i + 1] = data + (i + 1) * step; words[0] = data; }",
        "Not yet: .*: it wrote words before or behind the 10 words. Expected: they",
    ),
    (
        "{ words[i] = data + i * step; words[-1] = 0; }",
        "Not yet: .*: it wrote words before or behind",
    ),
    (
        "while (1)",
        (
            r"Not yet: ramp\(buffer, 10, 1000, -3\): the function had not returned after 1 s, and"
            r" the IOP was stopped. Expected: a"
        ),
    ),
    (
        "{ words[i] = data + i * step; if (!i) length--; }",
        "Not yet: .*: word 9 is [0-9]+. Expected: 973. ",
    ),
    ("{ words[i] = data + i * step; return 1; }", "Not yet: .*: word 1 is [0-9]+. Expected: 997. "),
]

SIGNATURES = [  # another first line and last line
    (
        "void ramp(void *buffer, unsigned int length, unsigned int data, int step)",
        "",
        (
            "Not yet: .*: the function returns nothing, so Python does not wait for it. Expected: a"
            " number. "
        ),
    ),
    (
        "int ramp(void *buffer, unsigned int length, unsigned int data, unsigned int step)",
        "return length;",
        "Not yet: .*: your code raised error: argument out of range. Expected: ",
    ),
    (
        "int ramp(void *buffer, unsigned int length, unsigned int data)",
        "return length;",
        (
            "Not yet: .*: your code raised TypeError: .*takes 4 positional arguments but 5 were"
            " given. Expected: "
        ),
    ),
    (
        "int ramp(void *buffer, unsigned int length, unsigned int data, int step)",
        "return data;",
        "Right: ",
    ),
    (
        "char ramp(void *buffer, unsigned char length, unsigned int data, int step)",
        "return length;",
        "Right: ",
    ),
    (
        "float ramp(void *buffer, unsigned int length, unsigned int data, int step)",
        "return length;",
        "Right: ",
    ),
]

THERMOMETERS = [  # what a student may have it return
    ("(short)(bytes[0] << 8 | bytes[1]) / 128.0f", "Right: "),
    ("(signed char)bytes[0] * 2.0f + bytes[1] / 128.0f", "Right: "),
    ("(((bytes[0] ^ 0x80) * 256 + bytes[1]) - 32768) / 128.0f", "Right: "),
    ("((int)(bytes[0] << 24 | bytes[1] << 16) >> 16) * 0.0078125f", "Right: "),
    ("(bytes[0] * 256 + bytes[1]) / 128.0f - (bytes[0] > 127 ? 512 : 0)", "Right: "),
    (
        "(bytes[0] * 256 + bytes[1]) / 128.0f",
        "Not yet: -12.5 degrees: it says 499.5. Expected: -12.5. The 16 bits",
    ),
    (
        "(signed char)(bytes[0] * 256 + bytes[1]) / 128.0f",
        "Not yet: 21.5 degrees: it says -0.5. Expected: 21.5. ",
    ),
    (
        "(short)(bytes[1] << 8 | bytes[0]) / 128.0f",
        "Not yet: 21.5 degrees: it says -127.9.*. Expected: 21.5. ",
    ),
    (
        "(short)(bytes[0] << 8 | bytes[1]) / 16.0f",
        "Not yet: 21.5 degrees: it says 172.0. Expected: 21.5. ",
    ),
    (
        "(short)(bytes[0] << 8 | bytes[1]) / 128",
        "Not yet: 21.5 degrees: it says 21.0. Expected: 21.5. ",
    ),
    (
        "-((bytes[0] * 256 + bytes[1]) / 128.0f)",
        "Not yet: 21.5 degrees: it says -21.5. Expected: 21.5. ",
    ),
    (
        "(bytes[0] & 0x7F) * 2.0f + bytes[1] / 128.0f - (bytes[0] >> 7)",
        "Not yet: -12.5 degrees: it says 242.5. Expected: -12.5. ",
    ),
    (
        "(signed char)bytes[0] * 2.0f + (signed char)bytes[1] / 128.0f",
        "Not yet: 21.5 degrees: it says 19.5. Expected: 21.5. ",
    ),
]


def guarded(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer):
        raise TypeError("no buffer")
    if not 0 <= length <= buffer.nbytes // 4:
        raise ValueError("no room")
    return fill(buffer, length, data)


def the_kits(fill, buffer, length, data):
    if isinstance(buffer, int) or not 0 <= length <= locate(buffer)[1] // 4:
        raise ValueError("no room")
    return fill(buffer, length=length, data=data)


def by_size(fill, buffer, length, data):
    if type(buffer) is PynqBuffer and length in range(buffer.size * buffer.itemsize // 4 + 1):
        return fill(buffer, length, data)
    raise ValueError("no")


def asserts(fill, buffer, length, data):
    try:
        assert isinstance(buffer, PynqBuffer) and length >= 0 and 4 * length <= buffer.nbytes
    except AssertionError:
        raise TypeError("no") from None
    return fill(buffer, length, data)


def untouched(fill, buffer, length, data): ...


def no_guard(fill, buffer, length, data):
    return fill(buffer, length, data)


def by_rows(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer) or not 0 <= length <= len(buffer):
        raise ValueError("no")
    return fill(buffer, length, data)


def by_elements(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer) or not 0 <= length <= buffer.size:
        raise ValueError("no")
    return fill(buffer, length, data)


def one_too_few(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer) or not 0 <= length < buffer.nbytes // 4:
        raise ValueError("no")
    return fill(buffer, length, data)


def any_array(fill, buffer, length, data):
    if not isinstance(buffer, np.ndarray) or not 0 <= length <= buffer.nbytes // 4:
        raise ValueError("no")
    return fill(buffer, length, data)


def whatever_has_an_address(fill, buffer, length, data):
    if not hasattr(buffer, "physical_address") or not 0 <= length <= buffer.nbytes // 4:
        raise ValueError("no")
    return fill(buffer, length, data)


def no_lower_end(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer) or length > buffer.nbytes // 4:
        raise ValueError("no")
    return fill(buffer, length, data)


def too_late(fill, buffer, length, data):
    result = fill(buffer, length, data)
    if not isinstance(buffer, PynqBuffer) or not 0 <= length <= buffer.nbytes // 4:
        raise ValueError("no")
    return result


def says_nothing(fill, buffer, length, data):
    if isinstance(buffer, PynqBuffer) and 0 <= length <= buffer.nbytes // 4:
        return fill(buffer, length, data)


def loses_the_result(fill, buffer, length, data):
    guarded(fill, buffer, length, data)


def only_address(fill, buffer, length, data):
    guarded(fill, buffer, length, data)
    return fill(buffer.physical_address, length, data)


def cuts(fill, buffer, length, data):
    if not isinstance(buffer, PynqBuffer):
        raise TypeError("no buffer")
    return fill(buffer, min(max(length, 0), buffer.nbytes // 4), data)


def no_such_attribute(fill, buffer, length, data):
    return guarded(fill, buffer, length, data.nbytes)


GUARDS = [
    (guarded, "Right: "),
    (the_kits, "Right: "),
    (by_size, "Right: "),
    (asserts, "Right: "),
    (untouched, "Not yet: fill in"),
    (
        no_guard,
        (
            r"Not yet: fill_safely\(fill, buffer, 21, 1\), where buffer is 20 elements of uint32"
            r" \(PynqBuffer\): fill was called. Exp"
        ),
    ),
    (
        by_rows,
        (
            r"Not yet: fill_safely\(fill, buffer, 15, 1\), where buffer is 3 x 5 elements of int32"
            r" \(PynqBuffer\): your code raised Val"
        ),
    ),
    (
        by_elements,
        (
            r"Not yet: .* buffer is 16 elements of uint8 \(PynqBuffer\): fill was called. Expected:"
            r" a ValueError or a TypeError, and"
        ),
    ),
    (
        one_too_few,
        (
            r"Not yet: fill_safely\(fill, buffer, 20, 1\), where buffer is 20 .*: your code raised"
            r" ValueError: no .*Expected: one"
        ),
    ),
    (
        any_array,
        (
            r"Not yet: .* buffer is 20 elements of uint32 \(ndarray\): fill was called. Expected:"
            r" .*Memory that the IOP can reach comes"
        ),
    ),
    (
        whatever_has_an_address,
        (
            r"Not yet: .* buffer is an object that has a physical_address \(_Nothing\): fill was"
            r" called. Expected"
        ),
    ),
    (no_lower_end, r"Not yet: fill_safely\(fill, buffer, -1, 1\), .*: fill was called. Expected"),
    (too_late, r"Not yet: fill_safely\(fill, buffer, 21, 1\), .*: fill was called. Expected"),
    (
        says_nothing,
        (
            r"Not yet: fill_safely\(fill, buffer, 21, 1\), .*: it returned None. Expected: a"
            r" ValueError or a TypeError, and no"
        ),
    ),
    (
        loses_the_result,
        (
            r"Not yet: fill_safely\(fill, buffer, 1, 1\), .*: fill returned [0-9]+, and fill_safely"
            r" None. Expected: one call"
        ),
    ),
    (only_address, "Not yet: .*: fill was called 2 times. Expected: one call of fill"),
    (cuts, r"Not yet: fill_safely\(fill, buffer, 21, 1\), .*: fill was called. Expected"),
    (
        no_such_attribute,
        "Not yet: .*: your code raised AttributeError: 'int' object has no attribute 'nbytes'",
    ),
    (7, "Not yet: .*: your code raised TypeError: 'int' object is not callable"),
]


@pytest.fixture(autouse=True)
def path_as_it_was(monkeypatch):
    """A cell's compiler comes onto the PATH, which is not what the tests after these expect."""
    monkeypatch.setenv("PATH", os.environ["PATH"])


@pytest.fixture
def loaded(overlay):
    """A function that loads C as a cell does, and returns the function of that name."""

    def run(name, source):
        library = MicroblazeRPC(overlay.iop1, source)
        return magic._FunctionWrapper(getattr(library, name), library)

    return run


@pytest.fixture
def defined(loaded):
    """A function that runs an exercise's cell with something in it replaced, and returns the
    function that it defines."""

    def run(exercise, name, old, new):
        cell = CELLS[exercise + "-answer"]
        assert cell.count(old) == 1
        return loaded(name, cell.split("\n", 1)[1].replace(old, new))

    return run


@pytest.fixture
def told(capsys, monkeypatch):
    """A function that has a check look at an answer, which is told one line, and leaves no buffer
    behind."""
    monkeypatch.setattr(check, "ANSWER", 1)

    def run(tried, answer, says):
        free = Xlnk().cma_stats()["CMA Memory Available"]
        tried(answer)
        line = capsys.readouterr().out
        assert re.fullmatch(f"(?:{says}).*\n", line), line
        assert re.match("Right: |Not yet: fill in", line) or re.fullmatch(FOUR_PARTS, line), line
        assert Xlnk().cma_stats()["CMA Memory Available"] == free

    run.lines = lambda: capsys.readouterr().out.splitlines()
    return run


@pytest.mark.parametrize("answer, says", RAMPS)
def test_a_ramp(answer, says, defined, told, board):
    told(check.tweak, defined("tweak", "ramp", "words[i] = data", answer), says)
    assert not board.stray_writes()


@pytest.mark.parametrize("first_line, last_line, says", SIGNATURES)
def test_a_ramp_with_other_types(first_line, last_line, says, loaded, told):
    step = "step" if "step" in first_line else "-3"
    told(
        check.tweak,
        loaded(
            "ramp",
            first_line
            + f"""
        {{ unsigned int *words = (unsigned int *)buffer;
           for (int i = 0; i < length; i++) words[i] = data + i * {step};
           {last_line} }}""",
        ),
        says,
    )


@pytest.mark.parametrize("answer, says", THERMOMETERS)
def test_a_thermometer_below_zero(answer, says, defined, told, board):
    students = board.plug(Led8())
    try:
        told(
            check.change,
            defined("change", "degrees", "(bytes[0] * 256 + bytes[1]) / 128.0f", answer),
            says,
        )
        assert board.plugged() == [students]
    finally:
        board.unplug(students)


@pytest.mark.parametrize("answer, says", GUARDS, ids=lambda what: getattr(what, "__name__", "says"))
def test_a_guard(answer, says, told, any_board):
    told(check.write, answer, says)


@pytest.mark.parametrize("exercise, name", [("tweak", "ramp"), ("change", "degrees")])
def test_a_function_whose_cell_was_not_the_last_one(exercise, name, loaded, defined, told, overlay):
    first = defined(exercise, name, "return", "return")
    loaded("other", "int other(void) { return 1; }")
    says = (
        "Not yet: The IOP runs another program now: to have this function back, run the cell that"
        " begins with %%microblaze again."
    )
    getattr(check, exercise)(first)
    Overlay(OVERLAY)
    getattr(check, exercise)(first)
    said = told.lines()
    assert said[0] == says and re.match(
        "Not yet: An overlay was downloaded since this function was compiled.* run overlay ="
        " Overlay",
        said[1],
    )


@pytest.mark.parametrize("exercise", ["tweak", "change"])
@pytest.mark.parametrize("answer", [guarded, 7, "ramp"], ids=["in Python", "a number", "a name"])
def test_what_is_no_function_of_a_cell(exercise, answer, told, overlay):
    told(
        getattr(check, exercise),
        answer,
        "Not yet: .*Expected: a function that the cell of C above defined. The IOP is to do the"
        " work.",
    )


def test_below_zero_needs_a_virtual_thermometer(defined, told, monkeypatch):
    degrees = defined("change", "degrees", "128", "128")
    monkeypatch.setitem(sys.modules, "virtual_board", None)
    check.change(degrees)
    assert told.lines()[0].startswith(
        "Not yet: this check plugs in virtual modules, and this is a real board."
    )
