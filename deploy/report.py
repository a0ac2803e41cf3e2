"""Prints who has solved which exercise, and writes it to report.csv and report.html:
python3 -m deploy.report collected [--execute]

The folder has one folder for each student or board, as `make collect` makes it, with notebooks at
any depth. The verdicts are the stored outputs of the cells that call a check, which a student can
forge. With --execute, they are those of a new run in a container (deploy/execute.py). What cannot
be read is "not read", and why is said.
"""

import csv
import html
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iop.verdicts import (
    NOT_READ,
    NOT_TRIED,
    NOT_YET,
    RIGHT,
    VERDICTS,
    exercises_in,
    keep_better,
    lines_of,
    read,
)

from . import execute
from .collect import DEEPEST, LARGEST, LEFT_OUT, notebook_of, printable

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LINKED = "bitstream", "iop", "mb_src"  # in notebooks/ of a checkout, without a notebook in them
SHORT = {RIGHT: "R", NOT_YET: "-", NOT_READ: "?", NOT_TRIED: "."}
FORGED = "The verdicts are the outputs that are stored in the notebooks, which can be forged."
EXECUTED = "The verdicts are those of a new run; code written to deceive a check can still do so."
MISSING = "A notebook that is not there counts as not tried: make collect brings only changed ones."
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Exercises</title>
<style>
body {{ font-family: sans-serif }} table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #999; padding: .3em .6em }}
.right {{ background: #cfc }} .not-yet {{ background: #fec }} .not-read {{ background: #fcc }}
</style>
<h1>Exercises</h1>
<table>{}</table>
<p>{}</p>
</html>
"""


def all_exercises():
    """{(checks' module, check's name): Exercise}, in the order of the notebooks."""
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    notebooks = {path.stem: notebook_of(path.read_bytes()) for path in paths}
    return exercises_in(notebooks, untouched=lambda cell: lines_of(cell)[-1])


def notebooks_in(folder, leave_out):
    """The paths of the notebooks in a student's folder. Calls leave_out(path, reason)."""
    walk = os.walk(folder, onerror=lambda error: leave_out(error.filename, error.strerror))
    for place, folders, names in walk:
        # .ipynb_checkpoints has older versions, and the solutions are the kit's.
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "solutions")
        for path in (Path(place, name) for name in folders if name not in LINKED):
            if path.is_symlink():
                leave_out(path, "it is a link", ())
        if len(Path(place).relative_to(folder).parts) >= DEEPEST and folders:
            leave_out(place, "it has folders in it, and is in too many itself")
            folders.clear()
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".ipynb"))


def notebook_in(path):
    """The notebook in a file. ValueError or OSError, with the reason, if there is none."""
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is a link" if path.is_symlink() else "it is not a file")
    with open(path, "rb") as file:
        return notebook_of(file.read(LARGEST + 1))


def verdicts_in(folder, exercises, engine=None):
    """Reads all notebooks in a student's folder.

    Args:
        exercises: those of `all_exercises`
        engine: the program that runs containers, if the notebooks are to be executed

    Returns:
        {exercise: its verdict}, and ["name: why it is not read", ...]
    """
    if folder.is_symlink():
        return dict.fromkeys(exercises, NOT_READ), ["it is a link"]
    verdicts, wanted, unread = {}, {}, []

    def leave_out(path, reason, keys=None):  # keys: the exercises in it, or None if nobody knows
        unread.append((os.path.relpath(path, folder), reason, keys))

    for path in notebooks_in(folder, leave_out):
        here = None
        try:
            notebook = notebook_in(path)
            here, modules = read(notebook, path.name, exercises)
            if engine and here:
                again = notebook_of(execute.executed(json.dumps(notebook), engine))
                here, modules = read(again, path.name, exercises)
        except (OSError, ValueError) as error:
            leave_out(path, getattr(error, "strerror", None) or str(error), here)
            continue
        except (AttributeError, KeyError, TypeError):
            leave_out(path, "it is not a notebook: something in it is of another kind")
            continue
        keep_better(verdicts, here)
        wanted.update((key, path) for key in exercises if key[0] in modules)
        for key in (key for key in here if here[key] == NOT_READ):
            reason = f"the cell of the check {key[1]} ran, and has no verdict that can be read"
            leave_out(path, reason, [key])
    for key in wanted.keys() - verdicts.keys():
        leave_out(wanted[key], f"the cell of the check {key[1]} is not in it", [key])
    note = folder / LEFT_OUT
    if note.is_file() and not note.is_symlink():
        for line in note.read_text("utf-8", "replace")[: 1 << 20].splitlines():
            name, _, reason = line.partition(": ")
            keys = None if name.endswith(".ipynb") else ()
            unread.append((name, f"{reason} (on the board)", keys))
    absent = exercises.keys() - verdicts.keys()
    for name, _, keys in unread:
        if keys is None:  # then those of its name's notebook, or else any that nothing else has
            keys = [key for key, one in exercises.items() if one.notebook in name] or absent
        keep_better(verdicts, dict.fromkeys(keys, NOT_READ))
    ordered = {key: verdicts.get(key, NOT_TRIED) for key in exercises}
    return ordered, [f"{name}: {reason}" for name, reason, _ in unread]


