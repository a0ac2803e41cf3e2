"""Prints who has solved which exercise, and writes it to report.csv and report.html:
python3 -m deploy.report collected [--execute]

The folder has one folder for each student or board, as `make collect` makes it, with notebooks at
any depth. The verdicts are the stored outputs of the cells that call a check. No student's code is
executed, so a student who edits an output by hand can forge it. With --execute, each notebook with
a check first runs again, in a container of its own without a network (deploy/execute.py), and the
verdicts are that run's. What cannot be read is "not read", and why is said.
"""

import csv
import html
import itertools
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import execute
from .collect import LEFT_OUT, notebook_in, notebook_of, printable

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LINKED = "bitstream", "iop", "mb_src"  # in notebooks/ of a checkout, without a notebook in them
DEEPEST = 30  # folders
RIGHT, NOT_YET, NOT_READ, NOT_TRIED = "right", "not yet", "not read", "not tried"
# From worst to best: of two cells with the same exercise, the better counts.
VERDICTS = NOT_TRIED, NOT_READ, NOT_YET, RIGHT
SHORT = {RIGHT: "R", NOT_YET: "-", NOT_READ: "?", NOT_TRIED: "."}
UNTOUCHED = "Not yet: fill in the cell above"
IMPORT = re.compile(
    r"^[ \t]*(?:from checks import|import checks\.)[ \t]*(\w+)|^[ \t]*from checks\.(\w+)", re.M
)
CALL = re.compile(r"\b(?:checks\s*\.\s*(\w+)|check)\s*\.\s*(\w+)\s*\(")
COMMENT = re.compile(r"#.*")
SAYS = re.compile(r"(Right|Not yet): .*")
ANSI = re.compile(r"(\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z\\^_]")
FORGED = "The verdicts are the outputs that are stored in the notebooks, which can be forged."
EXECUTED = (
    "The verdicts are the outputs of a new run of each notebook, in a container without a "
    "network; code that is written to deceive a check can still do so."
)
MISSING = (
    "A notebook that is not in a student's folder counts as not tried, because make collect "
    "brings no others than those that were changed."
)


class Exercise:
    """One of the kit's: its notebook's number and name, its check's module and name, and what is
    stored as its check's verdict before anybody has done anything."""

    def __init__(self, path, module, name, untouched):
        self.number, self.notebook = path.name.partition("_")[0], path.stem
        self.module, self.name, self.untouched = module, name, untouched


def all_exercises():
    """{(checks' module, check's name): Exercise}, in the order of the notebooks."""
    return {
        tuple(key): Exercise(path, *key, (lines_of(cell) or [""])[-1])
        for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
        for cell in code_cells(notebook_in(path))
        for key in [named(cell)]
        if key
    }


def code_cells(notebook):
    """A notebook's cells of code. ValueError, with the reason, if it has something else."""
    cells = notebook["cells"]
    if not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("it is not a notebook: a cell of it is none")
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def joined(text):
    """A notebook's text, which is a string or a list of them, as a string. ValueError if it is
    neither."""
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        return "".join(text)
    if not isinstance(text, str):
        raise ValueError(f"it has {type(text).__name__} in the place of text")
    return text


def named(cell):
    """(checks' module, check's name) that a cell's metadata names, which editors keep; or None"""
    try:
        module, name = cell["metadata"]["pynq_tutorial"]["check"].split(".")
        return module, name
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def outputs_of(cell):
    outputs = cell.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise ValueError("it is not a notebook: an output of it is none")
    return outputs


def lines_of(cell):
    """What a cell printed that may be a check's verdict, line by line."""
    text = ""
    for output in outputs_of(cell):
        if "text" in output and output.get("name") != "stderr":
            text += joined(output["text"])
        elif isinstance(output.get("data"), dict):
            text += "\n" + joined(output["data"].get("text/plain", "")) + "\n"
    lines = re.split(r"[\r\n]+", ANSI.sub("", text))
    # A student's print(..., end="") may stand before the verdict, but only if nothing else does.
    return [line for line in map(str.strip, lines) if SAYS.match(line)] or [
        found.group() for found in map(SAYS.search, lines) if found
    ]


