"""The notebooks themselves; nbval executes them beside this and compares their outputs."""

import ast
import json
import math
import os
import re

import pytest

from helpers.kit import ROOT, run_python
from iop import firmware

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize(
    "notebook", NOTEBOOKS + SOLUTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
IN_C = "%%writefile ", "%%microblaze "  # how a cell of C begins
PRINTS = {
    "print",
    "pprint",
    "help",
    "print_kb",
    "draw_words",
    "draw_mailbox",
    "draw_ddr",
    "draw_image",
    "draw_signal",
    "draw_curves",
}


def cells_of(notebook):
    return [
        cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"
    ]


def puts_something_out(source):
    """Whether a cell prints something, apart from what it only defines or may catch."""
    if source.startswith(IN_C):
        return source.startswith("%%writefile")
    return any(
        isinstance(call, ast.Call) and getattr(call.func, "id", "") in PRINTS
        for statement in ast.parse(source).body
        if not isinstance(statement, ast.FunctionDef)
        for call in ast.walk(statement)
    )


@every_notebook
def test_every_code_cell_was_executed_in_order_and_kept_its_output(notebook):
    cells = cells_of(notebook)
    for number, cell in enumerate(cells, 1):
        # Where nbconvert leaves out a widget, it leaves out the number, too.
        assert cell["execution_count"] == (
            None if "widget" in cell["metadata"].get("tags", []) else number
        )
        source = "".join(cell["source"])
        assert not puts_something_out(source) or cell["outputs"], (
            "no output is stored for:\n" + source
        )
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"], (
            source
        )
        assert not [output for output in cell["outputs"] if output.get("name") == "stderr"], source


@every_notebook
def test_code_cells_are_short(notebook):
    longest = 10 if notebook in SOLUTIONS else 6
    for cell in cells_of(notebook):
        source = "".join(cell["source"])
        assert (
            source.startswith(IN_C)
            or len([line for line in source.splitlines() if line.strip()]) <= longest
        ), source


@every_notebook
def test_no_widget_is_stored(notebook):
    """An image's Jupyter would show it as an error until the cell is run: its ipywidgets is
    older."""
    for cell in cells_of(notebook):
        for output in cell["outputs"]:
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), (
                'tag this cell "widget" and execute the notebook again:\n' + "".join(cell["source"])
            )


def checks_in(notebook):
    """{name: what is stored as its output, ...} of the exercises' checks, in order."""
    found = {}
    for cell in cells_of(notebook):
        call = re.match(r"check\.(\w+)\(", "".join(cell["source"]))
        if call:
            found[call.group(1)] = "".join("".join(output["text"]) for output in cell["outputs"])
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_check_fails_on_the_exercise_and_passes_on_the_solution(notebook):
    """nbval finds out whether what is stored is so."""
    untouched, solved = (
        checks_in(notebook),
        checks_in(notebook.parent / "solutions" / notebook.name),
    )
    assert list(untouched) == list(solved) == ["tweak", "change", "write"]
    assert all(re.fullmatch(r"Not yet: .+\n", said) for said in untouched.values()), untouched
    assert all(re.fullmatch(r"Right: .+\n", said) for said in solved.values()), solved


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_time_that_it_takes_is_what_the_readme_says_how_to_calculate(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    text = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    # without the addresses of links
    words = re.findall(r"\w[\w'-]*", re.sub(r"\]\([^)]*\)", "]", text))
    lines = [
        line
        for cell in cells_of(notebook)
        for line in "".join(cell["source"]).splitlines()
        if line.strip()
    ]
    minutes = len(words) / 180 + len(lines) / 10 + text.count("**Predict.**") + 25
    minutes = 5 * math.ceil(minutes / 5)
    assert f"about {minutes} minutes" in text
    assert re.search(
        rf"\| \[{notebook.stem}\].* \| {minutes} min \|", (ROOT / "README.md").read_text()
    )


def test_the_slides_become_slides(tmp_path):
    """Whether the pictures in them are there, test_links.py finds out."""
    slides = ROOT / "teaching" / "first_twenty_minutes.ipynb"
    begun = [
        cell
        for cell in json.loads(slides.read_text())["cells"]
        if cell["metadata"]["slideshow"]["slide_type"] == "slide"
    ]
    run = run_python(
        "import sys; from nbconvert import SlidesExporter;"
        " print(SlidesExporter().from_filename(sys.argv[-1])[0])".replace(
            "sys.argv[-1]", repr(str(slides))
        )
    )
    # one around each, for those below it
    assert run.returncode == 0 and run.stdout.count("<section>") == 2 * len(begun), run.stderr


@pytest.mark.parametrize(
    "name, refused, not_said", [("6_safety", 7, "answered"), ("8_c_in_a_cell", 2, "written\n")]
)
def test_what_can_do_harm_refuses_to_run_on_a_real_board(name, refused, not_said):
    """As on a board, where there is no virtual_board to import: all of the notebook runs, and
    nothing is written outside a buffer. That there is a virtual board beneath it all the same, the
    notebook cannot see: it is the witness."""
    source = ["".join(cell["source"]) for cell in cells_of(ROOT / "notebooks" / (name + ".ipynb"))]
    if firmware.compiler() is None and any(cell.startswith(IN_C) for cell in source):
        pytest.skip(firmware.NO_COMPILER)
    run = run_python(
        """
import json, os, sys
import virtual_board
from IPython.core.interactiveshell import InteractiveShell
board = virtual_board.activate()
sys.modules["virtual_board"] = None
os.chdir("notebooks")
sys.path.append("")
shell = InteractiveShell.instance(colors="NoColor")
for cell in json.load(sys.stdin):
    assert shell.run_cell(cell).success, cell
    assert not board.stray_writes(), cell
""",
        input=json.dumps(source),
        env=dict(os.environ, MPLBACKEND="agg"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert (
        run.stdout.count("refused: this is a real board") == refused and not_said not in run.stdout
    )


def test_the_iop_example_runs_in_a_kernel():
    source = (ROOT / "tests" / "helpers" / "iop_example.py").read_text().split("# %%\n")[1:]
    run = run_python(
        """
import json, sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)])
NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "notebooks"}}).execute()
for cell in notebook.cells:
    print("".join(output.get("text", "") for output in cell.outputs))
""",
        input=json.dumps(source),
    )
    assert run.returncode == 0, run.stderr
    assert "Before memory allocation:\nAvailable Memory (KB): 131072" in run.stdout
    assert "Initial state of the buffer\n" + 10 * "0\n" in run.stdout
    assert (
        "State of buffer after IOP write\n" + "".join(f"{i}\n" for i in range(1, 11)) in run.stdout
    )
    assert "'Buffer Count': 0}" in run.stdout
