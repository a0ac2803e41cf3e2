"""make report on what students hand in: points, predictions, answers without a check, and the
folders that learning platforms make."""

import json
import re

import pytest

from deploy import report, table
from helpers.handed_in import cell_of, notebook, stream
from helpers.kit import make
from iop import start_here, verdicts

RIGHT, WRONG = "Right: so it is.\n", "Not yet: 3 came.\n"


def before(content, check):
    """The cell with the answer."""
    cells = verdicts.code_cells(content)
    return cells[cells.index(cell_of(content, check)) - 1]


def with_answer(source, name="1_memory", check="tweak", ran=(None, None), said=None):
    """A notebook with an answer. ran: in which places the answer's cell and the check's ran"""
    content = notebook(f"{name}.ipynb")
    before(content, check).update(source=source, execution_count=ran[0])
    cell_of(content, check)["execution_count"] = ran[1]
    if said is not None:
        cell_of(content, check)["outputs"] = said
    return content


def with_an_empty_cell(content):
    """Between the answer and the check"""
    empty = dict(before(content, "tweak"), source="\n")
    content["cells"].insert(content["cells"].index(cell_of(content)), empty)
    return content


C = "8_c_in_a_cell"
ANSWERS = [
    (with_answer("words = 3"), "1 tweak", "not checked"),  # the check ran on the cell as it came
    (with_answer("words = 3", ran=(8, 9)), "1 tweak", "not checked"),  # and so, too, without a run
    (with_answer("words = 3", said=[]), "1 tweak", "not checked"),
    (with_an_empty_cell(with_answer("words = 3")), "1 tweak", "not checked"),
    (with_answer("words = 3", said=[stream(RIGHT)]), "1 tweak", "right"),
    (with_answer("words = 3", said=[stream("?")]), "1 tweak", "not read"),
    (with_answer("words = ...  \r\n\n"), "1 tweak", "not tried"),
    (with_answer(["words = ", "..."], said=[]), "1 tweak", "not tried"),
    (with_answer(""), "1 tweak", "not tried"),
    (with_an_empty_cell(notebook()), "1 tweak", "not tried"),
    (with_answer("# your line here", "2_iop_example"), "2 tweak", "not tried"),
    (with_answer("iop.write_to_buffer(buffer, 5)", "2_iop_example"), "2 tweak", "not checked"),
    (with_answer("%%microblaze overlay.iop1\n...", C), "8 tweak", "not checked"),
]


def test_an_answer_whose_check_did_not_run_is_not_checked(collected):
    write, run = collected
    for number, (content, _, _) in enumerate(ANSWERS):
        write(f"{number:02}/Untitled.ipynb", content)
    said, rows = run()
    assert [rows[f"{number:02}"][exercise] for number, (_, exercise, _) in enumerate(ANSWERS)] == [
        verdict for _, _, verdict in ANSWERS
    ]
    assert "~ not checked" in said and "00        ~.." in said
    lines = (run.folder / "feedback.txt").read_text().splitlines()
    assert lines[0].startswith("00: 0 of 54 points; not checked: 1 tweak; not tried: 26; predictio")
    assert lines[4].startswith("04: 1 of 54 points; right: 1 tweak; not tried: 26; predictions: ")


def test_the_start_page_tells_from_the_cell_alone(tmp_path, capsys):
    """It does not have the notebooks as they came, and says nothing of cells of C."""
    cases = [case for case in ANSWERS if case[1] == "1 tweak"] + [
        (with_answer("# your line here", "2_iop_example", said=[]), "2 tweak", "not tried"),
        (with_answer("fill(buffer)", "2_iop_example", said=[]), "2 tweak", "not checked"),
        (with_answer("%%microblaze overlay.iop1\nint x;", C, said=[]), "8 tweak", "not tried"),
    ]
    for number, (content, exercise, verdict) in enumerate(cases):
        path = tmp_path / f"{exercise[0]}_x.ipynb"
        path.write_text(json.dumps(content))
        start_here.progress(str(tmp_path))
        assert f"tweak: {verdict} " in capsys.readouterr().out, number
        path.unlink()


def predicting(*texts, module="memory"):
    content = notebook()
    for number, text in enumerate(texts, 1):
        metadata = {"pynq_tutorial": {"predict": f"{module}.{number}"}}
        content["cells"].append({"cell_type": "raw", "metadata": metadata, "source": text})
    return content


