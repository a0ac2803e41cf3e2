"""What a cell of C takes that begins with %%microblaze: to compile it, and to call its function
beside a call of write_to_buffer."""

import timeit

import virtual_board
from iop import firmware

from .calls import BY_ADDRESS, CALLS, FIRST
from .measure import OVERLAY, Skipped, in_turn, row

BUDGET = 0.5  # seconds to compile a cell
CELL = "int add(int a, int b) { return a + b; }"


def rows(quick):
    """Yields (name, function that returns the row) of each."""
    try:
        firmware.put_on_path()
    except RuntimeError as error:
        reason = str(error)

        def skipped():
            raise Skipped(reason)

        yield "cells", skipped
        return
    board = virtual_board.activate()
    try:
        from pynq import Overlay, allocate
        from pynq.lib import MicroblazeRPC

        from iop.pynq_tutorial import Pynq_Tutorial

        overlay = Overlay(OVERLAY)
        iop, buffer = Pynq_Tutorial(overlay.iop1.mb_info), allocate((10,), "u4")
        runs = 2 if quick else 21

        def cell():
            return MicroblazeRPC(overlay.iop1, CELL)

        def compiling():
            cell()  # the first finds less in Linux's cache of files
            return row(
                "s",
                dict(
                    in_turn(
                        {"a cell of one function": lambda: timeit.timeit(cell, number=1)}, runs
                    ),
                    **{"the budget": BUDGET},
                ),
            )

        def each(function):
            function()  # not counted: the program has just been started
            return timeit.timeit(function, number=CALLS) / CALLS

        def call():
            program = cell()
            return each(lambda: program.add(1, 2))

        def write_to_buffer():
            iop.reset()
            return each(lambda: iop.write_to_buffer(buffer.physical_address, 10, FIRST))

        yield "compiling and loading", compiling
        yield (
            "a call and its result",
            lambda: row(
                "s", in_turn({"add(1, 2)": call, BY_ADDRESS + ", 10 words": write_to_buffer}, runs)
            ),
        )
    finally:
        if board is not None:
            board.close()
