"""A verdict is about what the answer's cell says now, whatever has happened to it, and a notebook
shows it in more than colour. Cells run in a kernel, as a student runs them."""

import json
import re

import pytest

from helpers.exercises import cells, code_cells, program, run_program
from helpers.kit import ROOT
from iop import firmware

pytestmark = pytest.mark.slow

RIGHT, ERROR, CHANGED = (
    "Right: ",
    r"Not yet: the cell of {} ended in an error \({}",
    ("Not yet: the cell of {} was changed, and does not define it any more."),
)
INDEX_AT = """def index_at(buffer, address):
    offset = address - buffer.physical_address
    if 0 <= offset < buffer.nbytes:
        return tuple(np.unravel_index(offset // buffer.itemsize, buffer.shape))"""
FRAME = "frame = allocate((480, 640), np.uint16)\n"
ADDRESS = "address = frame.physical_address + (100 * 640 + 7) * 2"
# of each exercise: its check, and (cell or None, what is in it, and what the check says afterwards)
RUNS = [
    (
        "check.write(index_at)",
        [
            (None, INDEX_AT, RIGHT),
            (None, INDEX_AT + "\n    return )", ERROR.format("index_at", "SyntaxError: .*line 5")),
            (None, "", ERROR.format("index_at", "SyntaxError")),
            (None, INDEX_AT, RIGHT),
            (None, INDEX_AT + "\n1 / 0", ERROR.format("index_at", "ZeroDivisionError")),
            (None, "index_at(5)", ERROR.format("index_at", "ZeroDivisionError")),
            (None, "%time\n" + INDEX_AT, RIGHT),
            (None, "index_at(5)", RIGHT),  # a student's own test, which does not change the answer
            (None, "%%time\n" + INDEX_AT.replace("< ", "<= "), "Not yet: .* right behind the buf"),
            (None, "%%time\n" + INDEX_AT + " )", ERROR.format("index_at", "SyntaxError")),
            ("a", INDEX_AT, RIGHT),
            ("a", INDEX_AT.replace("def", "dfe", 1), ERROR.format("index_at", "SyntaxError")),
            ("a", INDEX_AT.replace("index_at", "index"), CHANGED.format("index_at")),
            ("a", INDEX_AT, RIGHT),
            ("b", "index = index_at; 1 / 0", RIGHT),
        ],
    ),
    (
        "check.tweak(words)",
        [
            (None, "words = 15361", RIGHT),
            (None, "words = 15361 +", ERROR.format("words", "SyntaxError")),
            (None, "words = 15361", RIGHT),
            (None, "words = 15361 / 0", ERROR.format("words", "ZeroDivisionError")),
            (None, "words: int = 15361", RIGHT),
            ("c", "words, _ = 15361, 5", RIGHT),
            ("c", "word = 15361", CHANGED.format("words")),
            ("d", "words = 15361", RIGHT),
            ("e", "allocate((words,) * 9)", RIGHT),
        ],
    ),
    (
        "check.change(frame, address)",
        [
            (None, FRAME + ADDRESS, RIGHT),
            (None, FRAME + ADDRESS.replace("phys", "fys"), ERROR.format("frame", "AttributeError")),
            (None, FRAME + ADDRESS, RIGHT),
        ],
    ),
]
SET_UP = "\n".join(cells("1_memory")[name] for name in ("set-up-imports", "set-up-overlay"))


def run_cells(runs):
    """[{kind: text}, ...] of what cells show."""
    run = run_program("cells_of_a_kernel.py", runs)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def verdicts(set_up, exercises):
    """Runs each answer and then its check; compares what the checks say."""
    runs, rows = [(None, set_up)], []
    for check, answers in exercises:
        for cell, answer, says in answers:
            runs += [(cell, answer), ("the check", check)]
            rows.append((answer, says))
    shown = run_cells(runs)[2::2]
    wrong = [
        (answer, said["text/plain"])
        for (answer, says), said in zip(rows, shown)
        if not re.match(says, said["text/plain"])
    ]
    assert not wrong and len(shown) == len(rows)


def test_the_stop_button_ends_in_a_sentence():
    source = "import signal\ndef wait(): signal.raise_signal(signal.SIGINT)\nwait()\nprint(5)"
    _, stopped, then = run_cells([(None, "from checks import memory"), (None, source), (None, "5")])
    assert stopped["text/plain"] == (
        "Stopped in line 3 of the cell. What comes after that has not run.\n"
    )
    assert then["text/plain"] == "5"


