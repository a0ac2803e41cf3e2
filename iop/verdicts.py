"""Reads in a notebook's stored outputs which exercises are right: for a student's own start page
(start_here.py), and for a class (deploy/report.py). Nothing is executed, and only notebooks are
read, as json.load() gives them."""

import re
from collections import namedtuple

RIGHT, NOT_YET, NOT_READ, NOT_TRIED = "right", "not yet", "not read", "not tried"
NOT_CHECKED = "not checked"  # there is an answer, and its check has not run since
# From worst to best: of two cells with the same exercise, the better counts.
VERDICTS = NOT_TRIED, NOT_CHECKED, NOT_READ, NOT_YET, RIGHT
# What a check says of an answer that is as the notebook came
UNTOUCHED = "Not yet: fill in the cell above, then run both again."
MODULE = re.compile(r"\bchecks\s*(?:\.|\bimport\b)\s*(\w+)")
CALL = re.compile(r"\bcheck(?:s\s*\.\s*\w+)?\s*\.\s*(\w+)\s*\(")
COMMENT = re.compile(r"#.*")
SAYS = re.compile(r"(Right|Not yet): .*")

# The number and the name of its notebook, and the answer's cell as it came, or None if nobody knows
Exercise = namedtuple("Exercise", "number notebook answer")


def exercises_in(notebooks, as_they_came=False):
    """{(checks' module, check's name): Exercise}, in the order of the notebooks.

    Args:
        notebooks: {name: notebook}
        as_they_came: whether nobody has filled in an answer
    """
    return {
        named(cell): Exercise(name.partition("_")[0], name, tidy(before) if as_they_came else None)
        for name, notebook in notebooks.items()
        for before, cell in zip([{}] + code_cells(notebook), code_cells(notebook))
        if named(cell)
    }


def tidy(cell):
    """A cell's source, without the white space that editors change."""
    return "\n".join(map(str.rstrip, "".join(cell.get("source", "")).splitlines())).strip()


def written(notebook):
    """The predictions that somebody wrote, as "memory.1", by their cells' metadata."""
    return {predicted(cell) for cell in notebook["cells"] if tidy(cell)} - {None}


def predicted(cell):
    """The prediction that a cell is for, as "memory.1", or None"""
    return cell.get("metadata", {}).get("pynq_tutorial", {}).get("predict")


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]


def named(cell):
    """(checks' module, check's name) that a cell's metadata names, which editors keep; or None"""
    name = cell.get("metadata", {}).get("pynq_tutorial", {}).get("check")
    return name and tuple(name.split("."))


def text_of(output):
    """What a terminal would show of an output."""
    if "text" in output:
        return "".join(output["text"])
    # Unlike a stream, it has a line of its own.
    return "\n" + "".join(output.get("data", {}).get("text/plain", "")) + "\n"


def lines_of(cell):
    """What a cell printed that may be a check's verdict, line by line."""
    outputs = [one for one in cell.get("outputs", []) if one.get("name") != "stderr"]
    lines = re.split(r"[\r\n]+", "".join(map(text_of, outputs)))
    # A student's print(..., end="") may stand before the verdict, but only if nothing else does.
    return [line for line in map(str.strip, lines) if SAYS.match(line)] or [
        found.group() for found in map(SAYS.search, lines) if found
    ]


def answered(answer, exercise):
    """Whether somebody filled in the cell of an answer."""
    text = tidy(answer)
    if exercise.answer is not None:
        return text not in ("", exercise.answer)
    code = COMMENT.sub("", text)  # of a program in C, nobody knows here what was in it
    return bool(code.strip()) and "..." not in code and not code.startswith("%%")


def verdict(line, cell, exercise, answer):
    """One of VERDICTS.

    Args:
        line: the line of the cell's output that is the check's, or "" if there is none
        answer: the cell with the answer
    """
    unchecked = NOT_CHECKED if answered(answer, exercise) else NOT_TRIED
    if line == UNTOUCHED:
        return unchecked
    if line:
        return RIGHT if line.startswith("Right") else NOT_YET
    if any(output.get("output_type") == "error" for output in cell.get("outputs", [])):
        return NOT_YET
    return NOT_READ if cell.get("outputs") or cell.get("execution_count") else unchecked


def keep_better(verdicts, more):
    for key, one in more.items():
        verdicts[key] = max(verdicts.get(key, NOT_TRIED), one, key=VERDICTS.index)


def read(notebook, name, exercises):
    """Reads the verdicts in a notebook.

    Args:
        name: the name of the notebook's file, which tells whose exercises should be in it
        exercises: those of `all_exercises`

    Returns:
        {exercise: its verdict}, and the set of the checks' modules that the notebook uses. All
        exercises of these modules should be in it.
    """
    modules = [module for (module, _), one in exercises.items() if one.notebook in name]
    found, answer = {}, {}
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code":
            answer = {}  # it comes between the text of its exercise and the check
            continue
        source = COMMENT.sub("", "".join(cell["source"]))
        modules += MODULE.findall(source)
        called = [(modules[-1], check) for check in CALL.findall(source)] if modules else []
        keys = [key for key in dict.fromkeys(called) if key in exercises]
        keys = keys or [key for key in [named(cell)] if key in exercises]
        lines = lines_of(cell)
        if len(keys) > 1 and lines and len(lines) != len(keys):
            here = dict.fromkeys(keys, NOT_READ)  # nobody knows which check printed which verdict
        else:
            pairs = zip(keys, lines[-len(keys) :] or [""] * len(keys))
            here = {key: verdict(line, cell, exercises[key], answer) for key, line in pairs}
        keep_better(found, here)
        if tidy(cell):  # an empty one may be somewhere in between
            answer = cell
    return found, {*modules, *(module for module, _ in found)}
