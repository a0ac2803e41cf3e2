"""The drawings in notebooks/images, as this browser draws them with the fonts of this system: no
text leaves its box. And those of iop/pictures.py on a narrow, dark page with a large font."""

import json
import subprocess

import pytest
from playwright.sync_api import expect
from server import ROOT, soon

# Texts that begin inside a rectangle, and reach out of the smallest one that they begin in.
OUTSIDE = """() => {
    const all = name => [...document.querySelectorAll(name)];
    const box = node => node.getBoundingClientRect();
    const begins = (words, box) => box.left <= words.left + 1 && words.left < box.right
        && box.top <= words.top + 4 && words.top + 4 < box.bottom;
    return all('text').filter(text => {
        const words = box(text), boxes = all('rect').map(box).filter(box => begins(words, box));
        const area = box => box.width * box.height;
        const [around] = boxes.sort((one, other) => area(one) - area(other));
        return !around || words.right > around.right || words.bottom > around.bottom + 1;
    }).map(text => text.textContent);
}"""


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "notebooks" / "images").glob("*.svg")), ids=lambda path: path.stem
)
def test_no_text_leaves_its_box(browser, picture):
    page = browser.new_page(viewport={"width": 800, "height": 800})
    page.set_content(f"<style>svg {{width: 800px}} body {{margin: 0}}</style>{picture.read_text()}")
    assert page.evaluate(OUTSIDE) == []
    page.close()


# Prints {function: HTML}, with numbers of ten digits and long names.
DRAW = """
import json
import numpy as np
from types import SimpleNamespace
from iop import pictures

found = {}
def show(name, *args, **options):
    pictures.display = lambda picture: found.update({name: picture._repr_html_()})
    getattr(pictures, "draw_" + name)(*args, **options)

long = np.full(12, 4294967295, np.uint32)
buffers = {"image": (0x18000000, 1 << 22), "second": (0x18400000, 1 << 21)}
show("words", {"a long name of a row": long}, expected=range(12))
show("mailbox", {"now": [4294967292, 4294967295, 4294967295, 1]})
show("leds", {"now": 0xA5})
show("ddr", {name: SimpleNamespace(physical_address=at, nbytes=size)
             for name, (at, size) in buffers.items()}, strays=[(0x8000, 4)])
show("image", long.reshape(3, 4))
show("signal", [0, 4294967295])
show("curves", [1, 10**7], {"Python loop": [1e-6, 10], "IOP": [1e-6, 1]})
print(json.dumps(found))
"""
PAGE = """<!DOCTYPE html><body style="margin: 0; background: #111; color: #eee; font-size: 21px">
<div id="cell" style="width: 450px; overflow: hidden">{}</div>"""
# How far the drawing reaches beyond the cell, where nothing scrolls; how many of its texts begin to
# the left of it; their sizes; and how many are black
MEASURE = """() => {
    const cell = document.querySelector('#cell');
    const texts = [...cell.querySelectorAll('text, th, span')];
    const styles = texts.map(text => getComputedStyle(text));
    const colors = styles.map((style, at) => texts[at].closest('svg') ? style.fill : style.color);
    return {
        beyond: cell.scrollWidth - cell.clientWidth,
        left: texts.filter(text => text.getBoundingClientRect().left < 0).length,
        sizes: [...new Set(styles.map(style => style.fontSize))],
        black: colors.filter(color => color === 'rgb(0, 0, 0)').length,
    };
}"""

READY = ".jp-Notebook-ExecutionIndicator[data-status='idle']"


@pytest.fixture(scope="module")
def drawn():
    run = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-c", DRAW],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", "words mailbox leds ddr image signal curves".split())
def test_a_drawing_grows_with_the_font_and_stays_in_a_narrow_cell(browser, drawn, name):
    page = browser.new_page(viewport={"width": 620, "height": 800})
    page.set_content(PAGE.format(drawn[name]))
    found = page.evaluate(MEASURE)
    assert found == {"beyond": 0, "left": 0, "sizes": ["21px"], "black": 0}
    page.close()


def test_a_notebook_that_is_not_trusted_has_the_words_alone(page, server, drawn):
    """JupyterLab takes SVG out, and would leave the texts in it in one row."""
    output = {"output_type": "display_data", "data": {"text/html": drawn["signal"]}, "metadata": {}}
    cell = {"cell_type": "code", "id": "drawn", "source": "1 + 1", "metadata": {}}
    cell.update(execution_count=5, outputs=[output])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}}
    notebook.update(nbformat=4, nbformat_minor=5)
    (server.notebooks / "untrusted.ipynb").write_text(json.dumps(notebook))
    page.goto(f"{server.address}lab/tree/untrusted.ipynb?reset&token={server.token}")
    page.wait_for_selector(
        "[data-status='idle']", state="attached"
    )  # a kernel that starts ends late
    shown = page.locator(".jp-RenderedHTML")
    expect(shown).to_have_text("the same in words", use_inner_text=True)
    shown.locator("summary").click()
    expect(shown).to_contain_text("2 words, from 0 to 4294967295: 0 4294967295")
    # a kernel that is still starting would end late
    page.wait_for_selector(READY, state="attached")
    assert soon(server.is_idle, 60)
    page.locator(".jp-Notebook .cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output")).to_have_text("2")
