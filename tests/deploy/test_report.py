"""make report: what it reads in notebooks of every kind, and that nothing in them harms who reads
the table."""

import html
import json
import os
import re
import tempfile
from pathlib import Path

import pytest

from deploy import collect, execute, report
from helpers.handed_in import cell_of, notebook, stream
from helpers.kit import ROOT, make
from helpers.programs import programs
from iop import verdicts

ANSWER, WRONG = "Right: so it is.\n", "Not yet: 3 came.\n"
UNTOUCHED = "Not yet: fill in the cell above, then run both again."
IMPORT = "from checks import memory as check"


def as_shown(text):
    """As a check shows it; the text is in pieces, as a notebook has it."""
    data = {"text/plain": text.rstrip("\n").splitlines(True), "text/html": ["<p>Right: 5</p>"]}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def error(name):
    return {"output_type": "error", "ename": name, "evalue": "x", "traceback": []}


def test_the_verdicts_of_a_class(collected):
    write, run = collected
    write("board-1/1_memory.ipynb", notebook(tweak=ANSWER, change=WRONG))
    write("board-1/deeper/Untitled.ipynb", notebook("3_mailbox.ipynb", write=ANSWER))
    write("board-1/1_memory-Copy1.ipynb", notebook(tweak=WRONG))  # the better counts
    for folder in ".ipynb_checkpoints", "solutions":
        write(f"board-1/{folder}/1_memory.ipynb", notebook(write=ANSWER))
    for board, folder in ("board-2", "notebooks"), ("board-3", "notebooks/solutions"):
        for path in (ROOT / folder).glob("[0-9]*.ipynb"):
            write(f"{board}/{path.name}", path.read_text())  # as they come
    said, table = run()
    assert not any(row.pop("not read, because") for row in table.values())
    assert [row.pop("points") for row in table.values()] == ["4", "0", "54"]
    assert {row.pop("predictions")[:2] for row in table.values()} == {"0 "}
    tried = {column: one for column, one in table["board-1"].items() if one != "not tried"}
    assert tried == {"1 tweak": "right", "1 change": "not yet", "3 write": "right"}
    assert set(table["board-2"].values()) == {"not tried"}
    assert set(table["board-3"].values()) == {"right"}
    checks = "tweak", "change", "write"
    assert list(table["board-3"]) == [f"{n} {check}" for n in range(1, 10) for check in checks]
    assert "board-1   R-.  ...  ..R  ..." in said and "which can be forged" in said
    assert "not read:" not in said


def test_every_check_is_named_in_its_cells_metadata():
    """And so known whatever a student's editor does to the cell. That is what a notebook's author
    has to add to a check's cell: "metadata": {"pynq_tutorial": {"check": "memory.tweak"}}"""
    exercises = report.all_exercises()
    for path in sorted((ROOT / "notebooks").glob("**/[0-9]*.ipynb")):
        cells = verdicts.code_cells(json.loads(path.read_text()))
        sources = ["".join(cell["source"]) for cell in cells]
        module = re.search(r"^from checks import (\w+) as check$", "\n".join(sources), re.M)
        for cell, source in zip(cells, sources):
            call = re.match(r"check\.(?!summary)(\w+)\(", source)
            assert verdicts.named(cell) == ((module.group(1), call.group(1)) if call else None), (
                path
            )
            assert call is None or verdicts.named(cell) in exercises


