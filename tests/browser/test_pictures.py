"""The drawings in notebooks/images, as this browser draws them with the fonts of this system: no
text leaves its box."""

import pytest
from server import ROOT

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
