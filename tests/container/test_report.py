"""make report EXECUTE=yes: what students stored does not count, and none of their code does harm.
How a run is bounded, tests/deploy tests with a program in place of podman."""

import csv
import json
from pathlib import Path

import nbformat

from conftest import ROOT, make
from deploy import collect, execute, report
from iop import verdicts


def printed(name, *texts, words=None):
    """One of the kit's notebooks in which this, and nothing else, is stored as what the cells of
    its checks printed. words: the source of the cell that has `words = ...`"""
    content = json.loads((ROOT / "notebooks" / name).read_text())
    stored = [{"name": "stdout", "output_type": "stream", "text": [text]} for text in texts]
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if source.startswith("check."):
            cell.update(outputs=stored, execution_count=1 if texts else None)
        if source == "words = ..." and words:
            cell["source"] = words
    return content


def test_forged_outputs_count_only_if_nothing_is_executed(image, tmp_path):
    solved = printed("solutions/1_memory.ipynb")
    solved["metadata"]["kernelspec"]["name"] = ".venv"  # as VS Code writes it
    forged = printed("1_memory.ipynb", "Right: I say so.\n", words="words = 3")
    for student, content in ("eve", forged), ("ada", solved), ("bob", {"cells": 5}):
        (tmp_path / student).mkdir()
        (tmp_path / student / "any.ipynb").write_text(json.dumps(content))
    tables = []
    for options, source in ([], report.FORGED), (["EXECUTE=yes"], report.EXECUTED):
        said = make("report", f"DIR={tmp_path}", *options)
        assert source in said and source in (tmp_path / "report.html").read_text()
        assert "not read: bob/any.ipynb" in said
        rows = list(csv.reader((tmp_path / "report.csv").read_text().splitlines()))
        tables.append({row[0]: row[1:4] for row in rows[1:]})
    bob = ["not read"] * 3
    assert tables == [
        {"ada": ["not checked"] * 3, "bob": bob, "eve": ["right"] * 3},
        {"ada": ["right"] * 3, "bob": bob, "eve": ["not yet", "not tried", "not tried"]},
    ]


def run(source):
    """What a cell printed."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    executed = collect.notebook_of(execute.executed(nbformat.writes(notebook), "podman"))
    return "".join(
        "".join(output.get("text", output.get("ename", "")))
        for output in verdicts.code_cells(executed)[-1]["outputs"]
    )


def test_code_has_no_network_no_files_and_few_processes(image):
    harm = Path(__file__).with_name("programs") / "harm.py"
    assert run(harm.read_text()) == "True True True 1000 ['lo']\nTrue\n"
