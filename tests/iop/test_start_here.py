"""What the start page says: what is ready here, and how far the student is."""

import json
import os
import shutil

import pytest

from helpers.kit import ROOT, run_python
from helpers.programs import path_without
from iop import firmware, start_here
from virtual_board.microblaze import qemu

CALL = "from iop import start_here; start_here.ready()"


def said_with(**environment):
    run = run_python(CALL, env=dict(os.environ, **environment))
    assert run.returncode == 0 and not run.stderr, run.stderr
    lines = dict(line.split(":", 1) for line in run.stdout.replace("\n    ", "").splitlines())
    assert list(lines) == ["board", "QEMU", "compiler"]
    return {name: " ".join(text.split()) for name, text in lines.items()}


def test_what_is_ready_is_said():
    said = said_with()
    assert said["board"] == "ready: a virtual one"
    assert said["QEMU"].startswith("ready: version ")
    assert said["compiler"].startswith("ready" if firmware.compiler() else "missing, and notebooks")


def test_what_is_missing_is_said_with_the_remedy(tmp_path):
    path = path_without("mb-gcc")
    said = said_with(PYNQ_VIRTUAL_BOARD="0", XDG_CACHE_HOME=str(tmp_path), PATH=path)
    assert said["board"].startswith("missing") and "make doctor" in said["board"]
    assert said["compiler"].startswith("missing, and notebooks 4, 7, 8 and 9 need it")
    assert "make compiler" in said["compiler"]
    said = said_with(PATH=str(tmp_path))
    assert said["QEMU"].startswith("missing") and "make doctor" in said["QEMU"]


def test_a_qemu_that_does_not_start_and_a_real_board(monkeypatch, capsys):
    def broken(path):
        raise qemu.QemuError("it cannot be started.")

    monkeypatch.setattr(qemu, "version", broken)
    start_here.ready()
    assert "QEMU:     missing: it cannot be started. `make doctor`" in capsys.readouterr().out
    monkeypatch.setattr(start_here, "_on_board", lambda: True)
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    start_here.ready()
    assert "board:    ready: a real one, Pynq-Z2\nQEMU:     not needed" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path):
    """A student's: notebook 1 is solved, with predictions, and came anew; 2 is not whole."""
    for name in "1_memory", "2_iop_example", "3_mailbox":
        shutil.copy(str(ROOT / "notebooks" / f"{name}.ipynb"), str(tmp_path))
    shutil.copy(str(tmp_path / "1_memory.ipynb"), str(tmp_path / "1_memory-new-edition.ipynb"))
    mine = json.loads((tmp_path / "1_memory.ipynb").read_text())
    for cell in mine["cells"]:
        if cell["cell_type"] == "raw":
            cell["source"] = "8 KB"
        elif "pynq_tutorial" in cell["metadata"]:
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Right: yes.\n"}]
    (tmp_path / "1_memory.ipynb").write_text(json.dumps(mine))
    (tmp_path / "2_iop_example.ipynb").write_text("{")
    for name, text in ("4.ipynb", "[]"), ("5.ipynb", '{"cells": [1]}'), ("6.ipynb", "[" * 10**5):
        (tmp_path / name).write_text(text)
    (tmp_path / "7.ipynb").mkdir()
    return tmp_path


def test_progress_is_read_from_the_students_own_files(folder, capsys):
    """The better one counts, of a notebook and of the new edition's beside it."""
    start_here.progress(str(folder))
    lines = capsys.readouterr().out.splitlines()
    unread = [line for line in lines if "cannot be read" in line]
    assert [line.split()[0] for line in unread] == [
        f"{name}.ipynb" for name in ("2_iop_example", "4", "5", "6", "7")
    ]
    assert [line.split() for line in lines if line not in unread] == [
        "1_memory tweak: right change: right write: right".split(),
        "3_mailbox tweak: not tried change: not tried write: not tried".split(),
        "3 of 6 exercises are right.".split(),
        "8 of 14 predictions are written.".split(),
    ]
