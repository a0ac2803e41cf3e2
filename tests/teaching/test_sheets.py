"""What make sheets makes: all questions, in pages that need nothing else, and the answers apart."""

import json
import re
import sys

import pytest

from helpers.kit import ROOT, make, run_program
from teaching.sheets import rendered

LESSONS = sorted((ROOT / "notebooks").glob("[1-9]_*.ipynb"))
LOADS = re.compile(r"<(?:link|iframe|script)\b[^>]*>|\b(?:src|href)=.[^\"']*|url\(|@import")


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """{a page's name: its text}"""
    to = tmp_path_factory.mktemp("sheets")
    run = run_program(sys.executable, "-m", "teaching.sheets", str(to))
    assert run.returncode == 0, run.stdout
    return {str(path.relative_to(to)): path.read_text() for path in to.rglob("*.html")}


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_prediction_and_every_exercise_is_on_its_notebooks_sheet(sheets, lesson):
    cells = json.loads(lesson.read_text())["cells"]
    asked = [cell for cell in cells if "predict" in cell["metadata"].get("pynq_tutorial", {})]
    page = sheets[f"{lesson.stem}.html"]
    numbers = re.findall(r"<strong>(\d\.\d+)</strong>", page)
    assert numbers == [f"{lesson.name[0]}.{count}" for count in range(1, len(asked) + 1)]
    assert re.findall(r"☐ <strong>(\w+)\.", page) == ["Tweak", "Change", "Write"]
    sections = page.split("<section>")[1:]
    assert len(sections) == len(asked) + 3 and all("class='line'" in one for one in sections)
    assert "Name <span></span> Date <span></span>" in page


def test_no_page_needs_another_file_a_network_or_a_script(sheets):
    for name, page in sheets.items():
        scripts = ["<script>"] if name == "slides.html" else []
        loads = [one for one in LOADS.findall(page) if not one[5:].startswith("data:image/svg+xml")]
        assert loads == scripts, name
    assert sheets["slides.html"].count('src="data:') == 2
    assert rendered("[a link](6_safety.ipynb)") == "<p>a link</p>\n"


def test_what_students_see_has_neither_answers_nor_notes(sheets):
    for_all, teachers = sheets["exit_questions.html"], sheets["teacher/exit_answers.html"]
    assert for_all.count("<h2>") == teachers.count("<h2>") == teachers.count("<blockquote>") == 7
    cells = json.loads((ROOT / "teaching" / "first_twenty_minutes.ipynb").read_text())["cells"]
    notes = [cell for cell in cells if cell["metadata"]["slideshow"]["slide_type"] == "notes"]
    notes = ["".join(cell["source"]).replace("\n", " ")[:40] for cell in notes]
    assert len(notes) == sheets["slides.html"].count("<section>")
    said = text_of(sheets["teacher/slides_notes.html"])
    assert [note for note in notes if note not in said] == []
    shown = text_of("".join(page for name, page in sheets.items() if "teacher/" not in name))
    hidden = [*notes, *re.findall(r"<blockquote>(.*?)\.", teachers, re.S)]
    assert [one for one in hidden if text_of(one).strip() in shown] == []


def test_clean_knows_every_sheet(sheets):
    listed = make("--no-print-directory", "-n", "clean").stdout
    assert [name for name in sheets if f" sheets/{name} " not in listed] == []
