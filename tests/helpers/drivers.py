"""pynq's driver that reads and writes wherever it is told, the IOP's interrupt, and event loops for
drivers that wait for it."""

import asyncio
import threading

from pynq.lib.pmod import PMOD_SWCFG_DIOALL, Pmod_DevMode

INTERRUPT = 0x40010000  # the IOP's GPIO for its interrupt to Linux


def devmode(mb_info):
    """pynq's program that reads and writes wherever Python tells it."""
    driver = Pmod_DevMode(mb_info, PMOD_SWCFG_DIOALL)
    driver.start()
    return driver


def pulse(driver):
    """Makes the IOP interrupt Linux."""
    driver.write_cmd(INTERRUPT, 1)
    driver.write_cmd(INTERRUPT, 0)


async def within(seconds, future):
    """As asyncio.wait_for(), which in a kernel under Python 3.14 does not work: nothing there
    counts as a task."""
    done, _ = await asyncio.wait([future], timeout=seconds)
    assert done, "it did not wake"


async def wakes_for(driver, pulses):
    """Waits for that many interrupts, one after the other; each has to be asleep first."""
    for _ in range(pulses):
        driver.microblaze.interrupt.clear()
        task = asyncio.ensure_future(driver.microblaze.interrupt.wait())
        await asyncio.sleep(0.02)
        assert not task.done()
        pulse(driver)
        await within(60, task)


def in_a_loop(coroutine):
    """Executes a coroutine in a new event loop in a new thread, so that nothing of it is left in
    pytest's. Returns what it returns."""
    results = []

    def run():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            results.append(loop.run_until_complete(asyncio.wait_for(coroutine, 120)))
        except BaseException as error:
            results.append(error)
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
            loop.close()
            asyncio.set_event_loop(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def wakes(*steps):
    """For each (coroutine, cause): it waits until that is called, and then returns."""

    async def main():
        for waiting, cause in steps:
            task = asyncio.ensure_future(waiting())
            await asyncio.sleep(0.05)
            assert not task.done()
            cause()
            await asyncio.wait_for(task, 60)

    in_a_loop(main())
