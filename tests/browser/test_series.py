"""Every notebook in a browser: as it is opened first, with its stored outputs, and stepped through,
cell by cell."""

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
SHOTS = os.environ.get("SHOTS")  # a folder for screenshots of all cells with a picture or a widget
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
# what Jupyter shows of a notebook that came from elsewhere
UNTRUSTED = {"text/plain", "image/png", "image/jpeg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
WHICH_BOARD = "import pynq; print(type(pynq.Device.active_device).__module__)"

# What there is to see of a cell. What a widget shows inside is its own affair.
SEE = """(cell, front_end) => {
    const inside = (node, selector) => [...node.querySelectorAll(selector)];
    const all = (selector) => inside(cell, selector);
    const shown = (selector) => all(front_end.shown).flatMap(node => inside(node, selector));
    const widget = '.jupyter-widgets, .jupyter-widgets-view';
    const outside = (nodes) => nodes.filter(node => !node.closest(widget));
    const text = (selector) => outside(all(selector)).map(node => node.textContent);
    const absent = (image) => !(image.complete && image.naturalWidth && image.offsetWidth);
    return {
        text: text(front_end.text).join('\\n'),
        errors: text(front_end.error),
        prose: all(front_end.shown).map(node => node.innerText).join(''),
        pictures: outside(shown('img, svg')).length,
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
    """What is wrong with what is seen of a code cell, in sentences. Until it is run, some outputs
    may show as their text."""
    outputs, count = cell["outputs"], len(cell["outputs"])
    if not run:
        outputs = [output for output in outputs if set(output.get("data", {})) <= UNTRUSTED]
    data = [set(output.get("data", {})) for output in outputs]
    text = "\n".join(
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for output, kinds in zip(outputs, data)
        if kinds <= {"text/plain"}
    )
    compared = "nbval-ignore-output" not in cell["metadata"].get("tags", [])
    if seen["errors"]:
        yield "it shows an error:\n" + "\n".join(seen["errors"])
    if compared and len(outputs) == count and lines(seen["text"]) != lines(text):
        yield f"it shows\n{seen['text']}\nbut this is stored:\n{text}"
    if seen["pictures"] < sum(bool(PICTURES & kinds) for kinds in data):
        yield "a picture is not there"
    if seen["widgets"] < sum(WIDGET in kinds for kinds in data):
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
        self.page, self.server, self.front_end = page, server, server.front_end
        self.notebook = notebook
        self.cells = json.loads((ROOT / "notebooks" / (notebook + ".ipynb")).read_text())["cells"]

    def open(self):
        path = self.front_end["path"].format(self.notebook)
        self.page.goto(f"{self.server.address}{path}&token={self.server.token}")
        self.page.wait_for_selector(self.front_end["cells"])
        self.page.wait_for_selector(self.front_end["ready"], state="attached")
        expect(self.page.locator(self.front_end["cells"])).to_have_count(len(self.cells))

    def cell(self, index):
        return self.page.locator(self.front_end["cells"]).nth(index)

    def look(self, index, run=True):
        """Is a cell to be seen as it should be? Pictures and widgets may take a moment."""
        self.cell(index).scroll_into_view_if_needed()
        cell, seen, found = self.cells[index], {}, []

        def fine():
            seen.update(self.cell(index).evaluate(SEE, self.front_end))
            is_code = cell["cell_type"] == "code"
            found[:] = wrong_code(cell, seen, run) if is_code else wrong_prose(cell, seen)
            found.extend("a picture has not loaded: " + picture for picture in seen["absent"])
            return not found

        soon(fine, 5)
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
            prompt = self.cell(index).locator(self.front_end["prompt"])
            done = f"prompt => prompt.textContent.includes('[{count}]')"
            assert soon(lambda: prompt.evaluate(done), CELL_SECONDS), f"cell {index} still runs"

    def shot(self, index):
        self.cell(index).evaluate("cell => cell.scrollIntoView({block: 'center'})")
        name = f"{self.server.name}-{self.notebook}-{self.cells[index]['id']}.png"
        self.page.screenshot(path=os.path.join(SHOTS, name))


@pytest.fixture
def window(page, server, notebook):
    return Window(page, server, notebook)


def test_as_it_is_opened_first(window):
    window.open()
    for index in range(len(window.cells)):
        window.look(index, run=False)


def test_stepped_through(window, server, notebook):
    path = server.notebooks / (notebook + ".ipynb")
    bare = json.loads(path.read_text())
    for cell in bare["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)  # so that all that is seen was made now
    path.write_text(json.dumps(bare))
    window.open()
    window.cell(0).click(position={"x": 5, "y": 5})
    if SHOTS and server.name.startswith("lab"):
        window.page.keyboard.press("Control+b")  # without the list of files
    count = 0
    for index, cell in enumerate(window.cells):
        count += cell["cell_type"] == "code"
        window.step(index, count if cell["cell_type"] == "code" else None)
        seen = window.look(index)
        if SHOTS and (seen["pictures"] or seen["widgets"]):
            window.shot(index)
    # A new cell has come below the last one, ready for a line of one's own.
    window.page.keyboard.insert_text(WHICH_BOARD)
    window.step(len(window.cells), count + 1)
    said = window.cell(len(window.cells)).locator(server.front_end["text"])
    expect(said).to_have_text("virtual_board.device")
