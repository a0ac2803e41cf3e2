"""Prints who has solved which exercise, and writes it to report.csv and report.html: python3 -m deploy.report collected [--execute]

The folder has one folder for each student or board, as `make collect` makes it, with notebooks at any depth. The verdicts are the
stored outputs of the cells that call a check. No student's code is executed, so a student who edits an output by hand can forge
it. With --execute, each notebook with a check first runs again, in a container of its own without a network (deploy/execute.py),
and the verdicts are that run's.
"""

import csv
import html
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import execute
from .changed import LARGEST

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CHECKS = re.compile(r"^from checks import (\w+) as check$", re.M)
CALL = re.compile(r"^check\.(\w+)\(", re.M)
RIGHT, NOT_YET, NOT_TRIED = "right", "not yet", "not tried"
VERDICTS = NOT_TRIED, NOT_YET, RIGHT  # from worst to best: of two notebooks with the same exercise, the better counts
SHORT = {RIGHT: "R", NOT_YET: "-", NOT_TRIED: "."}
UNTOUCHED = "Not yet: fill in the cell above"
FORGED = "The verdicts are the outputs that are stored in the notebooks, which can be forged."
EXECUTED = ("The verdicts are the outputs of a new run of each notebook, in a container without a network; code that is written to deceive "
            "a check can still do so.")


def joined(text):
    """A notebook's text, which is a string or a list of strings, as a string. ValueError if it is neither."""
    text = "".join(text) if isinstance(text, list) and all(isinstance(part, str) for part in text) else text
    if not isinstance(text, str):
        raise ValueError("it has {} in the place of text".format(type(text).__name__))
    return text


def contents(path):
    """A notebook's text. ValueError, with the reason, if it cannot be read."""
    if not path.is_file() or path.is_symlink():
        raise ValueError("it is not a file")
    if path.stat().st_size > LARGEST:
        raise ValueError("it has more than {} MB".format(LARGEST >> 20))
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(error.strerror) from None


def code_cells(text):
    """[(source, what it printed, or the name of its error), ...] of a notebook. ValueError, with the reason, if the text is not one's."""
    try:
        cells = json.loads(text)["cells"]
        return [(joined(cell["source"]), "".join(joined(output.get("text", output.get("ename", ""))) for output in cell["outputs"]))
                for cell in cells if cell["cell_type"] == "code"]
    except ValueError:
        raise
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
        raise ValueError("it is not a notebook ({})".format(type(error).__name__)) from None


def exercises_in(cells):
    """{(checks' module, check's name): the cell's output} of a notebook's cells."""
    module = next((found.group(1) for found in (CHECKS.search(source) for source, _ in cells) if found), None)
    found = ((CALL.search(source), printed) for source, printed in cells)
    return {(module, call.group(1)): printed for call, printed in found if module and call}


def all_exercises():
    """{(checks' module, check's name): (number of the notebook, check's name, the cell's output in the kit's own notebook)}, in the
    order of the notebooks."""
    return {exercise: (path.name.partition("_")[0], exercise[1], printed)
            for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) for exercise, printed in exercises_in(code_cells(contents(path))).items()}


def verdict(printed, untouched):
    """The verdict of a check's output, one of VERDICTS. untouched: the output before anybody has done anything"""
    if not printed or printed == untouched or printed.startswith(UNTOUCHED):
        return NOT_TRIED
    return RIGHT if printed.startswith("Right: ") else NOT_YET


def verdicts_in(folder, exercises, engine=None):
    """({exercise: its verdict}, ["name: why it cannot be read", ...]) of the notebooks in a student's folder; engine: the program that
    runs containers, if they are to be executed."""
    verdicts, unread = dict.fromkeys(exercises, NOT_TRIED), []
    for place, folders, names in os.walk(str(folder)):
        # .ipynb_checkpoints has older versions, and the solutions are the kit's.
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "solutions")
        for path in (Path(place, name) for name in sorted(names) if name.endswith(".ipynb")):
            try:
                text = contents(path)
                found = exercises_in(code_cells(text))
                if engine and found:
                    found = exercises_in(code_cells(execute.executed(text, engine)))
            except ValueError as error:
                unread.append("{}: {}".format(path.relative_to(folder), error))
                continue
            for exercise in found.keys() & verdicts.keys():
                here = verdict(found[exercise], exercises[exercise][2])
                verdicts[exercise] = max(verdicts[exercise], here, key=VERDICTS.index)
    return verdicts, unread


