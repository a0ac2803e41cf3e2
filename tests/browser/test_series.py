"""Every notebook in a browser: as a student opens it first, without outputs, and then stepped
through, cell by cell: it shows what is stored in the kit's."""

import json
import os
import re

import pytest
from playwright.sync_api import expect
from server import ROOT, soon

CELL_SECONDS = 60  # as pyproject.toml says for make test: no cell of ours takes longer
SANITIZE = re.findall(
    "^regex: (.*)\nreplace: (.*)$",
    (ROOT / "tests" / "notebooks" / "sanitize.cfg").read_text(),
    re.M,
)
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]_*.ipynb"))
SHOTS = os.environ.get("SHOTS")  # a folder for screenshots of all cells with a picture or a widget
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
DRAWN = re.compile("<(?:svg|table)")  # in HTML
WHICH_BOARD = "import pynq; print(type(pynq.Device.active_device).__module__)"

# In JupyterLab's page, as CSS selectors: the cells, the number of a code cell's run, where a cell's
# text, outputs and errors are, what says that the kernel is ready, and the tab of what is not saved
MIME = "[data-mime-type='{}']".format
LAB = {
    "cells": ".jp-Notebook .jp-Cell",
    "prompt": ".jp-InputPrompt",
    "shown": ".jp-OutputArea-output, .jp-MarkdownOutput",
    "text": f"{MIME('application/vnd.jupyter.stdout')}, {MIME('text/plain')}",
    "error": f"{MIME('application/vnd.jupyter.error')}, {MIME('application/vnd.jupyter.stderr')}",
    "ready": ".jp-Notebook-ExecutionIndicator[data-status='idle']",
    "changed": ".lm-TabBar-tab.jp-mod-dirty",
}
# What there is to see of a cell. What a widget shows inside is its own affair.
SEE = """(cell, lab) => {
    const inside = (node, selector) => [...node.querySelectorAll(selector)];
    const all = (selector) => inside(cell, selector);
    const shown = (selector) => all(lab.shown).flatMap(node => inside(node, selector));
    const widget = '.jupyter-widgets';
    const outside = (nodes) => nodes.filter(node => !node.closest(widget));
    const text = (selector) => outside(all(selector)).map(node => node.textContent);
    const absent = (image) => !(image.complete && image.naturalWidth && image.offsetWidth);
    return {
        text: text(lab.text).join('\\n'),
        errors: text(lab.error),
        prose: all(lab.shown).map(node => node.innerText).join(''),
        pictures: outside(shown('img, svg')).length,
        tables: outside(shown('table')).length,
        absent: shown('img').filter(absent).map(image => image.alt + ' ' + image.src.slice(0, 80)),
        widgets: all(widget).filter(node => node.offsetHeight).length,
        links: shown('a').map(node => node.href),
    };
}"""