@pytest.mark.parametrize("executed", [5, None], ids=["ran", "cleared"])
def test_the_last_verdict_among_whatever_was_printed(collected, executed):
    write, run = collected
    cases = [
        ([stream("trying 15361\n", ANSWER)], "right"),
        ([stream("...", ANSWER)], "right"),
        ([stream(ANSWER), stream("Not yet: 5\n", name="stderr")], "right"),
        ([stream("1\n", "Rig"), stream("x", name="stderr"), stream("ht: so\r\n")], "right"),
        ([stream(WRONG), stream(ANSWER)], "right"),
        ([stream(ANSWER, WRONG)], "not yet"),
        ([stream("so far"), as_shown(ANSWER), stream("5\n")], "right"),
        ([as_shown(WRONG + "x.c:5:1: error: Right: 5"), as_shown(UNTOUCHED)], "not tried"),
        ([as_shown(ANSWER), as_shown(WRONG + "x.c:5:1: error: Right: 5")], "not yet"),
        ([stream("\x1b[32mRight: so it is.\x1b[0m\n")], "right"),
        ([stream("5 %\r100 %\rRight: so it is.\r\n")], "right"),
        ([stream("Not yet: it says 'Right: 5'.\n")], "not yet"),
        (cell_of(notebook())["outputs"], "not tried"),
        ([stream("trying\n"), error("KeyboardInterrupt")], "not yet"),
        ([stream(ANSWER), error("NameError")], "right"),
        ([], "not read" if executed else "not tried"),
        ([stream("not in the words of a check")], "not read"),
        ([{"output_type": "display_data", "data": {"text/plain": "Output()"}}], "not read"),
    ]
    for number, (outputs, _) in enumerate(cases):
        content = notebook(tweak=outputs)
        cell_of(content)["execution_count"] = executed
        write(f"{number:02}/1_memory.ipynb", content)
    said, table = run()
    page = (run.folder / "report.html").read_text()
    reason = "1_memory.ipynb: the cell of the check tweak ran, and has no verdict that can be read"
    assert page.count(reason) == [verdict for _, verdict in cases].count("not read")
    for (student, row), (outputs, verdict) in zip(table.items(), cases):
        assert (row["1 tweak"], row["1 change"]) == (verdict, "not tried"), outputs
        told = reason in row["not read, because"], f"not read: {student}/{reason}" in said
        assert told == (verdict == "not read",) * 2, outputs


CALLS = [
    "check.tweak(words)",
    "check . tweak (  # so\r\n    words)\r\n",
    "if True:\n    check.tweak(words)",
    "%time check.tweak(words)",
    "import checks.memory\nprint(checks.memory.tweak(1))",
    "# check.change(1)\ncheck.tweak(3)  # check.write(2)",
]
IMPORTS = [IMPORT, "import checks.memory as check", "if True:\r\n    " + IMPORT + "  # checks"]
NO_CALLS = [
    "getattr(check, 'tw' + 'eak')(words)",
    "",
    "\0",
    "again.tweak(words)",
    "check.tweak(words",
]


@pytest.mark.parametrize("metadata", [True, False])
def test_a_cell_is_known_by_its_metadata_or_by_what_it_calls(collected, metadata):
    """Metadata is lost in a notebook of edition 1.1.0, or of an editor that drops it."""
    write, run = collected
    sources = [(call, one) for call in CALLS for one in IMPORTS]
    if metadata:
        sources = [(call, "") for call in NO_CALLS]
    for number, (call, imported) in enumerate(sources):
        content = notebook(tweak=ANSWER)
        cell_of(content)["source"] = call
        for cell in content["cells"]:
            cell["source"] = "".join(cell["source"]).replace(IMPORT, imported)
            if not metadata:
                del cell["metadata"], cell["id"]
        write(f"{number:02}/Untitled.ipynb", content)
    for row, source in zip(run()[1].values(), sources):
        assert list(row.values())[:3] == ["right", "not tried", "not tried"], source


def test_of_several_cells_with_a_check_the_best_verdict_counts(collected):
    write, run = collected
    content = notebook(tweak=ANSWER, change=WRONG)
    for name in "tweak", "change":
        for outputs in [], [stream("Not yet: 4 came.\n")], [stream("nothing")]:
            content["cells"].append(dict(cell_of(content, name), outputs=outputs))
    content["cells"].append(dict(cell_of(content), source="check.write(f)\ncheck.tweak(words)"))
    for student, text in ("one", ANSWER + WRONG), ("two", ANSWER):  # of which of the two?
        content["cells"][-1]["outputs"] = [stream(text)]
        write(f"{student}/1_memory.ipynb", content)
    table = run()[1]
    assert list(table["one"].values())[:3] == ["right", "not yet", "right"]
    assert list(table["two"].values())[:3] == ["right", "not yet", "not read"]


