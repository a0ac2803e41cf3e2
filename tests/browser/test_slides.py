"""The slides of make sheets, opened from a disk without a network."""

import subprocess

import pytest
from server import ROOT

FITS = """() => [...document.querySelectorAll("section, pre, table")].every(
    one => one.scrollWidth <= one.clientWidth)
    && [...document.querySelectorAll("section")].every(
        one => one.firstElementChild.clientHeight <= one.clientHeight)"""


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    to = tmp_path_factory.mktemp("sheets")
    make = [str(ROOT / ".venv/bin/python"), "-B", "-m", "teaching.sheets", str(to)]
    subprocess.run(make, cwd=ROOT, check=True, timeout=60)
    return (to / "slides.html").as_uri()


@pytest.mark.parametrize("width, height", [(1280, 720), (1024, 768), (1920, 1080)])
def test_each_key_moves_by_one_slide_and_every_slide_fits(browser, slides, width, height):
    context = browser.new_context(offline=True, viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(slides)
    assert page.evaluate(FITS)
    for key, slide in [("PageUp", 0), ("ArrowRight", 1), ("PageDown", 2), (" ", 3), ("ArrowUp", 2)]:
        page.keyboard.press(key)
        page.wait_for_function(f"Math.abs(scrollY - {slide} * innerHeight) < 2", timeout=5000)
    context.close()