def lines(text):
    """The lines of a text, without what must differ, and without what a later part of the same line
    has overwritten."""
    text = re.sub(r"[^\n]*\r(?!\n)", "", text)
    for regex, replace in SANITIZE:
        text = re.sub(regex, replace, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def wrong_code(cell, seen, run):
    """What is wrong with what is seen of a code cell, in sentences. Until it is run, it shows
    nothing."""
    outputs = cell["outputs"] if run else []
    data = [set(output.get("data", {})) for output in outputs]
    text = "\n".join(
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for output, kinds in zip(outputs, data)
        if kinds <= {"text/plain"}
    )
    tags = cell["metadata"].get("tags", [])
    compared = not run or not {"nbval-ignore-output", "students-own"}.intersection(tags)
    if seen["errors"]:
        yield "it shows an error:\n" + "\n".join(seen["errors"])
    if compared and lines(seen["text"]) != lines(text):
        yield f"it shows\n{seen['text']}\nbut this is stored:\n{text}"
    html = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    pictures = sum(bool(PICTURES & kinds) for kinds in data) + len(DRAWN.findall(html))
    if seen["pictures"] + seen["tables"] < pictures:
        yield "a picture is not there"
    if run and "widget" in tags and not seen["widgets"]:
        yield "a widget is not there"


def wrong_prose(cell, seen):
    """What is wrong with what is seen of a cell of text, in sentences."""
    source = re.sub("```.*?```|`[^`\n]*`", "", "".join(cell["source"]), flags=re.S)
    if not seen["prose"].strip():
        yield "nothing of it is to be seen"
    if seen["pictures"] < source.count("![") + source.count("<img"):
        yield "a picture is not there"
    if len(seen["links"]) < len(re.findall(r"(?<!!)\[[^]]*\]\(", source)):
        yield "a link is not there"
    if re.search(r"\$[^$\n]+\$", source) and "$" in seen["prose"]:
        yield "its mathematics is not set"


class Window:
    """A notebook in the browser; `cells` are those of its file."""

    def __init__(self, page, server, notebook):
        self.page, self.server, self.notebook = page, server, notebook
        self.cells = json.loads((ROOT / "notebooks" / (notebook + ".ipynb")).read_text())["cells"]

    def open(self):
        address = f"{self.server.address}lab/tree/{self.notebook}.ipynb?reset"
        self.page.goto(f"{address}&token={self.server.token}")
        self.page.wait_for_selector(LAB["cells"])
        self.page.wait_for_selector(LAB["ready"], state="attached")
        cells = self.page.locator(LAB["cells"])
        assert soon(lambda: cells.count() == len(self.cells)), f"{cells.count()} cells are there"

    def cell(self, index):
        return self.page.locator(LAB["cells"]).nth(index)

    def look(self, index, run=True):
        """Is a cell to be seen as it should be? Pictures and widgets may take a moment."""
        self.cell(index).scroll_into_view_if_needed()
        cell, seen, found = self.cells[index], {}, []

        def fine():
            seen.update(self.cell(index).evaluate(SEE, LAB))
            if cell["cell_type"] == "code":
                found[:] = wrong_code(cell, seen, run)
            elif cell["cell_type"] == "markdown":
                found[:] = wrong_prose(cell, seen)
            found.extend("a picture has not loaded: " + picture for picture in seen["absent"])
            return not found

        soon(fine, 20)
        for link in {link.split("#")[0] for link in seen["links"]} - {self.page.url.split("#")[0]}:
            if link.startswith(self.server.address) and not self.page.request.get(link).ok:
                found.append("a link leads nowhere: " + link.split("?")[0])
        if found:
            pytest.fail(f"cell {cell['id']}: " + "\n".join(found), pytrace=False)
        return seen

    def step(self, index, count):
        """Shift+Enter; if it is a code cell, until it is done, as number `count` of this kernel."""
        self.page.keyboard.press("Shift+Enter")
        if count:
            prompt = self.cell(index).locator(LAB["prompt"])
            done = f"prompt => prompt.textContent.includes('[{count}]')"
            assert soon(lambda: prompt.evaluate(done), CELL_SECONDS), f"cell {index} still runs"

    def shot(self, index):
        self.cell(index).evaluate("cell => cell.scrollIntoView({block: 'center'})")
        name = f"{self.notebook}-{self.cells[index]['id']}.png"
        self.page.screenshot(path=os.path.join(SHOTS, name))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_opened_and_stepped_through(page, server, notebook):
    window = Window(page, server, notebook)
    window.open()
    for index in range(len(window.cells)):
        window.look(index, run=False)
    assert not page.locator(LAB["changed"]).count(), "opening the notebook has changed it"
    window.cell(0).click(position={"x": 5, "y": 5})
    if SHOTS:
        page.keyboard.press("Control+b")  # without the list of files
    count = 0
    for index, cell in enumerate(window.cells):
        count += cell["cell_type"] == "code"
        window.step(index, count if cell["cell_type"] == "code" else None)
        seen = window.look(index)
        tables = cell["cell_type"] == "code" and seen["tables"]
        if SHOTS and (seen["pictures"] or seen["widgets"] or tables):
            window.shot(index)
    # A new cell has come below the last one, ready for a line of one's own.
    page.keyboard.insert_text(WHICH_BOARD)
    window.step(len(window.cells), count + 1)
    said = window.cell(len(window.cells)).locator(LAB["text"])
    expect(said).to_have_text("virtual_board.device", timeout=20000)
