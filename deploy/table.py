"""Writes what make report found out: the printed table, report.csv, report.html, and feedback.txt
with a line for each student."""

import csv
import html
from collections import namedtuple

from iop.verdicts import NOT_CHECKED, NOT_READ, NOT_TRIED, NOT_YET, RIGHT, VERDICTS

from .collect import printable

SHORT = {RIGHT: "R", NOT_YET: "-", NOT_CHECKED: "~", NOT_READ: "?", NOT_TRIED: "."}
LEGEND = ", ".join(f"{letter} {verdict}" for verdict, letter in SHORT.items())
# For a right answer, by the kind of exercise; docs/teaching.md has the rubric
POINTS = {"tweak": 1, "change": 2, "write": 3}
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Exercises</title>
<style>
@page {{ size: A4; margin: 15mm }}
body {{ font-family: sans-serif }} table {{ border-collapse: collapse; margin-bottom: 1em }}
th, td {{ border: 1px solid #999; padding: .3em .5em; text-align: left }}
td:first-child {{ min-width: 9em }} td:first-child, p {{ overflow-wrap: anywhere }}
th, b, td + td {{ white-space: nowrap }}
tr {{ break-inside: avoid }} b {{ font: 1.1em monospace; padding: 0 .15em }}
.right {{ background: #cfc }} .not-yet {{ background: #fec }} .not-read {{ background: #fcc }}
.not-checked {{ background: #cef }}
@media print {{ body {{ font-size: 9pt; margin: 0 }} }}
</style>
<h1>Exercises</h1>
<table>{}</table>
<p>{}</p>
{}
</html>
"""

# verdicts: {exercise: its verdict}; predictions: how many are written; unread: [why, ...]
Student = namedtuple("Student", "name verdicts predictions unread")


def points(verdicts):
    return sum(POINTS[name] for (_, name), one in verdicts.items() if one == RIGHT)


def groups(verdicts, exercises):
    """{a notebook's number: [(the name of an exercise in it, its verdict), ...]}"""
    found = {}
    for key, one in verdicts.items():
        found.setdefault(exercises[key].number, []).append((key[1], one))
    return found


def letters(student, exercises):
    """A student's verdicts, with a word of letters for each notebook."""
    notebooks = groups(student.verdicts, exercises).values()
    return ["".join(SHORT[verdict] for _, verdict in one) for one in notebooks]


def print_table(students, exercises, predictions):
    numbers = dict.fromkeys(one.number for one in exercises.values())
    lines = [["notebook", *numbers, "predictions", "points"]]
    for one in students:
        counted = f"{one.predictions} of {predictions}"
        found = letters(one, exercises)
        lines.append([printable(one.name, 40), *found, counted, str(points(one.verdicts))])
    width = max(len(line[0]) for line in lines)
    for name, *cells in lines:
        print(name.ljust(width), *(cell.ljust(3) for cell in cells[:-1]), cells[-1], sep="  ")
    order = ", ".join(dict.fromkeys(name for _, name in exercises))
    print(f"{LEGEND}; a notebook's exercises in order: {order}.")
    for one in students:
        for line in one.unread:
            print(f"not read: {one.name}/{line}")


def in_a_cell(text):
    """The text in a form that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_csv(path, students, exercises, predictions):
    headings = [f"{one.number} {name}" for (_, name), one in exercises.items()]
    rows = [["student", *headings, "predictions", "points", "not read, because"]]
    for one in students:
        counted = f"{one.predictions} of {predictions}", str(points(one.verdicts))
        rows.append([one.name, *one.verdicts.values(), *counted, "; ".join(one.unread)])
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(map(in_a_cell, row) for row in rows)


def row(cells, kind="td"):
    return "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in cells) + "</tr>\n"


def letter(number, name, verdict):
    kind = verdict.replace(" ", "-")
    return f"<b class='{kind}' title='{number} {name}: {verdict}'>{SHORT[verdict]}</b>"


def write_page(path, students, exercises, predictions, source):
    numbers = dict.fromkeys(one.number for one in exercises.values())
    rows = [row(["student", *numbers, "predictions", "points"], "th")]
    for one in students:
        notebooks = groups(one.verdicts, exercises).items()
        found = ["".join(letter(number, *each) for each in of) for number, of in notebooks]
        counted = f"{one.predictions} of {predictions}", points(one.verdicts)
        rows.append(row([html.escape(one.name), *found, *counted]))
    unread = [html.escape(f"{one.name}/{line}") for one in students for line in one.unread]
    below = "".join(f"<p>not read: {line}</p>\n" for line in unread)
    most = points(dict.fromkeys(exercises, RIGHT))
    kinds = ", ".join(f"{name} {count}" for name, count in POINTS.items())
    text = f"{LEGEND}. At most {most} points: {kinds}. {source}"
    page = PAGE.format("".join(rows), text, below)
    path.write_text(page, encoding="utf-8")


def feedback(student, exercises, predictions):
    """The line for a student."""
    most = points(dict.fromkeys(exercises, RIGHT))
    said = [f"{points(student.verdicts)} of {most} points"]
    for verdict in reversed(VERDICTS):
        found = [key for key, one in student.verdicts.items() if one == verdict]
        if found:
            names = ", ".join(f"{exercises[key].number} {key[1]}" for key in found)
            said.append(f"{verdict}: {len(found) if verdict == NOT_TRIED else names}")
    said.append(f"predictions: {student.predictions} of {predictions}")
    return f"{student.name}: {'; '.join(said)}."
