"""What an access to a register of a virtual peripheral takes that has to be served."""

import os
import tempfile
import time

import numpy as np

import virtual_board

from .calls import seconds
from .measure import ON_BOARD, OVERLAY, Skipped

BUDGET = 1e-4  # seconds
FLAG = 0xF010  # a word of the IOP's memory
ACCESSES = 1000
LOOP = [
    *(0xB0004000, 0x30C00000),  # start: imm 0x4000; addik r6, r0, 0     AXI GPIO
    *(0xB0000000, 0xE900F010),  # wait:  imm 0; lwi r8, r0, FLAG
    0xBC08FFF8,  #                       beqi  r8, wait
    0x30A003E8,  #                       addik r5, r0, ACCESSES
    0xF8A60000,  #               loop:   swi   r5, r6, 0                 GPIO_DATA
    0x30A5FFFF,  #                       addik r5, r5, -1
    0xBC25FFF8,  #                       bnei  r5, loop
    *(0xB0000000, 0xF800F010),  #        imm 0; swi r0, r0, FLAG
    0xB800FFDC,  #                       bri   wait
]


def rows(quick):
    """Yields (name, unit, ways, runs) of the row."""
    if ON_BOARD:
        raise Skipped("a board has real ones")
    board = virtual_board.activate()
    try:
        from pynq import Overlay
        from pynq.lib import PynqMicroblaze

        from virtual_board.pmods import Led8

        board.plug(Led8())
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "loop.bin")
            np.array(LOOP, "u4").tofile(path)
            iop = PynqMicroblaze(Overlay(OVERLAY).iop1.mb_info, path)

            def loop():
                iop.write(FLAG, 1)
                deadline = time.monotonic() + 60
                while iop.read(FLAG):
                    if time.monotonic() > deadline:
                        raise TimeoutError("the IOP did not end its loop")

            accesses = seconds(loop, 1)
            ways = {"GPIO_DATA": lambda: accesses() / ACCESSES, "the budget": BUDGET}
            yield "an access that is served", "s", ways, 2 if quick else 21
    finally:
        board.close()
