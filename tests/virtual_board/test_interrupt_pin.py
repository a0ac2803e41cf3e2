"""The IOP's interrupt to Linux: asyncio code that waits for it wakes, on pynq's own classes and at
every new wait. A driver is made in the loop that waits: Python 3.8's events belong to one."""

import asyncio

import pytest
from pynq import Overlay

from helpers.drivers import INTERRUPT, devmode, in_a_loop, pulse, wakes_for, within
from helpers.kit import OVERLAY, ROOT

pytestmark = pytest.mark.slow

CELLS = [
    f"""import asyncio, sys, virtual_board
sys.path[:0] = [{str(ROOT / "tests")!r}]
from helpers.drivers import devmode, pulse, wakes_for, within
board = virtual_board.activate()
from pynq import Overlay
driver = devmode(Overlay({OVERLAY!r}).iop1.mb_info)""",
    "await wakes_for(driver, 3)",
    """driver.microblaze.interrupt.clear()
woken = asyncio.ensure_future(driver.microblaze.interrupt.wait())  # goes on in the next cells""",
    "assert not woken.done(); pulse(driver)",
    "await within(60, woken); await wakes_for(driver, 1)",
]


async def again_and_again(driver, mb_info):
    await wakes_for(driver, 20)


async def two_wait(driver, mb_info):
    other = devmode(mb_info).microblaze.interrupt
    waits = [driver.microblaze.interrupt.wait(), other.wait()]
    both = asyncio.ensure_future(asyncio.gather(*waits))
    await asyncio.sleep(0.02)
    pulse(driver)
    await within(60, both)


async def pulses_before_the_wait(driver, mb_info):
    """The first wait ends at once: clear() resets the flip-flop, but Linux's controller, whose
    inputs are edge-triggered, keeps the edge."""
    for _ in range(10):
        pulse(driver)
    driver.microblaze.interrupt.clear()
    await within(60, asyncio.ensure_future(driver.microblaze.interrupt.wait()))


async def a_pin_that_stays_high(driver, mb_info):
    driver.write_cmd(INTERRUPT, 1)
    for _ in range(3):
        driver.microblaze.interrupt.clear()
        await within(60, asyncio.ensure_future(driver.microblaze.interrupt.wait()))
    driver.write_cmd(INTERRUPT, 0)


@pytest.mark.parametrize(
    "scenario", [again_and_again, two_wait, pulses_before_the_wait, a_pin_that_stays_high]
)
def test_it_wakes(mb_info, scenario):
    """Also in a second event loop, and after a new download."""

    async def main(mb_info):
        driver = devmode(mb_info)
        driver.microblaze.interrupt.clear()
        await scenario(driver, mb_info)
        await wakes_for(driver, 2)

    in_a_loop(main(mb_info))
    in_a_loop(main(mb_info))
    in_a_loop(main(Overlay(OVERLAY).iop1.mb_info))


def test_nobody_waits_any_more(mb_info, capfd):
    """A loop is closed while it waits. What comes then wakes nobody, and harms nothing."""

    async def leave():
        driver = devmode(mb_info)
        driver.microblaze.interrupt.clear()
        asyncio.ensure_future(driver.microblaze.interrupt.wait())
        await asyncio.sleep(0.02)
        return driver

    pulse(in_a_loop(leave()))
    overlay = Overlay(OVERLAY)  # pynq's own list of who waits is new with it

    async def main():
        await wakes_for(devmode(overlay.iop1.mb_info), 2)

    in_a_loop(main())
    assert "Traceback" not in capfd.readouterr().err


def test_in_the_cells_of_a_notebook(board):
    """Each cell goes on in the kernel's own loop."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)))
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
