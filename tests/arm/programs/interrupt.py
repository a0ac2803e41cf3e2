"""An IOP raises its interrupt, and asyncio code that waits for it on pynq's own classes wakes, by
Linux's UIO. Both IOPs of the Pmods."""

import asyncio

from pynq import Overlay
from pynq.lib.pmod import Pmod_DevMode
from pynq.lib.pmod.constants import PMOD_SWCFG_DIOALL

INTERRUPT = 0x40010000  # the GPIO of an IOP that leads to Linux


def counted():
    with open("/proc/interrupts") as file:
        return [int(line.split()[1]) for line in file if "fabric" in line][0]


async def wait(interrupt, pin):
    before = counted()
    waiting = asyncio.ensure_future(interrupt.wait())
    await asyncio.sleep(0.5)
    assert not waiting.done(), "woke before the interrupt"
    pin(1)
    pin(0)
    await asyncio.wait_for(waiting, 60)
    interrupt.clear()
    print("woke", counted() - before)


overlay = Overlay("base.bit")
for iop in overlay.iop_pmoda, overlay.iop_pmodb:
    driver = Pmod_DevMode(iop.mb_info, PMOD_SWCFG_DIOALL)
    driver.start()

    def pin(level, driver=driver):
        driver.write_cmd(INTERRUPT, level)

    driver.microblaze.interrupt.clear()
    for _ in range(2):
        asyncio.get_event_loop().run_until_complete(wait(driver.microblaze.interrupt, pin))