def print_table(rows, numbers):
    """Prints a line for each student, with a group of letters for each notebook.

    Args:
        rows: for each student: the name, the verdicts, and what is not read
        numbers: for each exercise, its notebook's
    """
    lines = [("notebook", dict.fromkeys(numbers))]
    for student, *verdicts, _ in rows:
        groups = dict.fromkeys(numbers, "")
        for number, one in zip(numbers, verdicts):
            groups[number] += SHORT[one]
        lines.append((student, groups.values()))
    width = max(len(name) for name, _ in lines)
    for name, groups in lines:
        print(name.ljust(width), *(group.ljust(3) for group in groups), sep="  ")


def in_a_cell(text):
    """The text in a form that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def row(texts):
    """A row of the page's table."""
    cells = [
        f"<td class='{text.replace(' ', '-') if text in VERDICTS else ''}'>{html.escape(text)}</td>"
        for text in texts
    ]
    return f"<tr>{''.join(cells)}</tr>\n"


def main(folder, option=""):
    collected = Path(folder)
    names = [one.name for one in collected.iterdir() if one.is_dir()] if collected.is_dir() else []
    names = sorted(name for name in names if not name.startswith("."))
    if not names:
        sys.exit(
            f"report: {folder} has no folder of a student's: bring the boards' notebooks "
            "there with make collect, or make a folder for each student."
        )
    exercises = all_exercises()
    source, engine = FORGED, None
    if option == "--execute":
        try:
            source, engine = EXECUTED, execute.find_engine()
        except execute.NoContainer as error:
            sys.exit(f"report: {error}")
    with ThreadPoolExecutor(os.cpu_count() if engine else 1) as pool:
        found = pool.map(lambda name: verdicts_in(collected / name, exercises, engine), names)
        students = dict(zip(names, found))
    rows = []
    for name, (verdicts, unread) in students.items():
        rows.append([printable(name), *verdicts.values(), printable("; ".join(unread), 10000)])
    print_table(rows, [one.number for one in exercises.values()])
    order = ", ".join(dict.fromkeys(name for _, name in exercises))
    print(f"R right, - not yet, ? not read, . not tried; a notebook's exercises in order: {order}.")
    for name, (_, unread) in students.items():
        for line in unread:
            print(f"not read: {printable(name)}/{printable(line, 400)}")
    headings = [f"{one.number} {name}" for (_, name), one in exercises.items()]
    rows.insert(0, ["student", *headings, "not read, because"])
    with open(collected / "report.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(map(in_a_cell, texts) for texts in rows)
    page = PAGE.format("".join(map(row, rows)), f"{source} {MISSING}")
    (collected / "report.html").write_text(page, encoding="utf-8")
    print(f"{source} {MISSING} {folder} has the same table, as report.csv and report.html.")


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"report: {error.filename}: {error.strerror}.")
