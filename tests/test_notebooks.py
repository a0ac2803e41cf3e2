"""The notebooks themselves; nbval executes them beside this and compares their outputs."""

import ast
import json
import re

import pytest

from conftest import ROOT, run_python
from lesson import code_cells, for_this_pynq

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSON = ROOT.parent / "shared" / "seed" / "iop_example.md"
IN_C = "%%writefile "  # how a cell of C begins
PRINTS = {"print", "pprint", "help", "print_kb", "draw_words"}


def cells_of(notebook):
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def puts_something_out(source):
    """Whether a cell prints something, apart from what it only defines or may catch."""
    return source.startswith(IN_C) or any(isinstance(call, ast.Call) and getattr(call.func, "id", "") in PRINTS
               for statement in ast.parse(source).body if not isinstance(statement, ast.FunctionDef)
               for call in ast.walk(statement))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_was_executed_in_order_and_kept_its_output(notebook):
    cells = cells_of(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        source = "".join(cell["source"])
        assert not puts_something_out(source) or cell["outputs"], "no output is stored for:\n" + source
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"], source
        assert not [output for output in cell["outputs"] if output.get("name") == "stderr"], source


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_cells_are_short(notebook):
    for cell in cells_of(notebook):
        if cell["source"][0].startswith(IN_C):
            continue
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= 6, "".join(cell["source"])


def test_pictures_and_links_lead_somewhere():
    for notebook in NOTEBOOKS:
        text = "".join("".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"]
                       if cell["cell_type"] == "markdown")
        for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
            assert (notebook.parent / target).exists(), target


@pytest.mark.skipif(not LESSON.exists(), reason="the original lesson is not beside the project")
def test_the_original_lesson_runs_as_it_stands():
    """Its code cells, unchanged but for where Xlnk comes from, in a kernel of this environment."""
    source = [for_this_pynq(cell) for cell in code_cells(LESSON.read_text())]
    assert len(source) == 12
    run = run_python("""
import json, sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)])
NotebookClient(notebook, timeout=60, resources={"metadata": {"path": "notebooks"}}).execute()
for cell in notebook.cells:
    print("".join(output.get("text", "") for output in cell.outputs))
""", input=json.dumps(source))
    assert run.returncode == 0, run.stderr
    assert "Before memory allocation:\nAvailable Memory (KB): 131072" in run.stdout
    assert "Initial state of the buffer\n" + 10 * "0\n" in run.stdout
    assert "State of buffer after IOP write\n" + "".join("{}\n".format(i) for i in range(1, 11)) in run.stdout
    assert "'Buffer Count': 0}" in run.stdout
