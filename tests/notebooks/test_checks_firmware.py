"""4_firmware's checks."""

import pytest
from checks import firmware as check

from helpers.exercises import RIGHT, UNTOUCHED, program

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_buffer_stays", "kits_program_stays")]

IS_I = " MAILBOX_DATA(RESULT) = i;"
FOR = "unsigned i; for (i = {}; i < length; i++) if (buffer[i] == data) {}" + IS_I
ANSWERS = {  # what a student may put in place of the `...`, and what the check says then
    "tweak": [
        ("i % 4 == 3 ? 0 : data", RIGHT),
        ("...", UNTOUCHED),
        ("data", "word 3 is"),
        ("i < 3 ? data : i == 3 ? 0 : data", "word 7 is"),
        ("i % 4 < 3 ? data & 0x7FFFFFFF : 0", "the value [0-9]+: word 0 is"),
        ("lenght", "tweak.c:19:22: error: 'lenght' undeclared"),
        ("i % 4 < 3 ? data : 0;\nbuffer[length] = 0", "before or behind"),
        ("(buffer[i | 3] = 0, i % 4 < 3 ? data : 0)", "before or behind"),
        ("i % 4 < 3 ? data : 0;\nbuffer[i - length - 1] = 0", "before or behind"),
        # in steps of four
        (
            "data, buffer[i + 1] = data, buffer[i + 2] = data, buffer[i += 3] = 0",
            "before or behind",
        ),
    ],
    "change": [
        ("largest = buffer[i] < largest ? largest : buffer[i];", RIGHT),
        ("if (buffer[i] > largest) largest = buffer[i]", "change.c:20:[0-9]+: error: expected ';'"),
        ("largest = buffer[i];", "RESULT is"),
        ("if ((int)buffer[i] > (int)largest) largest = buffer[i];", "RESULT is"),
        ("if (i + 1 < length && buffer[i] > largest) largest = buffer[i];", "RESULT is"),
        ("{ if (buffer[i] > largest) largest = buffer[i]; buffer[i] = 0; }", "only to read"),
        ("if (buffer[i] >= largest) largest = buffer[i--];", "did not answer"),
    ],
    "write": [
        ("unsigned i = 0; while (i < length && buffer[i] != data) i++; " + IS_I, RIGHT),
        (FOR.format(1, "break;"), "RESULT is"),
        ("unsigned i = 0 * length; while (buffer[i] != data) i++; " + IS_I, "RESULT is|did not"),
        ("unsigned i = length; while (i-- && buffer[i] != data);" + IS_I, "RESULT is"),
        (
            "volatile unsigned *at = buffer; while (at < buffer + length && *at != data) at++;"
            " MAILBOX_DATA(RESULT) = at - buffer;",
            RIGHT,
        ),
        # a word of its own at the end, for a moment
        (
            "unsigned i = 0, last = buffer[length - 1]; buffer[length - 1] = data;"
            " while (buffer[i] != data) i++; buffer[length - 1] = last;"
            " if (i == length - 1 && last != data) i = length;" + IS_I,
            "it writes into the buffer .write.c:19:.* of read-only location",
        ),
    ],
}


@pytest.mark.parametrize(
    "exercise, answer, says", [(name, *row) for name, rows in ANSWERS.items() for row in rows]
)
def test_an_answer(exercise, answer, says, told, tmp_path, overlay, iop):
    source = tmp_path / f"{exercise}.c"
    source.write_text(program("4_firmware", exercise, answer))
    told(says, getattr(check, exercise), str(source), overlay.iop1.mb_info)


def test_a_file_that_was_never_written(told, overlay, iop):
    none = "my_firmware/none.c"
    told("my_firmware/none.c: No such file", check.tweak, none, overlay.iop1.mb_info)