CODE = '{"cells": [{"cell_type": "code", "source": %s, "outputs": %s}]}'
NONE = "it is not a notebook"
BROKEN = [
    ("", "it is empty"),
    ("\0" * 5000, "it is empty"),
    ("{", "Expecting property name"),
    ("[]", NONE),
    ('{"cells": 5}', NONE),
    ('{"cells": [5]}', NONE),
    (CODE % (5, "[]"), NONE),
    (CODE % ('""', "[5]"), NONE),
    (CODE % ('"check.tweak(1)"', '[{"text": 5}]'), NONE),
    ("[" * 100000, "not a whole notebook"),
    ("9" * 10000, ""),
    (b"\xff", "not a whole notebook"),
    ('{"cells": []}', "the cell of the check write is not in it"),
]


def test_a_broken_notebook_is_named_and_the_others_count(collected):
    write, run = collected
    for number, (content, _) in enumerate(BROKEN):
        for student in f"one{number:02}", f"two{number:02}":
            write(f"{student}/1_memory.ipynb", content)
        write(f"one{number:02}/1_memory-Copy1.ipynb", notebook(tweak=ANSWER))
        write(f"one{number:02}/3_mailbox.ipynb", notebook("3_mailbox.ipynb"))
    # Of another name, it may be any that is not there.
    write("three/Untitled.ipynb", "{")
    write("three/1_memory.ipynb", notebook())
    # as make collect does
    write("four/left_out.txt", "mine/3_mailbox.ipynb: it has more than 20 MB\n")
    said, table = run()
    for number, (content, reason) in enumerate(BROKEN):
        one, two = table[f"one{number:02}"], table[f"two{number:02}"]
        assert f"not read: two{number:02}/1_memory.ipynb: " in said, content
        assert reason in two["not read, because"], content
        assert list(two.values())[:4] == ["not read"] * 3 + ["not tried"], content
        assert one["1 tweak"] == "right" and one["3 write"] == "not tried", content
        told = f"not read: one{number:02}/1_memory.ipynb: " in said
        assert told == (content != '{"cells": []}'), content
    assert list(table["three"].values())[2:4] == ["not tried", "not read"] and "  ???" in said
    unread = [name for name, verdict in table["four"].items() if verdict == "not read"]
    assert unread == ["3 tweak", "3 change", "3 write"]
    assert "not read: four/mine/3_mailbox.ipynb: it has more than 20 MB (on the board)" in said


def test_what_is_no_file_or_huge_is_not_opened(collected):
    write, run = collected
    write("one/1_memory.ipynb", notebook())
    write(".incoming/two/1_memory.ipynb", "of a make collect that was killed")
    one = run.folder / "one"
    os.mkfifo(str(one / "pipe.ipynb"))
    (one / "link.ipynb").symlink_to("/etc/passwd")
    (one / "around").symlink_to(".")
    (run.folder / "elsewhere").symlink_to("/")
    (one / "/".join("d" * 100)).mkdir(parents=True)
    (one / "huge.ipynb").touch()
    os.truncate(str(one / "huge.ipynb"), collect.LARGEST + 1)
    said, table = run()
    assert list(table) == ["elsewhere", "one"] and table["elsewhere"]["1 tweak"] == "not read"
    for line in (
        "one/pipe.ipynb: it is not a file",
        "one/link.ipynb: it is a link",
        "one/huge.ipynb: it has more than 20 MB",
        "elsewhere/it is a link",
        "one/around: it is a link",
        f"one/{'/'.join('d' * collect.DEEPEST)}: it has folders in it",
    ):
        assert f"not read: {line}" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_named():
    exercises, user = report.all_exercises(), os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # not in pytest's, which nobody else may enter
        os.chmod(folder, 0o755)
        one, two = Path(folder, "one"), Path(folder, "two")
        for path in one / "3_mailbox.ipynb", two / "there/1_memory.ipynb":
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(notebook()))
        for path in one / "3_mailbox.ipynb", two / "there":
            path.chmod(0)
        os.seteuid(65534)
        try:
            one, two = (report.verdicts_in(path, exercises) for path in (one, two))
        finally:
            os.seteuid(user)
    assert one[1] == ["3_mailbox.ipynb: Permission denied"]
    assert two[1] == ["there: Permission denied"]
    assert one[0]["mailbox", "tweak"] == "not read" and one[0]["memory", "tweak"] == "not tried"
    assert set(two[0].values()) == {"not read"}


