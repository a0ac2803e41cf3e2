"""make report EXECUTE=yes: what students stored does not count, and none of their code does harm or
goes on for ever."""

import csv
import json
import time

import nbformat
import pytest

from conftest import ROOT, make, podman
from deploy import collect, execute, report


def cells(path, **put):
    """One of the kit's notebooks; put: what a cell's source becomes, by the cell's name"""
    content = json.loads((ROOT / "notebooks" / path).read_text())
    for cell in content["cells"]:
        if cell["id"] in put:
            cell["source"] = put[cell["id"]]
    return content


def printed(content, *texts):
    """With this, and nothing else, stored as what the cells of its checks printed."""
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("check."):
            cell["outputs"] = [
                {"name": "stdout", "output_type": "stream", "text": [text]} for text in texts
            ]
    return content


def test_forged_outputs_count_only_if_nothing_is_executed(image, tmp_path):
    wrong = next(
        cell["id"]
        for cell in cells("1_memory.ipynb")["cells"]
        if "".join(cell["source"]) == "words = ..."
    )
    solved = printed(cells("solutions/1_memory.ipynb"))
    solved["metadata"]["kernelspec"]["name"] = ".venv"  # as VS Code writes it
    for student, content in (
        ("eve", printed(cells("1_memory.ipynb", **{wrong: "words = 3"}), "Right: I say so.\n")),
        ("ada", solved),
        ("bob", {"cells": 5}),
    ):
        (tmp_path / student).mkdir()
        (tmp_path / student / "any.ipynb").write_text(json.dumps(content))
    tables = []
    for options, source in ([], report.FORGED), (["EXECUTE=yes"], report.EXECUTED):
        said = make("report", f"DIR={tmp_path}", *options)
        assert (
            source in said
            and source in (tmp_path / "report.html").read_text()
            and "not read: bob/any.ipynb" in said
        )
        rows = list(csv.reader((tmp_path / "report.csv").read_text().splitlines()))
        tables.append({row[0]: row[1:4] for row in rows[1:]})
    assert tables[0] == {"ada": ["not tried"] * 3, "bob": ["not read"] * 3, "eve": ["right"] * 3}
    assert tables[1] == {
        "ada": ["right"] * 3,
        "bob": ["not read"] * 3,
        "eve": ["not yet", "not tried", "not tried"],
    }


def run(*sources):
    """What the last of these cells printed."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    executed = collect.notebook_of(execute.executed(nbformat.writes(notebook), "podman"))
    return "".join(
        "".join(output.get("text", output.get("ename", "")))
        for output in report.code_cells(executed)[-1]["outputs"]
    )


HARMLESS = """
import os, socket, warnings
warnings.simplefilter("ignore")  # of a fork beside threads
def refused(call, *arguments):
    try: call(*arguments)
    except OSError: return True
    return False
print(refused(socket.create_connection, ("1.1.1.1", 53), 2), refused(open, "/opt/pynq_tutorial/notebooks/checks/memory.py", "a"),
      refused(open, "/x", "w"), os.getuid(), sorted(os.listdir("/sys/class/net")))
children = []
try:
    while len(children) < 1000:
        children.append(os.fork())
        if not children[-1]: import time; time.sleep(100)
except OSError: print(len(children) < 256)
finally: [os.kill(child, 9) for child in children]
"""


def test_code_has_no_network_no_files_and_few_processes(image):
    assert run(HARMLESS) == "True True True 1000 ['lo']\nTrue\n"


@pytest.mark.parametrize(
    "source, reason",
    [
        ("import os; os.kill(os.getppid(), 9)", "its run did not end well"),
        ("keep = [bytearray(1 << 28) for _ in range(20)]", "its run did not end well"),
        ("print('x' * (21 << 20))", "more than 20 MB"),
    ],
    ids=["kills", "memory", "prints"],
)
def test_a_run_that_does_not_end_well_is_told(image, source, reason):
    with pytest.raises(ValueError, match=reason):
        run(source)


def test_a_run_that_hangs_is_ended(image, monkeypatch):
    monkeypatch.setattr(execute, "SECONDS", 15)
    start = time.monotonic()
    with pytest.raises(ValueError, match="had not ended after 15 s"):
        run("while True:\n    try:\n        while True: pass\n    except BaseException: pass")
    assert time.monotonic() - start < 40 and not podman("ps", "--all", "--quiet")