def test_a_verdict_is_about_what_the_cell_says_now():
    verdicts(SET_UP, RUNS)


def test_a_verdict_about_what_the_cell_has_the_iop_do():
    every = code_cells(ROOT / "notebooks" / "2_iop_example.ipynb")
    set_up = "\n".join(source for name, source in every if name < "cell-30")
    fill = "iop.write_to_buffer(buffer, buffer.size, -500)"
    untouched = "Not yet: fill in the cell above"
    answers = [
        (None, "# your line here", untouched),
        (None, "buffer[:3] = -500, -499, -498", untouched),  # that was not the IOP
        (None, fill.replace("-500", "500"), "Not yet: your request: word 0 is 500"),
        (None, fill, RIGHT),
        (None, fill + ")", ERROR.format("buffer", "SyntaxError")),
        (None, fill.replace("iop", "iopp"), ERROR.format("buffer", "NameError")),
        (None, fill, RIGHT),
        (None, "buffer = " + fill, "Not yet: buffer is None"),
    ]
    verdicts(set_up, [("check.tweak(iop, buffer)", answers)])


needs_a_compiler = pytest.mark.skipif(firmware.compiler() is None, reason=firmware.NO_COMPILER)


@needs_a_compiler
def test_a_verdict_about_a_program_that_a_cell_writes():
    """And the compiler's whole message, with the lines of the cell."""
    names = "setup-imports", "setup-iop"
    set_up = "\n".join(cells("4_firmware")[name] for name in names)
    head, path = "%%writefile my_firmware/tweak.c\n", "my_firmware/tweak.c"
    right = head + program("4_firmware", "tweak", "i % 4 < 3 ? data : 0")
    wrong = head + program("4_firmware", "tweak", "dat")
    line = next(i for i, text in enumerate(wrong.splitlines(), 1) if "dat;" in text)
    message = rf"Not yet: .*tweak.c:{line}:\d+: error: 'dat' und.*\n(.*\n)* +{line} \| .* = dat;"
    answers = [
        (None, right, RIGHT),
        (None, right.replace("%%writefile", "%%writefil"), ERROR.format(path, "UsageError")),
        (None, wrong, message),
        (None, right, RIGHT),
    ]
    verdicts(set_up, [('check.tweak("my_firmware/tweak.c", mb_info)', answers)])


@needs_a_compiler
def test_a_verdict_about_a_cell_of_c_that_does_not_compile():
    names = "set-up-imports", "set-up-iop"
    set_up = "\n".join(cells("8_c_in_a_cell")[name] for name in names)
    wrong = cells("8_c_in_a_cell")["tweak-answer"]
    right = wrong.replace("= data", "= data + i * step")
    answers = [
        (None, right, RIGHT),
        (
            None,
            right.replace("step;", "stp;"),
            "Not yet: The last run of this function's cell fail",
        ),
        (None, right.replace("%%micro", "%%macro"), ERROR.format("ramp", "UsageError")),
        (None, right, RIGHT),
    ]
    verdicts(set_up, [("check.tweak(ramp)", answers)])


def test_how_a_notebook_shows_verdicts_and_the_summary():
    summary = "check.summary()"
    runs = [
        *[SET_UP, "words = 15361", "check.tweak(words)", "address = frame = 5"],
        *["check.change(frame, address)", summary, "words = 5", summary],
    ]
    _, _, right, _, wrong, first, _, second = run_cells([(None, source) for source in runs])
    shapes = [
        re.sub(r"<strong>(.*?)</strong>.*|#\w+", r"\1", one["text/html"]) for one in (right, wrong)
    ]
    assert shapes[0].endswith("\u2714 Right:") and shapes[1].endswith("\u2718 Not yet:")
    assert "solid" in shapes[0] and "dashed" in shapes[1]
    assert first["text/plain"] == "Tweak: right\nChange: not yet\nWrite: not tried"
    assert "Tweak: <strong>\u2714 right</strong>" in first["text/html"]
    again = "Tweak: its cell has run since the check: run the check again\nChange: not yet"
    assert second["text/plain"].startswith(again)
