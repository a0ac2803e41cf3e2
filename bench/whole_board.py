"""What the whole board costs, with a base overlay: its start, a register, a driver's call, and
three IOPs at once."""

import contextlib
import os
import time

import virtual_board

from .boards import asleep, idle, memory
from .calls import seconds
from .measure import ON_BOARD, Skipped

IOPS = "PMODA", "PMODB", "ARDUINO"
# What the kit allows itself
BASE, REGISTER, LINE, IDLE, MEMORY = 0.1, 1e-4, 0.15, 0.005, 20 << 20
TURNS = 3 * 10**6  # of a loop in C
LOOP = """
int turn(int times) { volatile int n = 0; while (n < times) n++; return n; }
void for_ever(void) { volatile int n = 0; while (1) n++; }
"""


@contextlib.contextmanager
def base_overlay():
    board = virtual_board.activate()
    try:
        from pynq.overlays.base import BaseOverlay

        yield board, BaseOverlay("base.bit")
    finally:
        board.close()


def beyond_pynq(overlay):
    """Seconds that BaseOverlay takes beyond what pynq itself takes to read the description."""
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynqmetadata.frontends import Metadata

    bitfile, hwh = overlay.bitfile_name, os.path.splitext(overlay.bitfile_name)[0] + ".hwh"
    start = time.perf_counter()
    type(overlay)(bitfile)
    between = time.perf_counter()
    RuntimeMetadataParser(Metadata(input=hwh))
    return 2 * between - start - time.perf_counter()


def draws_a_line(board, overlay):
    """A function that draws one on a virtual OLED panel."""
    from pynq.lib.pmod import Pmod_OLED

    from virtual_board.pmods import Oled

    board.pmoda.plug(Oled())
    driver = Pmod_OLED(overlay.PMODA)
    driver.clear()
    return lambda: driver.draw_line(0, 0, 127, 31)


def loops(overlay):
    """A function of how many other IOPs loop for ever, for the seconds that one's loop takes."""
    from pynq.lib import MicroblazeRPC

    from iop import firmware

    try:
        firmware.put_on_path()
    except RuntimeError as error:
        raise Skipped(str(error)) from None
    first, *others = [MicroblazeRPC(getattr(overlay, name), LOOP) for name in IOPS]
    running = []

    def sample(beside):
        while len(running) < beside:
            running.append(others[len(running)])
            running[-1].for_ever()
        start = time.perf_counter()
        first.turn(TURNS)
        return time.perf_counter() - start

    return sample


def sleeping(board, overlay, names):
    """Has a program of each of these IOPs fall asleep. Returns the numbers of their QEMUs."""
    from iop.pynq_tutorial import Pynq_Tutorial

    for name in names:
        Pynq_Tutorial(getattr(overlay, name))
    return asleep(list(board.fabric.iops.values())[: len(names)])


def own_memory(qemus):
    """Bytes of this process and these."""
    return sum(map(memory, [os.getpid(), *qemus]))


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    if ON_BOARD:
        raise Skipped("only a PC has virtual boards")
    runs = 2 if quick else 7
    with base_overlay() as (board, overlay):
        leds = overlay.leds_gpio.mmio
        for name, access in ("write", lambda: leds.write(0, 5)), ("read", lambda: leds.read(0)):
            ways = {"of an AXI GPIO": seconds(access), "what we allow it": REGISTER}
            yield f"a register's {name}", "s", ways, runs
        draw = draws_a_line(board, overlay)
        ways = {"Pmod_OLED": seconds(draw, 1), "what we allow it": LINE}
        yield "draw_line on a virtual panel", "s", ways, runs
        ways = {"without pynq's own time": lambda: beyond_pynq(overlay), "what we allow it": BASE}
        yield "BaseOverlay", "s", ways, runs
    with base_overlay() as (board, overlay):
        before = own_memory(sleeping(board, overlay, IOPS[:1]))
        qemus = sleeping(board, overlay, IOPS)
        ways = {"three IOPs beyond one": own_memory(qemus) - before, "what we allow it": MEMORY}
        yield "memory", "bytes", ways, 1
        ways = {"three IOPs asleep": lambda: idle(qemus), "what we allow it": IDLE}
        yield "idle, part of a core", "cores", ways, runs
    with base_overlay() as (board, overlay):
        sample = loops(overlay)
        others = min(len(IOPS), os.cpu_count()) - 1
        alone = [sample(0) for _ in range(runs)]
        beside = [sample(others) for _ in range(runs)]
        ways = {f"beside {others} that loop": iter(beside).__next__, "alone": iter(alone).__next__}
        yield "a loop in an IOP", "s", ways, runs