def printable(text):
    """The text without characters that would control a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def in_a_cell(text):
    """The text in a form that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def print_table(students, exercises):
    """A line for each student, with a group of letters for each notebook."""
    groups = {}
    for exercise, (number, _, _) in exercises.items():
        groups.setdefault(number, []).append(exercise)
    width = max(map(len, list(students) + ["notebook"]))
    print("  ".join(["notebook".ljust(width)] + [number.ljust(len(group)) for number, group in groups.items()]))
    for student, (verdicts, _) in students.items():
        print("  ".join([printable(student).ljust(width)] + ["".join(SHORT[verdicts[exercise]] for exercise in group)
                                                             for group in groups.values()]))
    print("R right, - not yet, . not tried; the exercises of a notebook in its order: {}.".format(
        ", ".join(dict.fromkeys(name for _, name, _ in exercises.values()))))


def headings(exercises):
    return ["{} {}".format(number, name) for number, name, _ in exercises.values()]


def write_csv(path, students, exercises):
    with open(str(path), "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student"] + headings(exercises))
        table.writerows([in_a_cell(printable(student))] + list(verdicts.values()) for student, (verdicts, _) in students.items())


def write_html(path, students, exercises, source):
    def row(tag, texts):
        return "<tr>{}</tr>".format("".join("<{0} class='{1}'>{2}</{0}>".format(tag, text.replace(" ", "-") if text in VERDICTS else "",
                                                                               html.escape(text)) for text in texts))

    rows = [row("th", ["student"] + headings(exercises))]
    rows += [row("td", [printable(student)] + list(verdicts.values())) for student, (verdicts, _) in students.items()]
    unread = ["<li>{}</li>".format(html.escape(printable("{}/{}".format(student, line))))
              for student, (_, lines) in students.items() for line in lines]
    path.write_text("""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Exercises</title>
<style>
body {{ font-family: sans-serif }} table {{ border-collapse: collapse }} th, td {{ border: 1px solid #999; padding: .3em .6em }}
.right {{ background: #cfc }} .not-yet {{ background: #fec }} .not-tried {{ color: #777 }}
</style>
<h1>Exercises</h1>
<table>
{}
</table>
<p>{}</p>
{}
</html>
""".format("\n".join(rows), source, "<h2>Not read</h2><ul>{}</ul>".format("".join(unread)) if unread else ""), encoding="utf-8")


def main(folder, option=""):
    collected = Path(folder)
    students = sorted(path.name for path in collected.iterdir() if path.is_dir() and not path.is_symlink()) \
        if collected.is_dir() else []
    if not students:
        sys.exit("report: {} has no folder of a student's: bring the boards' notebooks there with make collect, or make a folder for "
                 "each student.".format(folder))
    exercises = all_exercises()
    source, engine = FORGED, None
    if option == "--execute":
        try:
            source, engine = EXECUTED, execute.find_engine()
        except execute.NoContainer as error:
            sys.exit("report: {}".format(error))
    with ThreadPoolExecutor(os.cpu_count() if engine else 1) as pool:
        found = pool.map(lambda student: verdicts_in(collected / student, exercises, engine), students)
        table = dict(zip(students, found))
    print_table(table, exercises)
    for student, (_, unread) in table.items():
        for line in unread:
            print(printable("not read: {}/{}".format(student, line)))
    write_csv(collected / "report.csv", table, exercises)
    write_html(collected / "report.html", table, exercises, source)
    print("{} {} has the same table, as report.csv and report.html.".format(source, folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
