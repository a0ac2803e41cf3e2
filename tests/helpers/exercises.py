"""The notebooks' cells, and answers to their exercises, as sources in tables."""

import json
import math
import os
import textwrap
import time

import numpy as np

from helpers.kit import ROOT, run_python

RIGHT = "Right: "
UNTOUCHED = "Not yet: fill in the cell above, then run both again.$"


def answers(check, head, rows):
    """Tables for pytest's parametrize: [(check, function, says), ...].

    The functions know np, time, math, and as `right` the first row's.

    Args:
        head: the function's name and parameters.
        rows: (body, says): an expression or statements, and what the check says of it.
    """
    names = {"np": np, "time": time, "math": math}
    functions = [function(head, body, names) for body, _ in rows]
    names["right"] = functions[0]
    return [(check, answer, says) for answer, (_, says) in zip(functions, rows)]


def function(head, body, names):
    """A function as a student's cell defines it, with these global names."""
    body = textwrap.dedent(body).strip()
    try:
        compile(body, "expression", "eval")
        body = body if body == "..." else "return " + body
    except SyntaxError:
        pass
    exec(f"def {head}:\n{textwrap.indent(body, '    ')}", names)
    return names[head.partition("(")[0]]


def code_cells(path):
    """[(id, source), ...] of a notebook's code cells, in order."""
    cells = json.loads(path.read_text())["cells"]
    return [(cell["id"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]


def cells(notebook):
    """{id: source} of the code cells of one of the kit's notebooks."""
    return dict(code_cells(ROOT / "notebooks" / f"{notebook}.ipynb"))


def program(notebook, name, answer):
    """The program that a cell of a notebook writes to my_firmware/, with an answer in it."""
    first = f"%%writefile my_firmware/{name}.c\n"
    (source,) = [text for text in cells(notebook).values() if text.startswith(first)]
    assert source.count("...") == 1
    return source[len(first) :].replace("...", answer)


def run_program(name, given):
    """Runs one of the programs in tests/notebooks/programs/, with its input as JSON."""
    source = (ROOT / "tests" / "notebooks" / "programs" / name).read_text()
    environment = dict(os.environ, PYTHONPATH=str(ROOT), MPLBACKEND="agg")
    return run_python(source, input=json.dumps(given), env=environment)
