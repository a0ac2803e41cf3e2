"""make report: what it reads in notebooks of every kind, and that nothing in them harms who reads the table."""

import csv
import html.parser
import json
import os
import subprocess

import pytest

from conftest import ROOT
from deploy import changed, report

NAMES = "1_memory.ipynb", "3_mailbox.ipynb"


def notebook(name):
    return json.loads((ROOT / "notebooks" / name).read_text())


def answered(content, **printed):
    """A notebook whose check cells printed something: tweak="Right: ..."."""
    for cell in content["cells"]:
        for check, text in printed.items():
            if "".join(cell["source"]).startswith("check.{}(".format(check)):
                cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [text]}]
    return content


@pytest.fixture
def collected(tmp_path):
    """write(path, content) puts a file into the folder that run() reports on; run() returns what is printed, and the table."""
    folder = tmp_path / "collected"

    def write(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def run():
        finished = subprocess.run(["make", "--no-print-directory", "report", "DIR={}".format(folder)], cwd=str(ROOT), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert finished.returncode == 0, finished.stdout
        with open(str(folder / "report.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        return finished.stdout, {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}
    write.folder, run.folder = folder, folder
    return write, run


def test_the_verdicts_of_a_class(collected):
    write, run = collected
    write("board-1/1_memory.ipynb", answered(notebook("1_memory.ipynb"), tweak="Right: so it is.\n", change="Not yet: 3 came.\n"))
    write("board-1/deeper/Untitled.ipynb", answered(notebook("3_mailbox.ipynb"), write="Right: all of it.\n"))  # by its checks
    write("board-1/1_memory-Copy1.ipynb", answered(notebook("1_memory.ipynb"), tweak="Not yet: again.\n"))  # the better counts
    write("board-1/.ipynb_checkpoints/1_memory.ipynb", answered(notebook("1_memory.ipynb"), write="Right: once.\n"))
    write("board-1/solutions/1_memory.ipynb", answered(notebook("1_memory.ipynb"), write="Right: by the kit.\n"))
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        write("board-2/" + path.name, path.read_text())  # as they come
    for path in (ROOT / "notebooks/solutions").glob("*.ipynb"):
        write("board-3/" + path.name, path.read_text())
    said, table = run()
    tried = {column: verdict for column, verdict in table["board-1"].items() if verdict != "not tried"}
    assert tried == {"1 tweak": "right", "1 change": "not yet", "3 write": "right"}
    assert set(table["board-2"].values()) == {"not tried"} and set(table["board-3"].values()) == {"right"}
    numbers = [path.name[0] for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    assert list(table["board-3"]) == [number + " " + name for number in numbers for name in ("tweak", "change", "write")]
    assert "board-1   R-.  ...  ..R  ..." in said and "which can be forged" in said and "not read" not in said


def test_a_check_that_raised_or_printed_anything_else_is_not_yet(collected):
    write, run = collected
    content = answered(notebook("1_memory.ipynb"), tweak="not in the words of a check")
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("check.change("):
            cell["outputs"] = [{"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": []}]
    write("one/1.ipynb", content)
    table = run()[1]
    assert (table["one"]["1 tweak"], table["one"]["1 change"]) == ("not yet", "not yet")


@pytest.mark.parametrize("content, reason", [
    ("", "Expecting value"), ("{", "Expecting property name"), ("[]", "not a notebook"), ("null", "not a notebook"),
    ("{}", "not a notebook"), ('{"cells": 5}', "not a notebook"), ('{"cells": [5]}', "not a notebook"),
    ('{"cells": [{"cell_type": "code", "source": 5, "outputs": []}]}', "int in the place of text"),
    ('{"cells": [{"cell_type": "code", "source": "", "outputs": [5]}]}', "not a notebook"),
    ('{"cells": [{"cell_type": "code", "source": "", "outputs": [{"text": {}}]}]}', "dict in the place of text"),
    ("[" * 100000, "not a notebook"), ("\0", "Expecting value"), ("9" * 10000, "")], ids=range(13))
def test_a_broken_notebook_is_named_and_the_others_count(collected, content, reason):
    write, run = collected
    write("one/1_memory.ipynb", answered(notebook("1_memory.ipynb"), tweak="Right: so it is."))
    write("one/broken.ipynb", content)
    said, table = run()
    assert "not read: one/broken.ipynb: " in said and reason in said
    assert table["one"]["1 tweak"] == "right"


def test_what_is_no_file_or_huge_is_not_opened(collected):
    write, run = collected
    write("one/1_memory.ipynb", notebook("1_memory.ipynb"))
    os.mkfifo(str(run.folder / "one/pipe.ipynb"))
    (run.folder / "one/link.ipynb").symlink_to("/etc/passwd")
    (run.folder / "one/around").symlink_to(".")
    (run.folder / "elsewhere").symlink_to("/")
    (run.folder / "one/folder.ipynb").mkdir()
    with open(str(run.folder / "one/huge.ipynb"), "wb") as file:
        file.truncate(report.LARGEST + 1)
    (run.folder / "one/latin.ipynb").write_bytes(b"\xff")
    said, table = run()
    assert list(table) == ["one"]
    for name, reason in ("pipe", "it is not a file"), ("link", "it is not a file"), ("huge", "more than 20 MB"), ("latin", "utf-8"):
        assert "not read: one/{}.ipynb: ".format(name) in said and reason in said
    assert changed.LARGEST == report.LARGEST


HOSTILE = "<script>alert('x')<", "=HYPERLINK(1)", "@SUM(1)", "a\x1b[2J\rb", "it's \"quoted\" & more", "\u202eback", "$(touch x)"


def test_nothing_hostile_reaches_the_page_the_spreadsheet_or_the_terminal(collected):
    write, run = collected
    for name in HOSTILE:
        write(name + "/" + name + ".ipynb", "{")
        write(name + "/1.ipynb", answered(notebook("1_memory.ipynb"), tweak="Right: <script>alert(1)</script>"))
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
    assert page.tags == {"html", "meta", "title", "style", "h1", "h2", "table", "tr", "th", "td", "p", "ul", "li"}
    assert HOSTILE[0] in page.texts and HOSTILE[4] in page.texts


@pytest.mark.parametrize("there", [False, True])
def test_nothing_collected_is_said_with_the_remedy(tmp_path, there):
    folder = tmp_path / "none"
    if there:
        folder.mkdir()
    finished = subprocess.run(["make", "report", "DIR={}".format(folder)], cwd=str(ROOT), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
    assert finished.returncode and "has no folder of a student's: bring the boards' notebooks there" in finished.stdout
    assert folder.exists() == there
