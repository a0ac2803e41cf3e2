"""make report: what it reads in notebooks of every kind, and that nothing in them harms who reads
the table."""

import csv
import html.parser
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy import changed, collect, execute, report
from helpers.kit import ROOT

NAMES = "1_memory.ipynb", "3_mailbox.ipynb"


def notebook(name):
    return json.loads((ROOT / "notebooks" / name).read_text())


def answered(content, **printed):
    """A notebook whose check cells printed something: tweak="Right: ..."."""
    for cell in content["cells"]:
        for check, text in printed.items():
            if "".join(cell["source"]).startswith(f"check.{check}("):
                cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [text]}]
    return content


@pytest.fixture
def collected(tmp_path):
    """write(path, content) puts a file into the folder that run() reports on; run() returns what is
    printed, and the table."""
    folder = tmp_path / "collected"

    def write(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )

    def run():
        finished = subprocess.run(
            ["make", "--no-print-directory", "report", f"DIR={folder}"],
            cwd=str(ROOT),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        assert finished.returncode == 0, finished.stdout
        with open(str(folder / "report.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        return finished.stdout, {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}

    write.folder, run.folder = folder, folder
    return write, run


def test_the_verdicts_of_a_class(collected):
    write, run = collected
    write(
        "board-1/1_memory.ipynb",
        answered(
            notebook("1_memory.ipynb"), tweak="Right: so it is.\n", change="Not yet: 3 came.\n"
        ),
    )
    # by its checks
    write(
        "board-1/deeper/Untitled.ipynb",
        answered(notebook("3_mailbox.ipynb"), write="Right: all of it.\n"),
    )
    # the better counts
    write(
        "board-1/1_memory-Copy1.ipynb",
        answered(notebook("1_memory.ipynb"), tweak="Not yet: again.\n"),
    )
    write(
        "board-1/.ipynb_checkpoints/1_memory.ipynb",
        answered(notebook("1_memory.ipynb"), write="Right: once.\n"),
    )
    write(
        "board-1/solutions/1_memory.ipynb",
        answered(notebook("1_memory.ipynb"), write="Right: by the kit.\n"),
    )
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        write("board-2/" + path.name, path.read_text())  # as they come
    for path in (ROOT / "notebooks/solutions").glob("*.ipynb"):
        write("board-3/" + path.name, path.read_text())
    said, table = run()
    assert not any(row.pop("not read, because") for row in table.values())
    tried = {
        column: verdict for column, verdict in table["board-1"].items() if verdict != "not tried"
    }
    assert tried == {"1 tweak": "right", "1 change": "not yet", "3 write": "right"}
    assert set(table["board-2"].values()) == {"not tried"} and set(table["board-3"].values()) == {
        "right"
    }
    numbers = [path.name[0] for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    assert list(table["board-3"]) == [
        number + " " + name for number in numbers for name in ("tweak", "change", "write")
    ]
    assert (
        "board-1   R-.  ...  ..R  ..." in said
        and "which can be forged" in said
        and "not read" not in said
    )


def cell_of(content, name="tweak"):
    return next(
        cell for cell in content["cells"] if "".join(cell["source"]).startswith(f"check.{name}(")
    )


def test_every_check_is_named_in_its_cells_metadata():
    """And so known whatever a student's editor does to the cell. That is what a notebook's author
    has to add to a check's cell: "metadata": {"pynq_tutorial": {"check": "memory.tweak"}}"""
    exercises = report.all_exercises()
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        for one in path, path.parent / "solutions" / path.name:
            cells = json.loads(one.read_text())["cells"]
            module = next(
                found.group(1)
                for cell in cells
                if cell["cell_type"] == "code"
                for found in [
                    re.search(r"^from checks import (\w+) as check$", "".join(cell["source"]), re.M)
                ]
                if found
            )
            for cell in cells:
                call = re.match(r"check\.(\w+)\(", "".join(cell["source"]))
                assert report.named(cell) == ((module, call.group(1)) if call else None), one
                assert call is None or (module, call.group(1)) in exercises


ANSWER = "Right: so it is.\n"


def stream(*texts, name="stdout"):
    return {"name": name, "output_type": "stream", "text": list(texts)}


def error(name):
    return {"output_type": "error", "ename": name, "evalue": "x", "traceback": []}


def plain(text):
    return {
        "output_type": "execute_result",
        "execution_count": 5,
        "metadata": {},
        "data": {"text/plain": [text], "text/html": "<b>Not yet: </b>"},
    }


@pytest.mark.parametrize("executed", [5, None], ids=["ran", "cleared"])
def test_the_verdict_is_the_last_one_among_whatever_was_printed(collected, executed):
    write, run = collected
    cases = [
        ([stream("trying 15361\n", ANSWER)], "right"),
        ([stream("...", ANSWER)], "right"),
        ([stream("careful\n", name="stderr"), stream(ANSWER)], "right"),
        ([stream(ANSWER), stream("Not yet: 5\n", name="stderr")], "right"),
        ([stream("1\n", "Rig"), stream("x", name="stderr"), stream("ht: so\r\n")], "right"),
        ([stream("Not yet: 3 came.\n"), stream(ANSWER)], "right"),
        ([stream(ANSWER, "Not yet: 3 came.\n")], "not yet"),
        ([stream("\x1b[32mRight: so it is.\x1b[0m\n")], "right"),
        ([plain(ANSWER)], "right"),
        ([plain("'Right: so it is.'"), stream("done\n")], "right"),
        ([stream("5 %\r100 %\rRight: so it is.\r\n")], "right"),
        ([stream("Not yet: it says 'Right: 5'.\n")], "not yet"),
        ([stream("Not yet: fill in the cell above, then run both again.\n")], "not tried"),
        ([error("NameError")], "not yet"),
        ([stream("trying\n"), error("KeyboardInterrupt")], "not yet"),
        ([stream(ANSWER), error("NameError")], "right"),
        ([], "not read"),
        ([stream("not in the words of a check")], "not read"),
        ([plain("Output()")], "not read"),
    ]
    for number, (outputs, _) in enumerate(cases):
        content = notebook("1_memory.ipynb")
        cell_of(content).update(outputs=outputs, execution_count=executed)
        write(f"{number:02}/1_memory.ipynb", content)
    said, table = run()
    page = (run.folder / "report.html").read_text()
    reason = "1_memory.ipynb: the cell of the check tweak ran, and has no verdict that can be read"
    for (student, row), (outputs, verdict) in zip(table.items(), cases):
        verdict = "not tried" if not outputs and not executed else verdict
        assert (row["1 tweak"], row["1 change"]) == (verdict, "not tried"), outputs
        told = (
            reason in row["not read, because"],
            f"{student}/{reason}" in said,
            f"{student}/{reason}" in page,
        )
        assert told == (verdict == "not read",) * 3, outputs


IMPORT = "from checks import memory as check"
CALLS = [
    "check.tweak(words)",
    "check . tweak (  # so\r\n    words)\r\n",
    "if True:\n    check.tweak(words)",
    "  check.tweak(words)",
    "%%time\ncheck.tweak(words)",
    "%time check.tweak(words)",
    "x = !ls\nwords?\ncheck.tweak(words)",
    "for words in 1, 2:\n    %time f()\n    check.tweak(words)",
    "import checks.memory\nprint(checks.memory.tweak(1))",
    "# check.change(1)\ncheck.tweak(3)  # check.write(2)",
]


@pytest.mark.parametrize(
    "imported",
    [
        IMPORT,
        IMPORT + "  # the checks",
        "import checks.memory as check",
        "if True:\r\n    " + IMPORT,
    ],
)
def test_a_cell_is_known_by_what_it_calls_if_its_metadata_is_lost(collected, imported):
    """As in a notebook of edition 1.1.0, or of an editor that drops what it does not know."""
    write, run = collected
    for number, call in enumerate(CALLS):
        content = answered(notebook("1_memory.ipynb"), tweak=ANSWER)
        cell_of(content)["source"] = call
        for cell in content["cells"]:
            cell["metadata"] = {}
            cell.pop("id")
            cell["source"] = "".join(cell["source"]).replace(IMPORT, imported)
        write(f"{number:02}/Untitled.ipynb", content)
    for row, call in zip(run()[1].values(), CALLS):
        assert list(row.values())[:3] == ["right", "not tried", "not tried"], call


def test_a_cell_is_known_by_its_metadata_whatever_it_calls(collected):
    write, run = collected
    sources = [
        "getattr(check, 'tw' + 'eak')(words)",
        "",
        "check.tweak(“words”)",
        "\0",
        "import checks.memory as my\nmy.tweak(words)",
        "from checks.memory import *\ntweak(words)",
        "from checks.memory import tweak as mine\nmine(words)",
        "again = check\nagain.tweak(words)",
        "-" * 100000 + "1",
        "check.tweak(words",
        "%%bash\nls",
    ]
    for number, source in enumerate(sources):
        content = answered(notebook("1_memory.ipynb"), tweak=ANSWER)
        cell_of(content)["source"] = source
        content["cells"] = [
            cell for cell in content["cells"] if IMPORT not in "".join(cell["source"])
        ]
        write(f"{number}/mine.ipynb", content)
    assert [row["1 tweak"] for row in run()[1].values()] == ["right"] * len(sources)


def test_of_several_cells_with_a_check_the_best_verdict_counts(collected):
    write, run = collected
    content = answered(notebook("1_memory.ipynb"), tweak=ANSWER, change="Not yet: 3 came.\n")
    for name in "tweak", "change":
        for outputs in [], [stream("Not yet: 4 came.\n")], [stream("nothing")]:
            content["cells"].append(dict(cell_of(content, name), outputs=outputs))
    both = dict(
        cell_of(content),
        source="check.write(f)\ncheck.tweak(words)",
        metadata={},
        outputs=[stream("Right: it does.\nNot yet: 5 came.\n")],
    )
    write("one/1_memory.ipynb", dict(content, cells=content["cells"] + [both]))
    both["outputs"] = [stream(ANSWER)]  # of which of the two?
    write("two/1_memory.ipynb", dict(content, cells=content["cells"] + [both]))
    table = run()[1]
    assert list(table["one"].values())[:3] == ["right", "not yet", "right"]
    assert list(table["two"].values())[:3] == ["right", "not yet", "not read"]


@pytest.mark.parametrize(
    "content, reason",
    [
        ("", "it is empty"),
        ("\0" * 5000, "it is empty"),
        ("{", "Expecting property name"),
        ("[]", "not a notebook"),
        ("null", "not a notebook"),
        ("{}", "not a notebook"),
        ('{"cells": 5}', "not a notebook"),
        ('{"cells": [5]}', "not a notebook"),
        (
            '{"cells": [{"cell_type": "code", "source": 5, "outputs": []}]}',
            "int in the place of text",
        ),
        ('{"cells": [{"cell_type": "code", "source": "", "outputs": [5]}]}', "not a notebook"),
        (
            (
                '{"cells": [{"cell_type": "code", "source": "check.tweak(1)", "outputs": [{"text":'
                " {}}]}]}"
            ),
            "dict in the place of text",
        ),
        ("[" * 100000, "not a whole notebook"),
        ("9" * 10000, ""),
        ('{"cells": []}', "the cell of the check write is not in it"),
    ],
    ids=range(14),
)
def test_a_broken_notebook_is_named_and_the_others_count(collected, content, reason):
    write, run = collected
    for student in "one", "two":
        write(student + "/1_memory.ipynb", content)
    write("one/1_memory-Copy1.ipynb", answered(notebook("1_memory.ipynb"), tweak=ANSWER))
    write("one/3_mailbox.ipynb", notebook("3_mailbox.ipynb"))
    said, table = run()
    assert "not read: two/1_memory.ipynb: " in said and reason in table["two"]["not read, because"]
    assert list(table["two"].values())[:4] == ["not read"] * 3 + ["not tried"] and "  ???" in said
    assert table["one"]["1 tweak"] == "right" and table["one"]["3 write"] == "not tried"
    assert ("not read: one/1_memory.ipynb: " in said) == (content != '{"cells": []}')


def test_a_broken_notebook_of_another_name_may_be_any_that_is_not_there(collected):
    write, run = collected
    write("one/Untitled.ipynb", "{")
    write("one/1_memory.ipynb", notebook("1_memory.ipynb"))
    # as make collect does
    write("two/left_out.txt", "mine/3_mailbox.ipynb: it has more than 20 MB\n")
    said, table = run()
    assert list(table["one"].values())[2:4] == ["not tried", "not read"]
    assert [name for name, verdict in table["two"].items() if verdict == "not read"] == [
        "3 tweak",
        "3 change",
        "3 write",
    ]
    assert "not read: two/mine/3_mailbox.ipynb: it has more than 20 MB (on the board)" in said


def test_a_notebook_in_any_encoding_of_json(collected):
    write, run = collected
    text = json.dumps(answered(notebook("1_memory.ipynb"), tweak=ANSWER), ensure_ascii=False)
    for encoding in "utf-8-sig", "utf-16", "utf-32-le":
        write(f"{encoding}/1.ipynb", "")
        (run.folder / encoding / "1.ipynb").write_bytes(text.encode(encoding))
    assert [row["1 tweak"] for row in run()[1].values()] == ["right"] * 3


def test_what_is_no_file_or_huge_is_not_opened(collected):
    write, run = collected
    write("one/1_memory.ipynb", notebook("1_memory.ipynb"))
    write(".incoming/two/1_memory.ipynb", "of a make collect that was killed")
    os.mkfifo(str(run.folder / "one/pipe.ipynb"))
    (run.folder / "one/link.ipynb").symlink_to("/etc/passwd")
    (run.folder / "one/around").symlink_to(".")
    (run.folder / "elsewhere").symlink_to("/")
    (run.folder / "one/folder.ipynb").mkdir()
    deep = run.folder / "one" / "/".join("d" * 100)
    deep.mkdir(parents=True)
    with open(str(run.folder / "one/huge.ipynb"), "wb") as file:
        file.truncate(collect.LARGEST + 1)
    (run.folder / "one/latin.ipynb").write_bytes(b"\xff")
    said, table = run()
    assert list(table) == ["elsewhere", "one"] and table["elsewhere"]["1 tweak"] == "not read"
    for name, reason in (
        ("one/pipe.ipynb", "it is not a file"),
        ("one/link.ipynb", "it is a link"),
        ("one/huge.ipynb", "it has more than 20 MB"),
        ("elsewhere", "it is a link"),
        ("one/latin.ipynb", "it is not a whole notebook"),
        ("one/around", "a link"),
        ("one/" + "/".join("d" * 30), "it has folders in it"),
    ):
        assert f"not read: {name}" in said.replace("/it is", ": it is") and reason in said
    assert changed.LARGEST == collect.LARGEST


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_named():
    exercises, user = report.all_exercises(), os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # not in pytest's, which nobody else may enter
        os.chmod(folder, 0o755)
        one, two = Path(folder, "one"), Path(folder, "two")
        for path in one / "3_mailbox.ipynb", two / "there/1_memory.ipynb":
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(notebook("1_memory.ipynb")))
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


HOSTILE = (
    "<script>alert('x')<",
    "=HYPERLINK(1)",
    "@SUM(1)",
    "a\x1b[2J\rb",
    'it\'s "quoted" & more',
    "\u202eback",
    "$(touch x)",
)


def test_nothing_hostile_reaches_the_page_the_spreadsheet_or_the_terminal(collected):
    write, run = collected
    for name in HOSTILE:
        write(name + "/" + name + ".ipynb", "{")
        write(
            name + "/1.ipynb",
            answered(notebook("1_memory.ipynb"), tweak="Right: <script>alert(1)</script>"),
        )
    said, table = run()
    assert "\x1b" not in said and "\r" not in said and "\u202e" not in said
    assert all(row["1 tweak"] == "right" for row in table.values()) and len(table) == len(HOSTILE)
    assert not [name for name in table if name[0] in "=@"] and "'=HYPERLINK(1)" in table

    class Page(html.parser.HTMLParser):
        tags, texts = set(), []

        def handle_starttag(self, tag, attributes):
            self.tags.add(tag)
            assert not [name for name, _ in attributes if name not in ("class", "lang", "charset")]

        def handle_data(self, text):
            self.texts.append(text)

    page = Page()
    page.feed((run.folder / "report.html").read_text(encoding="utf-8"))
    assert page.tags == {
        "html",
        "meta",
        "title",
        "style",
        "h1",
        "h2",
        "table",
        "tr",
        "th",
        "td",
        "p",
        "ul",
        "li",
    }
    assert HOSTILE[0] in page.texts and HOSTILE[4] in page.texts


@pytest.mark.parametrize(
    "program, reason",
    [
        (
            "echo 'Error: inspecting object: pynq-tutorial: image not known' >&2; exit 125",
            "has no image pynq-tutorial here: type make image",
        ),
        (
            "echo 'Cannot connect to the Docker daemon at tcp://192.0.2.1' >&2; exit 1",
            "does not work here: Cannot connect to the Docker",
        ),
        ("exec sleep 1000", "has not answered in 1 s: find out whether `.*podman image list` ends"),
    ],
)
def test_an_engine_that_does_not_work_is_not_one_without_the_image(
    tmp_path, monkeypatch, program, reason
):
    (tmp_path / "podman").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(execute, "ANSWERS_WITHIN", 1 if "sleep" in program else 60)
    with pytest.raises(execute.NoContainer, match=reason):
        execute.find_engine()


@pytest.mark.parametrize("there", [False, True])
def test_nothing_collected_is_said_with_the_remedy(tmp_path, there):
    folder = tmp_path / "none"
    if there:
        folder.mkdir()
    finished = subprocess.run(
        ["make", "report", f"DIR={folder}"],
        cwd=str(ROOT),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert (
        finished.returncode
        and "has no folder of a student's: bring the boards' notebooks there" in finished.stdout
    )
    assert folder.exists() == there
