"""Makes what a teacher prints and projects: python3 -m teaching.sheets FOLDER

Every page is one file that needs no network. The questions come from the notebooks themselves, the
other pages from this folder. What only the teacher should see is in FOLDER/teacher/."""

import base64
import json
import mimetypes
import sys
from pathlib import Path

import mistune

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
PREDICT, ANSWER = "**Predict.**", "**Answer.**"
EXERCISES = "**Tweak.**", "**Change.**", "**Write.**"
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
{style}
</style>
<body class="{kind}">
{body}
{script}</body>
</html>
"""
NAME_AND_DATE = "<p class='name'>Name <span></span> Date <span></span></p>"


class Renderer(mistune.HTMLRenderer):
    """Makes HTML that needs no other file: pictures are in it, and links are only their text."""

    def __init__(self, folder):
        super().__init__(escape=False)
        self.folder = folder

    def image(self, text, url, title=None):
        kind, data = mimetypes.guess_type(url)[0], (self.folder / url).read_bytes()
        source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return f'<img src="{source}" alt="{mistune.escape(text)}">'

    def link(self, text, url, title=None):
        return text


def rendered(text, folder=HERE):
    return mistune.create_markdown(renderer=Renderer(folder), plugins=["table"])(text)


def cells_of(path):
    """[(a cell, its text), ...]"""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell, "".join(cell["source"])) for cell in cells]


def lines(count):
    return "<div class='line'></div>" * count


def predictions(path):
    """The sheet of a notebook: its predictions, with room to write, and its exercises."""
    number, count, heading = path.stem.partition("_")[0], 0, ""
    title, parts = "", []
    for cell, text in cells_of(path):
        if cell["cell_type"] != "markdown":
            continue
        headings = [line.lstrip("#").strip() for line in text.splitlines() if line[:1] == "#"]
        title = title or headings[0]
        heading = headings[-1] if headings else heading
        _, predict, question = text.partition(PREDICT)
        if predict:
            count += 1
            what, room = (
                f"**{number}.{count}** {question.strip()}",
                lines(5 if "Sketch" in question else 2),
            )
        elif text.startswith(EXERCISES):
            what, room = "☐ " + text, lines(1)
        else:
            continue
        first = f"<h2>{mistune.escape(heading)}</h2>" if heading else ""
        parts.append(f"<section>{first}{rendered(what, path.parent)}{room}</section>")
        heading = ""
    return title, f"<h1>{mistune.escape(title)}</h1>{NAME_AND_DATE}{''.join(parts)}"


def questions(path, answers):
    """The exit questions, with room to write or with the answers."""
    top, *sections = path.read_text(encoding="utf-8").split("\n## ")
    title = top.strip("# \n")
    parts = []
    for section in sections:
        question, _, answer = section.partition(ANSWER)
        below = f"<blockquote>{rendered(answer)}</blockquote>" if answers else lines(4)
        parts.append(f"<section>{rendered('## ' + question)}{below}</section>")
    return title, f"<h1>{title}</h1>{'' if answers else NAME_AND_DATE}{''.join(parts)}"


def slides(path):
    """[(a slide's HTML, the notes on it), ...]"""
    found = []
    for cell, text in cells_of(path):
        html = rendered(text, path.parent)
        kind = cell["metadata"].get("slideshow", {}).get("slide_type")
        if kind == "slide":
            found.append([html, ""])
        else:
            found[-1][kind == "notes"] += html
    return found


def write(path, title, body, kind="paper", script=""):
    style = (HERE / f"{kind}.css").read_text(encoding="utf-8").strip()
    page = PAGE.format(title=title, style=style, kind=kind, body=body, script=script)
    path.write_text(page, encoding="utf-8")


def main(folder):
    to = Path(folder)
    (to / "teacher").mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("[1-9]_*.ipynb")):
        write(to / f"{path.stem}.html", *predictions(path))
    write(to / "lab_card.html", "Lab card", rendered((HERE / "lab_card.md").read_text("utf-8")))
    exit_questions = HERE / "exit_questions.md"
    write(to / "exit_questions.html", *questions(exit_questions, answers=False))
    write(to / "teacher" / "exit_answers.html", *questions(exit_questions, answers=True))
    shown = slides(HERE / "first_twenty_minutes.ipynb")
    script = f"<script>\n{(HERE / 'slides.js').read_text('utf-8')}</script>\n"
    body = "".join(f"<section><div>{slide}</div></section>\n" for slide, _ in shown)
    write(to / "slides.html", "The first twenty minutes", body, "slides", script)
    notes = (f"<section>{slide}<blockquote>{note}</blockquote></section>" for slide, note in shown)
    body = "".join(notes)
    write(to / "teacher" / "slides_notes.html", "The first twenty minutes: notes", body)
    print(f"{folder}/ has pages to print, and slides.html; answers and notes are in its teacher/.")


if __name__ == "__main__":
    main(*sys.argv[1:])
