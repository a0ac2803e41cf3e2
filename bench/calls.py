"""What a call of write_to_buffer and one of a C function take, beside other ways to do the same.

A call names the buffer by its physical address, as the notebooks' do, or gives the buffer itself.
"""

import contextlib
import timeit

import numpy as np

import virtual_board

from .measure import OVERLAY, Skipped

LOOPED = 10**5  # words; a Python loop over more is measured on these and counted in proportion
CALLS = 20  # a sample: so few that most are over before Linux gives the core to something else
LOOKS = 10**7  # at the mailbox before a poll by hand gives up
BY_ADDRESS = "by address"
CELL = "int add(int a, int b) { return a + b; }"
CELL_BUDGET = 0.5  # seconds to compile and load a cell


@contextlib.contextmanager
def board_with_overlay():
    """pynq's overlay, on a board or a virtual one that ends with the block."""
    board = virtual_board.activate()
    try:
        from pynq import Overlay  # only now: there must be a device when it is imported

        yield Overlay(OVERLAY)
    finally:
        if board is not None:
            board.close()


def seconds(function, calls=CALLS):
    """A function that returns the seconds a call takes, without the first one."""

    def sample():
        function()  # not counted: a program that slept wakes
        return timeit.timeit(function, number=calls) / calls

    return sample


def by_hand(write, read, start, address):
    """The same request as write_to_buffer makes for 10 words, without its checks.

    Args:
        write, read: a word of the mailbox, which begins at start.
    """
    write(start + 4, 10)
    write(start + 8, 1)
    write(start, address)
    for _ in range(LOOKS):
        if not read(start):
            return
    raise TimeoutError("the IOP did not answer")


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    with board_with_overlay() as overlay:
        from pynq import allocate
        from pynq.lib import Pmod

        from iop.pynq_tutorial import MAILBOX, PROGRAM, Pynq_Tutorial

        pmod = Pmod(overlay.iop1.mb_info, PROGRAM)
        iop = Pynq_Tutorial(overlay.iop1.mb_info)  # the last to start the program
        buffer = allocate((10**7,), np.uint32)
        address = buffer.physical_address
        mmio = pmod.mmio
        mailbox = pmod.write_mailbox, pmod.read_mailbox

        ways = {
            BY_ADDRESS: seconds(lambda: iop.write_to_buffer(address, 10, 1)),
            "by buffer": seconds(lambda: iop.write_to_buffer(buffer, 10, 1)),
            "3 MMIO writes and a poll loop": seconds(
                lambda: by_hand(mmio.write, mmio.read, MAILBOX, address)
            ),
            "Pmod's mailbox calls": seconds(lambda: by_hand(*mailbox, 0, address)),
        }
        yield "write_to_buffer, 10 words", "s", ways, 2 if quick else 51
        for words in 1000, buffer.size:
            yield f"filling {words:,} words", "s", filling(iop, buffer, words), 2 if quick else 15
        buffer.freebuffer()


def filling(iop, buffer, words):
    """The ways to fill so many words."""
    looped = min(words, LOOPED)

    def loop():
        for i in range(looped):
            buffer[i] = 1 + i

    def arange():
        buffer[:words] = np.arange(1, 1 + words, dtype=np.uint32)

    python = seconds(loop, 1)
    return {
        BY_ADDRESS: seconds(lambda: iop.write_to_buffer(buffer.physical_address, words, 1), 3),
        f"Python loop, {looped:,} words x {words // looped}": lambda: python() * words / looped,
        "numpy.arange": seconds(arange, 3),
    }


def cells(quick):
    """Yields (name, unit, ways, runs) of a cell's compilation and of a call of its function."""
    from iop import firmware

    try:
        firmware.put_on_path()
    except RuntimeError as error:
        raise Skipped(str(error)) from None
    with board_with_overlay() as overlay:
        from pynq import allocate
        from pynq.lib import MicroblazeRPC

        from iop.pynq_tutorial import Pynq_Tutorial

        iop, buffer = Pynq_Tutorial(overlay.iop1.mb_info), allocate((10,), "u4")
        runs = 2 if quick else 21

        def compile_and_load():
            return MicroblazeRPC(overlay.iop1, CELL)

        def add():
            program = compile_and_load()
            return seconds(lambda: program.add(1, 2))()

        def write_to_buffer():
            iop.reset()
            return seconds(lambda: iop.write_to_buffer(buffer.physical_address, 10, 1))()

        compiling = {"one function": seconds(compile_and_load, 1), "the budget": CELL_BUDGET}
        yield "compiling and loading", "s", compiling, runs
        calling = {"add(1, 2)": add, "write_to_buffer, 10 words": write_to_buffer}
        yield "a call and its result", "s", calling, runs