def exercises_of(cell, source, module, exercises):
    """The exercises whose checks a cell calls, in order. module: the checks' that the notebook's
    cells before it imported last, or that belongs to the notebook's name"""
    calls = CALL.findall(COMMENT.sub("", source))
    keys = [key for key in ((of or module, name) for of, name in calls) if key in exercises]
    return list(dict.fromkeys(keys)) or [key for key in [named(cell)] if key in exercises]


def verdicts_of(cell, keys, exercises):
    """{exercise: its verdict} of a cell that calls these exercises' checks."""
    lines = lines_of(cell)
    if len(keys) > 1 and len(lines) == len(keys):
        return {key: verdict([line], cell, exercises[key]) for key, line in zip(keys, lines)}
    if len(keys) > 1 and lines:
        return dict.fromkeys(keys, NOT_READ)  # whose the verdicts are, cannot be known
    return {key: verdict(lines, cell, exercises[key]) for key in keys}


def verdict(lines, cell, exercise):
    """One of VERDICTS, by the last of the lines that a check printed."""
    if lines and (lines[-1] == exercise.untouched or lines[-1].startswith(UNTOUCHED)):
        return NOT_TRIED
    if lines:
        return RIGHT if lines[-1].startswith("Right") else NOT_YET
    if any(output.get("output_type") == "error" for output in outputs_of(cell)):
        return NOT_YET
    return NOT_READ if outputs_of(cell) or cell.get("execution_count") else NOT_TRIED


def read(notebook, name, exercises):
    """({exercise: its verdict}, {checks' module of which the notebook should have all}) of a
    notebook. ValueError, with the reason, if it is not one. name: its file's"""
    modules = [exercise.module for exercise in exercises.values() if exercise.notebook in name]
    found = {}
    for cell in code_cells(notebook):
        source = joined(cell.get("source"))
        modules += filter(None, itertools.chain.from_iterable(IMPORT.findall(source)))
        keys = exercises_of(cell, source, modules[-1] if modules else None, exercises)
        for key, here in verdicts_of(cell, keys, exercises).items():
            found[key] = max(found.get(key, NOT_TRIED), here, key=VERDICTS.index)
    return found, {*modules, *(module for module, _ in found)}


def notebooks_in(folder, leave_out):
    """The paths of the notebooks in a student's folder. Calls leave_out(path, reason)."""
    for place, folders, names in os.walk(
        str(folder), onerror=lambda error: leave_out(error.filename, error.strerror)
    ):
        # .ipynb_checkpoints has older versions, and the solutions are the kit's.
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "solutions")
        for name in folders:
            if os.path.islink(os.path.join(place, name)) and name not in LINKED:
                leave_out(os.path.join(place, name), "it is a link", None)
        if len(Path(place).relative_to(folder).parts) >= DEEPEST and folders:
            leave_out(place, "it has folders in it, and is in too many itself")
            folders.clear()
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".ipynb"))


def verdicts_in(folder, exercises, engine=None):
    """({exercise: its verdict}, ["name: why it is not read", ...]) of the notebooks in a student's
    folder; engine: the program that runs containers, if they are to be executed"""
    found, unread, wanted = {}, [], {}

    def leave_out(path, reason, keys=()):  # keys: the exercises in it; () if that is not known
        unread.append((os.path.relpath(str(path), str(folder)), reason, keys))

    if folder.is_symlink():
        return dict.fromkeys(exercises, NOT_READ), ["it is a link"]
    for path in notebooks_in(folder, leave_out):
        here = ()
        try:
            notebook = notebook_in(path)
            here, modules = read(notebook, path.name, exercises)
            if engine and here:
                again = execute.executed(json.dumps(notebook), engine)
                here, modules = read(notebook_of(again), path.name, exercises)
        except ValueError as error:
            leave_out(path, str(error), tuple(here))
            continue
        for key, verdict_here in here.items():
            found[key] = max(found.get(key, NOT_TRIED), verdict_here, key=VERDICTS.index)
            if verdict_here == NOT_READ:
                leave_out(
                    path,
                    f"the cell of the check {key[1]} ran, and has no verdict that can be read",
                    [key],
                )
        wanted.update((key, path) for key in exercises if key[0] in modules)
    for key in wanted.keys() - found.keys():
        leave_out(wanted[key], f"the cell of the check {key[1]} is not in it", [key])
    note = folder / LEFT_OUT
    if note.is_file() and not note.is_symlink():
        for line in note.read_text(encoding="utf-8", errors="replace")[: 1 << 20].splitlines():
            name, _, reason = line.partition(": ")
            keys = () if name.endswith(".ipynb") else None
            unread.append((name, f"{reason} (on the board)", keys))
    verdicts = {key: found.get(key, NOT_TRIED) for key in exercises}
    for name, _, keys in unread:
        if keys == ():  # then those of its name's notebook, or else any that nothing else has
            keys = [
                key for key in exercises if exercises[key].notebook in name
            ] or exercises.keys() - found.keys()
        for key in keys or ():
            verdicts[key] = max(verdicts[key], NOT_READ, key=VERDICTS.index)
    return verdicts, [f"{name}: {reason}" for name, reason, _ in unread]


