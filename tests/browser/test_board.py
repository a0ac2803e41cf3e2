"""The picture of the board in a notebook follows it, and a click presses and switches there, also
while a cell runs."""

import json
import os

from playwright.sync_api import expect
from server import soon
from test_series import LAB, SHOTS

CELLS = (
    """from virtual_board import activate
board = activate()
from pynq.overlays.base import BaseOverlay
base = BaseOverlay("base.bit")
base.leds[2].on()
board.show()""",
    """import time
end = time.monotonic() + 60
while not base.buttons[1].read() and time.monotonic() < end:
    time.sleep(0.01)
base.rgbleds[4].write(5)
print("switches", base.switches.read(), "buttons", base.buttons.read())""",
)


def notebook():
    cells = [dict(cell_type="code", id=f"cell-{n}", source=text) for n, text in enumerate(CELLS)]
    cells = [dict(cell, execution_count=None, outputs=[], metadata={}) for cell in cells]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return dict(cells=cells, metadata={"kernelspec": kernel}, nbformat=4, nbformat_minor=5)


def test_the_board_is_shown_and_moved(page, server):
    (server.notebooks / "board.ipynb").write_text(json.dumps(notebook()))
    page.goto(f"{server.address}lab/tree/board.ipynb?reset&token={server.token}")
    page.wait_for_selector(LAB["ready"], state="attached")
    assert soon(server.is_idle, 60)

    def run(number):
        page.locator(".jp-Notebook .cm-content").nth(number).click()
        page.keyboard.press("Shift+Enter")

    def shown(text):
        expect(page.get_by_role("img", name=text)).to_be_visible(timeout=30000)

    run(0)
    shown("LD2 is on")
    page.get_by_role("button", name="SW1").click()
    shown("SW1 is on")
    run(1)
    expect(page.locator(LAB["prompt"]).nth(1)).to_have_text("[*]:")
    page.get_by_role("button", name="BTN1").click()
    shown("LD4 is magenta")
    expect(page.locator(".jp-OutputArea-output").last).to_have_text("switches 2 buttons 2\n")
    if SHOTS:
        page.screenshot(path=os.path.join(SHOTS, "board.png"))
