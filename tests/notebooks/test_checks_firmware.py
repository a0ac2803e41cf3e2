"""4_firmware's checks: plausible wrong programs are told what is wrong with them, in one line, and
unusual right ones are right."""

import json
import re

import pytest
from checks import firmware as check

from helpers.kit import ROOT
from iop.pynq_tutorial import Pynq_Tutorial
from iop.xlnk import Xlnk

pytestmark = pytest.mark.slow

CELLS = {
    cell["id"]: "".join(cell["source"])
    for cell in json.loads((ROOT / "notebooks" / "4_firmware.ipynb").read_text())["cells"]
}

# What was tried, what came, what was expected, and the rule that it follows from
FOUR_PARTS = r"Not yet: [^\n]+: [^\n]+\. Expected: [^\n]+\. [^\n]+\.\n"
WRONG = [  # exercise, what a student may put in place of the `...`, and what the check says then
    ("tweak", "...", "fill in the cell above"),
    ("tweak", "data", "in word 3"),
    ("tweak", "i % 4 < 2 ? data : 0", "in word 2"),
    ("tweak", "i < 3 ? data : i == 3 ? 0 : data", "in word 7"),
    ("tweak", "i % 4 < 3 ? data & 0x7FFFFFFF : 0", "the value [0-9]+: the IOP left"),
    (
        "tweak",
        "i % 4 < 3 ? data : 0\n         buffer[i] += 0",
        "error: expected ';' before 'buffer'",
    ),
    (
        "change",
        "if (buffer[i] > largest) largest = buffer[i]",
        "change.c:20:[0-9]+: error: expected ';' before 'mailbox'",
    ),
    ("tweak", "lenght", "tweak.c:19:22: error: 'lenght' undeclared"),
    ("tweak", "i % 4 < 3 ? data : 0;\nbuffer[length] = 0", "before or behind"),
    ("tweak", "i % 4 < 3 ? data : 0;\nbuffer[i - length - 1] = 0", "before or behind"),
    ("change", "largest = buffer[i];", "RESULT is"),
    ("change", "if ((int)buffer[i] > (int)largest) largest = buffer[i];", "RESULT is"),
    ("change", "if (buffer[i] > largest) largest = i;", "RESULT is"),
    ("change", "if (i + 1 < length && buffer[i] > largest) largest = buffer[i];", "RESULT is"),
    (
        "change",
        "if (buffer[i] > largest) { largest = buffer[i]; buffer[i] = 0; }",
        "only to read the buffer",
    ),
    ("change", "if (buffer[i] >= largest) largest = buffer[i--];", "did not answer"),
    (
        "write",
        "unsigned i; i = length + 0 * data;\nMAILBOX_DATA(RESULT) = buffer[i] == i ? 0 : i;",
        "RESULT is",
    ),
    (
        "write",
        "unsigned i; for (i = 0; i < length; i++) if (buffer[i] == data) MAILBOX_DATA(RESULT) = i;",
        "RESULT is",
    ),
    (
        "write",
        (
            "unsigned i; for (i = 1; i < length; i++) if (buffer[i] == data)"
            " break;\nMAILBOX_DATA(RESULT) = i;"
        ),
        "RESULT is",
    ),
    (
        "write",
        "unsigned i; for (i = 0; buffer[i] != data; i++);\nMAILBOX_DATA(RESULT) = length ? i : 0;",
        "RESULT is|did not answer",
    ),
    (
        "write",
        "unsigned i; for (i = length; i-- && buffer[i] != data;);\nMAILBOX_DATA(RESULT) = i;",
        "RESULT is",
    ),
]


RIGHT = [
    ("tweak", "i % 4 == 3 ? 0 : data"),
    ("tweak", "(i & 3) != 3 ? data : 0"),
    ("tweak", "data & -(unsigned)((i + 1) % 4 != 0)"),
    ("change", "largest = buffer[i] < largest ? largest : buffer[i];"),
    ("change", "{ unsigned word = buffer[i]; if (word >= largest) largest = word; }"),
    (
        "change",
        (
            ";\n      for (int j = 0; j < length; j++)\n         if (buffer[j] > largest)\n        "
            "    largest = buffer[j];"
        ),
    ),
    (
        "write",
        (
            "unsigned i = 0;\n      while (i < length && buffer[i] != data)\n         i++;\n     "
            " MAILBOX_DATA(RESULT) = i;"
        ),
    ),
    (
        "write",
        (
            "int found = length;\n      for (int j = length - 1; j >= 0; j--)\n         if"
            " (buffer[j] == data)\n            found = j;\n      MAILBOX_DATA(RESULT) = found;"
        ),
    ),
    (
        "write",
        (
            "MAILBOX_DATA(RESULT) = length;\n      for (int j = 0; j < length; j++)\n         if"
            " (buffer[j] == data) {\n            MAILBOX_DATA(RESULT) = j;\n            break;\n   "
            "      }"
        ),
    ),
]


@pytest.fixture
def said(tmp_path, overlay, capsys):
    """A function that has a check look at the exercise's program with an answer in it: the line
    that it prints."""

    def run(exercise, answer):
        source = tmp_path / (exercise + ".c")
        cell = CELLS[exercise + "-answer"]
        assert cell.count("...") == 1
        source.write_text(cell.split("\n", 1)[1].replace("...", answer))
        getattr(check, exercise)(str(source), overlay.iop1.mb_info)
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("exercise, answer, says", WRONG)
def test_a_wrong_program_is_told_what_is_wrong(exercise, answer, says, said, overlay, buffer):
    free = Xlnk().cma_stats()["CMA Memory Available"]
    line = said(exercise, answer)
    assert (
        answer == "..." or re.fullmatch(FOUR_PARTS, line) and not re.search(r"(\d+,? ){9}", line)
    ), line
    assert re.fullmatch(f"Not yet: .*(?:{says}).*\n", line), line
    assert Xlnk().cma_stats()["CMA Memory Available"] == free
    # The kit's own program is in the IOP again.
    Pynq_Tutorial(overlay.iop1.mb_info).write_to_buffer(buffer, 2, 5)
    assert buffer[:3].tolist() == [5, 6, 0]


@pytest.mark.parametrize("exercise, answer", RIGHT)
def test_a_right_program_is_right(exercise, answer, said):
    line = said(exercise, answer)
    assert line.startswith("Right: "), line


def test_a_file_that_was_never_written(overlay, capsys):
    check.tweak("my_firmware/none.c", overlay.iop1.mb_info)
    line = capsys.readouterr().out
    assert re.fullmatch(FOUR_PARTS, line) and "my_firmware/none.c: No such file" in line
