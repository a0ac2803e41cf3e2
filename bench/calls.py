"""What a call of write_to_buffer and one of a C function take, beside other ways to do the same.

A call names the buffer by its physical address, as the notebooks' do, or gives the buffer itself.
The process has as many objects as a notebook's kernel, because what an address takes could depend
on that.
"""

import contextlib
import gc
import time
import timeit

import numpy as np

import virtual_board

from .measure import OVERLAY, Skipped

OBJECTS = 300000  # that Python's garbage collector lists in a kernel that has drawn something
LONGEST = 10**7  # words
LOOPED = 10**5  # words; a Python loop over more is measured on these and counted in proportion
CALLS = 20  # a sample: so few that most are over before Linux gives the core to something else
LOOKS = 10**7  # at the mailbox before a poll by hand gives up
NO_BUFFER = 0x1000  # an address of Linux's
BY_ADDRESS, BY_BUFFER, BY_HAND = "by address", "by buffer", "3 MMIO writes and a poll loop"
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


def by_hand(mailbox, mmio, address, words):
    """The same request as write_to_buffer makes, without its checks."""
    mmio.write(mailbox.ARRAY_LENGTH, words)
    mmio.write(mailbox.INIT_DATA, 1)
    mmio.write(mailbox.BUFFER_ADDR, address)
    for _ in range(LOOKS):
        if not mmio.read(mailbox.BUFFER_ADDR):
            return
    raise TimeoutError("the IOP did not answer")


def by_pmod(pmod, address, words):
    """The mailbox calls of pynq's own class for a Pmod, and a loop that waits."""
    pmod.write_mailbox(4, words)
    pmod.write_mailbox(8, 1)
    pmod.write_mailbox(0, address)
    for _ in range(LOOKS):
        if not pmod.read_mailbox(0):
            return
    raise TimeoutError("the IOP did not answer")


def rows(quick):
    """Yields (name, unit, ways, runs) of each row."""
    with board_with_overlay() as overlay:
        from pynq import allocate
        from pynq.lib import Pmod

        from iop import pynq_tutorial as mailbox

        pmod = Pmod(overlay.iop1.mb_info, mailbox.PROGRAM)
        iop = mailbox.Pynq_Tutorial(overlay.iop1.mb_info)  # the last to start the program
        buffer = allocate((LONGEST,), np.uint32)
        address = buffer.physical_address
        kept = [[] for _ in range(OBJECTS - len(gc.get_objects()))]
        runs = 2 if quick else 51

        def call(words, place=address):
            return seconds(
                lambda: iop.write_to_buffer(place, words, 1), min(CALLS, max(1, LOOPED // words))
            )

        def first_call():
            """By address, for a buffer after which other objects have come."""
            small = allocate((10,), np.uint32)
            where = small.physical_address
            gc.collect(0)
            taken = timeit.timeit(lambda: iop.write_to_buffer(where, 10, 1), number=1)
            small.freebuffer()
            return taken

        def refused():
            with contextlib.suppress(ValueError):
                iop.write_to_buffer(NO_BUFFER, 1, 1)
                raise RuntimeError("an address in no buffer was not refused")

        def loop(words=LOOPED):
            for i in range(words):
                buffer[i] = 1 + i

        def arange(words):
            buffer[:words] = np.arange(1, 1 + words, dtype=np.uint32)

        def core_in_use(function):
            def share():
                began, used = time.perf_counter(), time.process_time()
                for _ in range(2 if quick else 10):
                    function(LONGEST)
                return (time.process_time() - used) / (time.perf_counter() - began)

            return share

        beside = {
            BY_BUFFER: call(10, buffer),
            BY_HAND: seconds(lambda: by_hand(mailbox, pmod.mmio, address, 10)),
            "Pmod's mailbox calls": seconds(lambda: by_pmod(pmod, address, 10)),
        }
        yield "write_to_buffer, 10 words", "s", {BY_ADDRESS: call(10), **beside}, runs
        yield "first call for an address", "s", {"first": first_call, "a later one": call(10)}, runs
        yield "refusal of an address", "s", {"refusal": seconds(refused), "a call": call(10)}, runs
        for words in 1000, LONGEST:
            looped = min(words, LOOPED)
            python = seconds(lambda looped=looped: loop(looped), 1)
            ways = {
                BY_ADDRESS: call(words),
                f"Python loop, {looped:,} words x {words // looped}": (
                    lambda python=python, times=words / looped: python() * times
                ),
                "numpy.arange": seconds(lambda words=words: arange(words), 3),
            }
            yield f"filling {words:,} words", "s", ways, min(runs, 15)
            if buffer[words - 1] != words:
                raise RuntimeError("the buffer does not hold what was to be written")
        waiting = {
            BY_ADDRESS: core_in_use(lambda words: iop.write_to_buffer(address, words, 1)),
            BY_HAND: core_in_use(lambda words: by_hand(mailbox, pmod.mmio, address, words)),
        }
        yield f"core in use, {LONGEST:,} words", "cores", waiting, 2 if quick else 5
        buffer.freebuffer()
        del kept


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
