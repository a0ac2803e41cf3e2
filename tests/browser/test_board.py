"""The picture of the board in a notebook follows it, also while a cell runs, and a click presses
and switches there."""

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
    """import asyncio
async def answer():
    await base.buttons[1].wait_for_value_async(1)
    base.rgbleds[4].write(5)
task = asyncio.ensure_future(answer())""",
    """import time
base.leds[1].on()
time.sleep(3)
print("switches", base.switches.read(), task.done())""",
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
    expect(page.locator(LAB["prompt"]).nth(1)).to_have_text("[2]:")
    page.get_by_role("button", name="BTN1").click()
    shown("LD4 is magenta")
    run(2)
    shown("LD1 is on")
    expect(page.locator(LAB["prompt"]).nth(2)).to_have_text("[*]:")  # while that cell runs
    expect(page.locator(".jp-OutputArea-output").last).to_have_text("switches 2 True\n")
    if SHOTS:
        page.screenshot(path=os.path.join(SHOTS, "board.png"))