def test_written_predictions_are_counted_once_each(tmp_path, monkeypatch, capsys):
    """Whatever copy they are in; what the kit does not ask for does not count."""
    kit = {"1_memory": predicting("", "", ""), "3_mailbox": predicting("", module="mailbox")}
    monkeypatch.setattr(report, "all_predictions", lambda: {"memory.1", "memory.2", "mailbox.1"})
    assert verdicts.written(kit["1_memory"]) == set()
    one, copy = predicting("8 KB", " \n", "?"), predicting(["8 ", "KB"], "none")
    one["cells"].append(dict(one["cells"][-3], source=""))  # a copy of the first, and empty
    copy["cells"][-1]["cell_type"] = "markdown"
    for path, content in {
        "ada/1_memory.ipynb": one,
        "ada/1_memory-Copy1.ipynb": copy,
        "bob/1_memory.ipynb": notebook(),
        "eve/1_memory.ipynb": predicting("1", module="forged"),
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    report.main(str(tmp_path))
    said = capsys.readouterr().out
    assert re.findall(r"^(\w+) .* (\d of 3) +0$", said, re.M) == [
        ("ada", "2 of 3"), ("bob", "0 of 3"), ("eve", "0 of 3"),
    ]  # fmt: skip
    assert said.count("of 3") == 3 and ",2 of 3,0," in (tmp_path / "report.csv").read_text()
    assert "<td>2 of 3</td><td>0</td>" in (tmp_path / "report.html").read_text()
    feedback = (tmp_path / "feedback.txt").read_text().splitlines()
    assert feedback[0].endswith("predictions: 2 of 3.") and len(feedback) == 3


def test_every_kind_of_exercise_has_points():
    """And docs/teaching.md has the same."""
    exercises = report.all_exercises()
    assert {name for _, name in exercises} == set(table.POINTS)
    text = (report.NOTEBOOKS.parent / "docs" / "teaching.md").read_text()
    for name, points in table.POINTS.items():
        assert f"| {name.capitalize()} | {points} |" in text


NAMES = {
    "Ada Lovelace_12345_assignsubmission_file_": "Ada Lovelace_12345",
    "Zoë O'Brien, Jr._7_assignsubmission_file": "Zoë O'Brien, Jr._7",
    "Ōe Kenzaburō": "Ōe Kenzaburō",
    "lab_1_2_monday": "lab_1_2_monday",
    "L" * 220 + "_8_assignsubmission_file_": "L" * 200 + "...",
}
FLAT = {
    "lovelaceada_123_456_3_mailbox.ipynb": "lovelaceada_123",
    "lovelaceada_123_457_1_memory-1.ipynb": "lovelaceada_123",
    "hopper_LATE_99_458_1_memory-2.ipynb": "hopper_99",
    "Ada Byron_5_assignsubmission_file_1_memory.ipynb": "Ada Byron_5",
}


def test_what_a_learning_platforms_download_unpacks_to(collected):
    write, run = collected
    for name in NAMES:
        write(f"{name}/pynq_tutorial/1_memory.ipynb", notebook(tweak=RIGHT))
    for name in FLAT:
        kits = "3_mailbox.ipynb" if "3_mailbox" in name else "1_memory.ipynb"
        write(name, notebook(kits, change=RIGHT))
    write("Ōe Kenzaburō/__MACOSX/._1_memory.ipynb", "\0\5\x16\7")
    write("__MACOSX/._1_memory.ipynb", "\0\5\x16\7")
    write("notes.txt", "")
    said, rows = run()
    assert set(rows) == {*NAMES.values(), *FLAT.values()} and "not read: " not in said
    for name, row in rows.items():
        right = {column for column, one in row.items() if one == "right"}
        flat = {"1 change"} | ({"3 change"} if name == "lovelaceada_123" else set())
        assert right == (flat if name in FLAT.values() else {"1 tweak"}), name
    assert max(map(len, said.splitlines()[:9])) < 120


def test_what_is_packed_or_nobodys_is_named(collected):
    write, run = collected
    unpack = "it is packed: unpack it there, and type the same command again"
    write("ada/work.zip", "PK")
    write("ada/3_mailbox.ipynb", notebook("3_mailbox.ipynb", tweak=RIGHT))
    write("lovelaceada_123_456_1_memory.zip", "PK")
    write("4_firmware.ipynb", notebook("4_firmware.ipynb"))
    write("submissions.zip", "PK")
    said, rows = run()
    for line in (
        f"ada/work.zip: {unpack}",
        f"lovelaceada_123/lovelaceada_123_456_1_memory.zip: {unpack}",
        f"submissions.zip: {unpack}",
        "4_firmware.ipynb: it is in no student's folder",
    ):
        assert f"not read: {line}" in said
    assert rows["ada"]["3 tweak"] == "right" and rows["ada"]["1 tweak"] == "not read"
    assert list(rows) == ["ada", "lovelaceada_123"]


def test_a_folder_in_which_all_is_packed(tmp_path):
    (tmp_path / "submissions.zip").write_text("PK")
    said = make("report", f"DIR={tmp_path}")
    assert said.returncode and "submissions.zip: it is packed: unpack it there" in said.stdout


@pytest.mark.parametrize("metadata", [True, False])
def test_cells_in_another_order_or_gone(collected, metadata):
    """What is left of a notebook is read, and what is missing is named."""
    write, run = collected
    contents = [notebook(tweak=RIGHT, change=WRONG) for _ in range(3)]
    contents[1]["cells"].reverse()
    contents[2]["cells"].remove(cell_of(contents[2], "change"))
    for student, content in zip("abc", contents):
        for cell in [] if metadata else content["cells"]:
            cell["metadata"] = {}
        write(f"{student}/1_memory.ipynb", content)
    rows = run()[1]
    assert [list(rows[student].values())[:2] for student in "abc"] == [
        ["right", "not yet"], ["right", "not yet"], ["right", "not read"],
    ]  # fmt: skip
    assert rows["c"]["not read, because"] == (
        "1_memory.ipynb: the cell of the check change is not in it"
    )


def test_the_page_has_a_column_for_each_notebook(collected):
    """Not one for each exercise, which would not fit a screen or a sheet of paper."""
    write, run = collected
    write("ada/1_memory.ipynb", notebook(tweak=RIGHT, change=WRONG))
    run()
    page = (run.folder / "report.html").read_text()
    columns = re.findall(r"<th>(.*?)</th>", page)
    assert columns == ["student", *"123456789", "predictions", "points"]
    assert page.count("<td>") == len(columns)
    assert "<b class='right' title='1 tweak: right'>R</b>" in page
    assert "<b class='not-yet' title='1 change: not yet'>-</b>" in page
