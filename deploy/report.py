"""Prints who has solved which exercise, and writes it to report.csv, report.html and feedback.txt:
python3 -m deploy.report collected [--execute]

The folder has one folder for each student or board, as `make collect` makes it, with notebooks at
any depth, or what a learning platform's download unpacks to. The verdicts are the stored outputs of
the cells that call a check, which a student can forge. With --execute, they are those of a new run
in a container (deploy/execute.py). Of a notebook that cannot be read it prints "not read", and why.
"""

import functools
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iop.verdicts import NOT_READ, NOT_TRIED, exercises_in, keep_better, predicted, read, written

from . import execute, table
from .collect import DEEPEST, LARGEST, LEFT_OUT, notebook_of, printable

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LINKED = "bitstream", "iop", "mb_src"  # in notebooks/ of a checkout, without a notebook in them
FORGED = "The verdicts are the outputs that are stored in the notebooks, which can be forged."
EXECUTED = "The verdicts are those of a new run; code written to deceive a check can still do so."
MISSING = "A notebook that is not there counts as not tried: make collect brings only changed ones."
NOBODYS = "it is in no student's folder, and its name does not begin with a student's: move it"
PACKED = ".zip", ".7z", ".rar", ".tar", ".gz", ".tgz"
UNPACK = "it is packed: unpack it there, and type the same command again"
HANDED_IN = (".ipynb", *PACKED)
FROM_A_MAC = "__MACOSX"  # in archives from there, beside what the user packed
NOT_THEIRS = "solutions", FROM_A_MAC
# What Moodle and Canvas add to a student's name: Ada Lovelace_123_assignsubmission_file_ is a
# folder's, or the beginning of a file's, and lovelaceada_LATE_123_456_ the beginning of a file's.
ADDED = re.compile(r"(?:_LATE)?(_\d+)_(?:\d+_|assignsubmission_file(?:_|$))")


@functools.lru_cache(maxsize=None)
def kits_notebooks():
    """{name: notebook}"""
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    return {path.stem: notebook_of(path.read_bytes()) for path in paths}


def all_exercises():
    """{(checks' module, check's name): Exercise}, in the order of the notebooks."""
    return exercises_in(kits_notebooks(), as_they_came=True)


def all_predictions():
    """The names of the predictions that the notebooks ask for."""
    cells = [cell for notebook in kits_notebooks().values() for cell in notebook["cells"]]
    return {predicted(cell) for cell in cells} - {None}


def students_in(collected):
    """Who handed in what: {a student's name: (a folder, the student's files in it, or None for all
    of them)}, and the files that are nobody's."""
    students, nobodys = {}, []
    for path in sorted(collected.iterdir()) if collected.is_dir() else []:
        name, added = path.name, ADDED.search(path.name)
        if name.startswith(".") or name == FROM_A_MAC:
            continue
        if added and (path.is_file() or added.end() == len(name)):
            name = name[: added.start()] + added.group(1)
        if path.is_dir():
            students[path.name if name in students else name] = path, None
        elif path.suffix in HANDED_IN and added:
            students.setdefault(name, (collected, []))[1].append(path)
        elif path.suffix in HANDED_IN:
            nobodys.append(path)
    return students, nobodys


def notebooks_in(folder, leave_out):
    """The paths of the notebooks in a student's folder. Calls leave_out(path, reason)."""
    walk = os.walk(folder, onerror=lambda error: leave_out(error.filename, error.strerror))
    for place, folders, names in walk:
        # .ipynb_checkpoints has older versions.
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in NOT_THEIRS)
        for path in (Path(place, name) for name in folders if name not in LINKED):
            if path.is_symlink():
                leave_out(path, "it is a link", ())
        if len(Path(place).relative_to(folder).parts) >= DEEPEST and folders:
            leave_out(place, "it has folders in it, and is in too many itself")
            folders.clear()
        yield from (Path(place, name) for name in sorted(names) if name.endswith(HANDED_IN))


def notebook_in(path):
    """The notebook in a file. ValueError or OSError, with the reason, if there is none."""
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is a link" if path.is_symlink() else "it is not a file")
    if path.suffix in PACKED:
        raise ValueError(UNPACK)
    with open(path, "rb") as file:
        return notebook_of(file.read(LARGEST + 1))


def verdicts_in(folder, exercises, engine=None, files=None):
    """Reads a student's notebooks.

    Args:
        exercises: those of `all_exercises`
        engine: the program that runs containers, if the notebooks are to be executed
        files: those in the folder that are the student's; without it, all are

    Returns:
        {exercise: its verdict}, ["name: why it is not read", ...], and {a written prediction, ...}
    """
    if folder.is_symlink():
        return dict.fromkeys(exercises, NOT_READ), ["it is a link"], set()
    verdicts, wanted, unread, predictions = {}, {}, [], set()

    def leave_out(path, reason, keys=None):  # keys: the exercises in it, or None if nobody knows
        unread.append((os.path.relpath(path, folder), reason, keys))

    for path in files or notebooks_in(folder, leave_out):
        here = None
        try:
            notebook = notebook_in(path)
            here, modules = read(notebook, path.name, exercises)
            predictions |= written(notebook)
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
    for key in [key for key in wanted if key not in verdicts]:
        leave_out(wanted[key], f"the cell of the check {key[1]} is not in it", [key])
    note = folder / LEFT_OUT
    if not files and note.is_file() and not note.is_symlink():
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
    return ordered, [f"{name}: {reason}" for name, reason, _ in unread], predictions


def main(folder, option=""):
    collected = Path(folder)
    handed_in, nobodys = students_in(collected)
    nobodys = [f"{path.name}: {UNPACK if path.suffix in PACKED else NOBODYS}" for path in nobodys]
    if not handed_in:
        sys.exit(
            f"report: {folder} has no folder of a student's: bring the boards' notebooks "
            "there with make collect, or make a folder for each student."
            + "".join(f"\n{printable(line, 400)}" for line in nobodys)
        )
    exercises, asked = all_exercises(), all_predictions()
    source, engine = FORGED, None
    if option == "--execute":
        try:
            source, engine = EXECUTED, execute.find_engine()
        except execute.NoContainer as error:
            sys.exit(f"report: {error}")
    with ThreadPoolExecutor(os.cpu_count() if engine else 1) as pool:
        read = [(place, exercises, engine, files) for place, files in handed_in.values()]
        found = list(pool.map(lambda one: verdicts_in(*one), read))
    students = [
        table.Student(
            printable(name), verdicts, len(written & asked), [printable(one, 400) for one in unread]
        )
        for name, (verdicts, unread, written) in zip(handed_in, found)
    ]
    columns = students, exercises, len(asked)
    table.print_table(*columns)
    for line in nobodys:
        print(f"not read: {printable(line, 400)}")
    table.write_csv(collected / "report.csv", *columns)
    table.write_page(collected / "report.html", *columns, f"{source} {MISSING}")
    lines = [table.feedback(one, exercises, len(asked)) + "\n" for one in students]
    (collected / "feedback.txt").write_text("".join(lines), encoding="utf-8")
    print(
        f"{source} {MISSING} {folder} has the same table, as report.csv and report.html, and "
        "feedback.txt, with a line for each student."
    )


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"report: {error.filename}: {error.strerror}.")
