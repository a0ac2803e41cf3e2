"""The IOP's interrupt to Linux: asyncio code that waits for it wakes, on pynq's own classes and at
every new wait.

Each event loop runs in a thread of its own, so that nothing of it is left in pytest's. A driver is
made in the loop that waits: Python 3.8's events belong to one."""

import asyncio

import pytest
from pynq import Overlay

from helpers.drivers import devmode as driver, in_a_loop
from helpers.kit import OVERLAY, ROOT

pytestmark = pytest.mark.slow

INTERRUPT = 0x40010000  # the IOP's GPIO for it


def pulse(devmode):
    devmode.write_cmd(INTERRUPT, 1)
    devmode.write_cmd(INTERRUPT, 0)


async def within(seconds, future):
    """As asyncio.wait_for(), which in a kernel under Python 3.14 does not work: nothing there
    counts as a task."""
    done, _ = await asyncio.wait([future], timeout=seconds)
    assert done, "it did not wake"


async def wakes_for(devmode, pulses):
    """Waits for that many interrupts, one after the other; each has to be asleep first."""
    interrupt = devmode.microblaze.interrupt
    for _ in range(pulses):
        interrupt.clear()
        task = asyncio.ensure_future(interrupt.wait())
        await asyncio.sleep(0.02)
        assert not task.done()
        pulse(devmode)
        await within(60, task)
    return pulses


def test_it_wakes_again_and_again(mb_info):
    async def main():
        return await wakes_for(driver(mb_info), 20)

    assert in_a_loop(main()) == 20


def test_one_loop_after_the_other(mb_info):
    async def main():
        return await wakes_for(driver(mb_info), 3)

    assert [in_a_loop(main()) for _ in range(3)] == [3, 3, 3]


def test_two_wait_for_one(mb_info):
    async def main():
        devmode = driver(mb_info)
        first, second = devmode.microblaze.interrupt, driver(mb_info).microblaze.interrupt
        first.clear()
        tasks = [asyncio.ensure_future(waiting.wait()) for waiting in (first, second)]
        await asyncio.sleep(0.02)
        pulse(devmode)
        await asyncio.wait_for(asyncio.gather(*tasks), 20)

    in_a_loop(main())


def test_it_wakes_for_one_that_came_before(mb_info):
    async def main():
        devmode = driver(mb_info)
        devmode.microblaze.interrupt.clear()
        pulse(devmode)  # a flip-flop keeps it
        await asyncio.wait_for(devmode.microblaze.interrupt.wait(), 20)
        return await wakes_for(devmode, 2)

    assert in_a_loop(main()) == 2


def test_a_pin_that_stays_high_interrupts_again(mb_info):
    async def main():
        devmode = driver(mb_info)
        interrupt = devmode.microblaze.interrupt
        devmode.write_cmd(INTERRUPT, 1)
        for _ in range(3):
            interrupt.clear()
            await asyncio.wait_for(interrupt.wait(), 20)
        devmode.write_cmd(INTERRUPT, 0)
        return await wakes_for(devmode, 1)

    assert in_a_loop(main()) == 1


def test_nobody_waits(board, mb_info):
    """However many there were, the first who waits is woken once: clear() resets the flip-flop, but
    Linux's controller, whose inputs are edge-triggered, keeps the edge."""

    async def main():
        devmode = driver(mb_info)
        for _ in range(10):
            pulse(devmode)
        devmode.microblaze.interrupt.clear()
        await asyncio.wait_for(devmode.microblaze.interrupt.wait(), 20)
        return await wakes_for(devmode, 2)

    assert in_a_loop(main()) == 2


def test_nobody_waits_any_more(board, mb_info, capfd):
    """A loop is closed while it waits. What comes then wakes nobody, and harms nothing."""

    async def leave():
        devmode = driver(mb_info)
        devmode.microblaze.interrupt.clear()
        asyncio.ensure_future(devmode.microblaze.interrupt.wait())
        await asyncio.sleep(0.02)
        return devmode

    pulse(in_a_loop(leave()))
    overlay = Overlay(OVERLAY)  # pynq's own list of who waits is new with it

    async def main():
        return await wakes_for(driver(overlay.iop1.mb_info), 2)

    assert in_a_loop(main()) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_after_a_new_download(mb_info):
    async def main():
        info = mb_info
        for _ in range(3):
            assert await wakes_for(driver(info), 2) == 2
            info = Overlay(OVERLAY).iop1.mb_info

    in_a_loop(main())


def test_in_the_cells_of_a_notebook(any_board):
    """Each cell goes on in the kernel's own loop."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    source = """import sys; sys.path[:0] = [{root!r} + "/tests", {root!r}]
import asyncio, virtual_board
board = virtual_board.activate()
from virtual_board.test_interrupt_pin import OVERLAY, Overlay, driver, pulse, wakes_for, within
from virtual_board.pmods import PmodDevice
board.plug(PmodDevice())
devmode = driver(Overlay(OVERLAY).iop1.mb_info)
===
await wakes_for(devmode, 3)
===
devmode.microblaze.interrupt.clear()
woken = asyncio.ensure_future(devmode.microblaze.interrupt.wait())  # in the background, over several cells
===
assert not woken.done()
pulse(devmode)
===
await within(60, woken)
print(await wakes_for(devmode, 1), "more")""".format(root=str(ROOT))
    if any_board is None:
        pytest.skip("only the virtual board can tell")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in source.split("\n===\n")]
    )
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    assert [output.text for output in notebook.cells[-1].outputs] == ["1 more\n"]