HOSTILE = ["<script>alert('x')<", "=HYPERLINK(1)", "@SUM(1)", "a\x1b[2J\rb", 'it\'s "so" & more']
HOSTILE += ["\u202eback", "$(touch x)"]


def test_nothing_hostile_reaches_a_page_a_spreadsheet_or_a_terminal(collected):
    write, run = collected
    for name in HOSTILE:
        write(f"{name}/{name}.ipynb", "{")
        write(f"{name}/1.ipynb", notebook(tweak="Right: <script>alert(1)</script>"))
    said, table = run()
    assert "\x1b" not in said and "\r" not in said and "\u202e" not in said
    assert all(row["1 tweak"] == "right" for row in table.values()) and len(table) == len(HOSTILE)
    assert not [name for name in table if name[0] in "=@"] and "'=HYPERLINK(1)" in table

    page = (run.folder / "report.html").read_text(encoding="utf-8")
    tags = {word.strip("/") for word in re.findall(r"<([^\s>]*)", page)}
    assert tags == set("!DOCTYPE html meta title style h1 table tr th td b p".split())
    assert all(html.escape(name) in page for name in (HOSTILE[0], HOSTILE[4]))


@pytest.mark.parametrize(
    "program, reason",
    [
        ("echo 'pynq-tutorial: image not known' >&2; exit 125", "no image .* type make image"),
        ("echo 'Cannot connect to it' >&2; exit 1", "does not work here: Cannot connect to it"),
        ("exec sleep 1000", "does not work here: .*timed out after 1 seconds"),
    ],
)
def test_an_engine_that_does_not_work(tmp_path, monkeypatch, program, reason):
    """It is not taken for one without the image."""
    monkeypatch.setenv("PATH", f"{programs(tmp_path, podman=program)}:{os.environ['PATH']}")
    monkeypatch.setattr(execute, "ANSWERS_WITHIN", 1 if "sleep" in program else 60)
    with pytest.raises(execute.NoContainer, match=reason):
        execute.find_engine()


ENGINE = """#!/bin/sh
echo "$@" >> {0}.said
case $1 in
    rm) kill $(cat {0}.pid) ;;
    run) echo $$ > {0}.pid; {1} ;;
esac
"""


@pytest.mark.parametrize(
    "program, reason",
    [
        ("cat", None),
        ("echo one >&2; echo two >&2; exit 1", "its run did not end well: two"),
        ("exit 1", "its run did not end well: no reason"),
        ("exec sleep 1000", "had not ended after 1 s"),
        ("yes", "more than 20 MB"),
        ("timeout 5 yes >&2; cat", None),
    ],
)
def test_every_run_is_bounded_and_removed(tmp_path, monkeypatch, program, reason):
    """A program stands for podman; tests/container runs the real one."""
    engine = tmp_path / "podman"
    engine.write_text(ENGINE.format(engine, program))
    engine.chmod(0o755)
    monkeypatch.setattr(execute, "SECONDS", 1 if "sleep" in program else 300)
    if reason is None:
        assert execute.executed('{"cells": []}', str(engine)) == b'{"cells": []}'
    else:
        with pytest.raises(ValueError, match=reason):
            collect.notebook_of(execute.executed('{"cells": []}', str(engine)))
    run, remove = (tmp_path / "podman.said").read_text().splitlines()
    assert "--network=none" in run and remove.split()[-1] in run.split()


@pytest.mark.parametrize("there", [False, True])
def test_nothing_collected_is_said_with_the_remedy(tmp_path, there):
    folder = tmp_path / "none"
    if there:
        folder.mkdir()
    finished = make("report", f"DIR={folder}")
    assert finished.returncode and "bring the boards' notebooks there" in finished.stdout
    assert folder.exists() == there
