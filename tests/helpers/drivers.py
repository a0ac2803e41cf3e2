"""pynq's driver that reads and writes wherever it is told, and event loops for drivers that wait."""

import asyncio
import threading

from pynq.lib.pmod import PMOD_SWCFG_DIOALL, Pmod_DevMode


def devmode(mb_info):
    """pynq's program that reads and writes wherever Python tells it."""
    driver = Pmod_DevMode(mb_info, PMOD_SWCFG_DIOALL)
    driver.start()
    return driver


def in_a_loop(coroutine):
    """What a coroutine returns, executed in a new event loop that is closed then, in a new
    thread."""
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