def in_a_cell(text):
    """The text in a form that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def print_table(students, exercises):
    """A line for each student, with a group of letters for each notebook; then what is not read."""
    groups = {}
    for key, exercise in exercises.items():
        groups.setdefault(exercise.number, []).append(key)
    width = max(map(len, list(students) + ["notebook"]))
    numbers = [number.ljust(len(group)) for number, group in groups.items()]
    print("  ".join(["notebook".ljust(width)] + numbers))
    for student, (verdicts, _) in students.items():
        letters = ["".join(SHORT[verdicts[key]] for key in group) for group in groups.values()]
        print("  ".join([printable(student).ljust(width)] + letters))
    shown = {verdict for verdicts, _ in students.values() for verdict in verdicts.values()}
    print(
        f"R right, - not yet, {'? not read, ' if NOT_READ in shown else ''}. not tried; "
        "the exercises of a notebook in its order: "
        f"{', '.join(dict.fromkeys(exercise.name for exercise in exercises.values()))}."
    )
    for student, (_, unread) in students.items():
        for line in unread:
            print(f"not read: {printable(student)}/{printable(line, 400)}")


def headings(exercises):
    return [f"{exercise.number} {exercise.name}" for exercise in exercises.values()]


def write_csv(path, students, exercises):
    with open(str(path), "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student"] + headings(exercises) + ["not read, because"])
        for student, (verdicts, unread) in students.items():
            reasons = in_a_cell(printable("; ".join(unread), 10000))
            table.writerow([in_a_cell(printable(student))] + list(verdicts.values()) + [reasons])


def write_html(path, students, exercises, source):
    def row(tag, texts):
        cells = [
            f"<{tag} class='{text.replace(' ', '-') if text in VERDICTS else ''}'>"
            f"{html.escape(text)}</{tag}>"
            for text in texts
        ]
        return f"<tr>{''.join(cells)}</tr>"

    rows = [row("th", ["student"] + headings(exercises))]
    rows += [
        row("td", [printable(student)] + list(verdicts.values()))
        for student, (verdicts, _) in students.items()
    ]
    unread = [
        f"<li>{html.escape(printable(f'{student}/{line}', 600))}</li>"
        for student, (_, lines) in students.items()
        for line in lines
    ]
    unread = f"<h2>Not read</h2><ul>{''.join(unread)}</ul>" if unread else ""
    rows = "\n".join(rows)
    path.write_text(
        f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Exercises</title>
<style>
body {{ font-family: sans-serif }} table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #999; padding: .3em .6em }}
.right {{ background: #cfc }} .not-yet {{ background: #fec }} .not-read {{ background: #fcc }}
.not-tried {{ color: #777 }}
</style>
<h1>Exercises</h1>
<table>
{rows}
</table>
<p>{source} {MISSING}</p>
{unread}
</html>
""",
        encoding="utf-8",
    )


def main(folder, option=""):
    collected = Path(folder)
    students = (
        sorted(
            path.name
            for path in collected.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )
        if collected.is_dir()
        else []
    )
    if not students:
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
        found = pool.map(lambda name: verdicts_in(collected / name, exercises, engine), students)
        table = dict(zip(students, found))
    print_table(table, exercises)
    write_csv(collected / "report.csv", table, exercises)
    write_html(collected / "report.html", table, exercises, source)
    print(f"{source} {MISSING} {folder} has the same table, as report.csv and report.html.")


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"report: {error.filename}: {error.strerror}.")
