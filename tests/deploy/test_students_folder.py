"""The folder that a student works in: the same wherever the tutorial runs, without answers below
the questions, and beside the clone's own files."""

import json
import platform
import subprocess

from deploy import install, tree
from deploy.tree import MANIFEST
from helpers.kit import ROOT

NOTEBOOK = "1_memory.ipynb"


def test_its_notebooks_have_not_run_and_are_otherwise_the_kits():
    files = install.files()
    names = [name for name in files if name.endswith(".ipynb")]
    assert len(names) == 19 and "0_start_here.ipynb" in names
    for name in names:
        executed = json.loads((ROOT / "notebooks" / name).read_text())
        for cell in executed["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        executed["metadata"]["language_info"]["version"] = platform.python_version()
        assert json.loads(files[name].decode()) == executed
        assert files[name].decode().endswith("}\n") and b"\\u" not in files[name]


def newer():
    """The kit's files, of an edition in which a notebook is another one."""
    return {n: text.replace(b"# 1 Memory", b"# 1 Newer") for n, text in install.files().items()}


def test_an_upgrade_replaces_what_nobody_ran(tmp_path):
    """Also where an edition brought executed notebooks."""
    executed = dict(install.files(), **{NOTEBOOK: (ROOT / "notebooks" / NOTEBOOK).read_bytes()})
    for old in install.files(), executed:
        tree.install(str(tmp_path / "folder"), old, "old")
        report = tree.install(str(tmp_path / "folder"), newer(), "new")
        assert NOTEBOOK in report["replaced"] and not report["kept"] and not report["beside"]
        assert tree.install(str(tmp_path / "folder"), newer(), "new")["replaced"] == []


def test_a_notebook_that_a_student_ran_stays(tmp_path):
    install.lay_out(str(tmp_path / "folder"))
    mine = tmp_path / "folder" / NOTEBOOK
    mine.write_bytes((ROOT / "notebooks" / NOTEBOOK).read_bytes())  # with outputs
    report = tree.install(str(tmp_path / "folder"), newer(), "new")
    assert report["kept"] == [NOTEBOOK] and report["beside"] == ["1_memory-new-edition.ipynb"]
    assert mine.read_bytes() == (ROOT / "notebooks" / NOTEBOOK).read_bytes()


def test_a_renamed_notebook_stays_and_comes_again_as_it_was(tmp_path):
    """As the start page says."""
    install.lay_out(str(tmp_path / "folder"))
    mine = tmp_path / "folder" / NOTEBOOK
    mine.write_text("a student's")
    mine.rename(tmp_path / "folder" / "1_memory-mine.ipynb")
    install.lay_out(str(tmp_path / "folder"))
    assert mine.read_bytes() == install.files()[NOTEBOOK]
    assert (tmp_path / "folder" / "1_memory-mine.ipynb").read_text() == "a student's"


def test_git_ignores_it():
    for name in NOTEBOOK, MANIFEST, "my_firmware/mine.c":
        words = ["git", "check-ignore", "--quiet", f"{install.NAME}/{name}"]
        assert subprocess.run(words, cwd=str(ROOT)).returncode == 0, name
