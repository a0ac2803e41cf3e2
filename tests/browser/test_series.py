"""Every notebook in a browser: as it is opened first, with its stored outputs, and stepped through,
cell by cell."""

import functools
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
    const all = (selector) => [...cell.querySelectorAll(selector)];
    const shown = (selector) => all(front_end.shown).flatMap(node => [...node.querySelectorAll(selector)]);
    const widget = '.jupyter-widgets, .jupyter-widgets-view';
    const text = (selector) => all(selector).filter(node => !node.closest(widget)).map(node => node.textContent);
    const absent = (image) => !(image.complete && image.naturalWidth && image.offsetWidth);
    return {
        text: text(front_end.text).join('\\n'),
        errors: text(front_end.error),
        prose: all(front_end.shown).map(node => node.innerText).join(''),
        pictures: shown('img, svg').filter(node => !node.closest(widget)).length,
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
    outputs = (
        cell["outputs"]
        if run
        else [output for output in cell["outputs"] if set(output.get("data", {})) <= UNTRUSTED]
    )
    data = [set(output.get("data", {})) for output in outputs]
    text = "\n".join(
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for output in outputs
        if set(output.get("data", {})) <= {"text/plain"}
    )
    if seen["errors"]:
        yield "it shows an error:\n" + "\n".join(seen["errors"])
    if (
        lines(seen["text"]) != lines(text)
        and len(outputs) == len(cell["outputs"])
        and "nbval-ignore-output" not in cell["metadata"].get("tags", [])
    ):
        yield "it shows\n{}\nbut this is stored:\n{}".format(seen["text"], text)
    if seen["pictures"] < sum(bool(PICTURES & each) for each in data):
        yield "a picture is not there"
    if seen["widgets"] < sum(WIDGET in each for each in data):
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
        self.page, self.server, self.front_end, self.notebook = (
            page,
            server,
            server.front_end._asdict(),
            notebook,
        )
        self.cells = json.loads((ROOT / "notebooks" / (notebook + ".ipynb")).read_text())["cells"]

    def open(self):
        self.page.goto(
            "{}{}&token={}".format(
                self.server.address, self.front_end["path"].format(self.notebook), self.server.token
            )
        )
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
            found[:] = (
                wrong_code(cell, seen, run)
                if cell["cell_type"] == "code"
                else wrong_prose(cell, seen)
            )
            found.extend("a picture has not loaded: " + picture for picture in seen["absent"])
            return not found

        soon(fine, 5)
        for link in {link.split("#")[0] for link in seen["links"]} - {self.page.url.split("#")[0]}:
            if link.startswith(self.server.address) and not self.leads_somewhere(link):
                found.append("a link leads nowhere: " + link.split("?")[0])
        if found:
            pytest.fail("cell {}: {}".format(cell["id"], "\n".join(found)), pytrace=False)
        return seen

    @functools.lru_cache()
    def leads_somewhere(self, link):
        return self.page.request.get(link).ok

    def step(self, index, count):
        """Shift+Enter; if it is a code cell, until it is done, as number `count` of this kernel."""
        self.page.keyboard.press("Shift+Enter")
        if count:
            prompt = self.cell(index).locator(self.front_end["prompt"])
            done = f"prompt => prompt.textContent.includes('[{count}]')"
            if not soon(lambda: prompt.evaluate(done), CELL_SECONDS):
                pytest.fail(
                    "cell {}: it still runs after {} seconds".format(
                        self.cells[index]["id"], CELL_SECONDS
                    ),
                    pytrace=False,
                )

    def shot(self, index):
        self.cell(index).evaluate("cell => cell.scrollIntoView({block: 'center'})")
        self.page.screenshot(
            path=os.path.join(
                SHOTS,
                "{}-{}-{}.png".format(
                    self.server.front_end.name, self.notebook, self.cells[index]["id"]
                ),
            )
        )


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
    if SHOTS and server.front_end.name.startswith("lab"):
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
    expect(window.cell(len(window.cells)).locator(server.front_end.text)).to_have_text(
        "virtual_board.device"
    )
