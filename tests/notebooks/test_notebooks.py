"""The notebooks themselves; nbval executes them beside this and compares their outputs."""

import ast
import json
import re

import pytest

from helpers.exercises import code_cells, run_program
from helpers.kit import ROOT
from iop import firmware

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSONS = NOTEBOOKS[1:]  # without the start page
NUMBERED = [f"| [{number}" for number in range(1, 10)]  # rows of a table of notebooks
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize(
    "notebook", NOTEBOOKS + SOLUTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
IN_C = "%%writefile ", "%%microblaze "  # how a cell of C begins
PRINTS = set("print pprint help print_kb".split()) | {
    "draw_" + what for what in "words mailbox leds ddr image signal curves".split()
}


def cells_of(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def puts_something_out(source):
    """Whether a cell prints something, apart from what it only defines or may catch."""
    if source.startswith(IN_C):
        return source.startswith("%%writefile")
    return any(
        isinstance(call, ast.Call) and getattr(call.func, "id", "") in PRINTS
        for statement in ast.parse(source).body
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))
        for call in ast.walk(statement)
    )


@every_notebook
def test_code_cells_were_executed_in_order_and_are_short(notebook):
    """Their output is kept, but no widget: an image's older ipywidgets would show an error."""
    for number, cell in enumerate(cells_of(notebook), 1):
        source, outputs = "".join(cell["source"]), cell["outputs"]
        # Where nbconvert leaves out a widget, it leaves out the number, too.
        is_widget = "widget" in cell["metadata"].get("tags", [])
        assert cell["execution_count"] == (None if is_widget else number), source
        assert outputs or not puts_something_out(source), source
        for output in outputs:
            assert output["output_type"] != "error" and output.get("name") != "stderr", source
            widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
            assert not widget, 'tag this cell "widget" and execute the notebook again:\n' + source
        lines = [line for line in source.splitlines() if line.strip()]
        assert source.startswith(IN_C) or len(lines) <= (10 if notebook in SOLUTIONS else 6), source


def checks_in(notebook):
    """{name: what is stored as its output, ...} of the exercises' checks, in order."""
    found = {}
    for cell in cells_of(notebook):
        call = re.match(r"check\.(\w+)\(", "".join(cell["source"]))
        if call:
            texts = [output["data"]["text/plain"] for output in cell["outputs"]]
            found[call.group(1)] = "".join("".join(text) for text in texts)
    return found


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_first_and_last_cell_lead_to_the_notebooks_around(notebook):
    number, cells = NOTEBOOKS.index(notebook), json.loads(notebook.read_text())["cells"]
    around = [NOTEBOOKS[number - 1].name, NOTEBOOKS[(number + 1) % len(NOTEBOOKS)].name]
    for cell in cells[0], cells[-1]:
        links = r"^\*Before: \[.+\]\((.+)\)\. Next: \[.+\]\((.+)\)\.\*$"
        found = re.search(links, "".join(cell["source"]), re.M)
        assert found and list(found.groups()) == around


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_each_step_has_a_cell_of_its_own(notebook):
    """So that the contents list says where one is, and a prediction has its place: an empty raw
    cell, which a run passes by, and whose name make report and make sheets know."""
    cells = json.loads(notebook.read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    kinds = [cell["cell_type"] for cell in cells]
    for text, kind in zip(texts, kinds):
        inside = re.search(r"\n(#+ |\*\*(Predict|Compare|Tweak|Change|Write)\.)", text)
        assert kind != "markdown" or not inside, text
    asked = [number for number, text in enumerate(texts) if text.startswith("**Predict.**")]
    assert [number + 1 for number in asked] == [
        number for number, kind in enumerate(kinds) if kind == "raw"
    ]
    module = re.search(r"from checks import (\w+) as check", "\n".join(texts)).group(1)
    for count, number in enumerate(asked, 1):
        assert texts[number + 1] == "" and texts[number].count("\n\n") == 0, texts[number]
        assert cells[number + 1]["metadata"]["pynq_tutorial"] == {"predict": f"{module}.{count}"}


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_each_check_has_two_hints_and_the_way_to_the_solution_below_it(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    hints = [
        "".join(below["source"])
        for cell, below in zip(cells, cells[1:])
        if cell["metadata"].get("pynq_tutorial", {}).get("check")
    ]
    folded = r"<details><summary>{}</summary>\n\n.+?\n\n</details>"
    titles = "Hint 1", "Hint 2", "The way to the solution"
    for text in hints:
        assert re.fullmatch("\n".join(map(folded.format, titles)), text, re.S), text
        assert f"(solutions/{notebook.name})" in text
    assert len(set(hints)) == 3


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_every_check_fails_on_the_exercise_and_passes_on_the_solution(notebook):
    """nbval finds out whether what is stored is so."""
    untouched = checks_in(notebook)
    as_it_came = "Not yet: fill in the cell above, then run both again."
    solved = checks_in(notebook.parent / "solutions" / notebook.name)
    names = ["tweak", "change", "write"]
    assert list(untouched) == list(solved) == [*names, "summary"]
    for name in names:
        assert untouched[name] == as_it_came
        assert re.fullmatch(r"Right: .+", solved[name])
    assert untouched["summary"] == "Tweak: not tried\nChange: not tried\nWrite: not tried"
    assert solved["summary"] == "Tweak: right\nChange: right\nWrite: right"


def test_the_start_page_has_the_documents_tables():
    """The ten words, and the way through the notebooks with its times."""
    page = "".join(
        "".join(cell["source"]) for cell in json.loads(NOTEBOOKS[0].read_text())["cells"]
    )
    words = (
        (ROOT / "docs" / "architecture.md").read_text().partition("## ")[2].partition("\n## ")[0]
    )
    way = [line for line in (ROOT / "README.md").read_text().splitlines() if line[:4] in NUMBERED]
    rows = [line for line in words.splitlines() if line.startswith("| ")] + way
    assert len(rows) == 12 + len(LESSONS)
    assert [row for row in rows if row.replace("](notebooks/", "](") not in page] == []


@pytest.mark.parametrize(
    "name, refused, not_said", [("6_safety", 7, "answered"), ("8_c_in_a_cell", 2, "written\n")]
)
def test_what_can_do_harm_refuses_to_run_on_a_real_board(name, refused, not_said):
    cells = code_cells(ROOT / "notebooks" / f"{name}.ipynb")
    if firmware.compiler() is None and any(source.startswith(IN_C) for _, source in cells):
        pytest.skip(firmware.NO_COMPILER)
    run = run_program("cells.py", ["notebooks", True, [("in order", True, cells)]])
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("refused: this is a real board") == refused
    assert not_said not in run.stdout


def test_the_iop_example_runs_in_a_kernel():
    source = (ROOT / "tests" / "helpers" / "iop_example.py").read_text().split("# %%\n")[1:]
    run = run_program("in_a_kernel.py", source)
    assert run.returncode == 0, run.stderr
    assert "Before memory allocation:\nAvailable Memory (KB): 131072" in run.stdout
    assert "Initial state of the buffer\n" + 10 * "0\n" in run.stdout
    words = "".join(f"{word}\n" for word in range(1, 11))
    assert "State of buffer after IOP write\n" + words in run.stdout
    assert "'Buffer Count': 0}" in run.stdout
