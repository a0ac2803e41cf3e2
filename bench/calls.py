"""What a call of write_to_buffer takes, short and long, beside other ways to fill the same buffer.

A call names the buffer by its physical address, as the notebooks' do, or gives the buffer itself.
The process is like a notebook's kernel, because what an address takes could depend on how many
objects there are."""

import functools
import gc
import time
import timeit

import numpy as np

import virtual_board

from .firmware import instructions_a_word
from .measure import ON_BOARD, OVERLAY, Skipped, in_turn, like_a_notebook, row

SHORT = (1, 10, 1000)  # words
ALL = tuple(10**n for n in range(8))
LONGEST = ALL[-1]
LOOP_LIMIT = 100000  # words; a Python loop over more is measured on these and counted in proportion
# a sample: so few that most samples are over before Linux takes a core away for something else
CALLS = 20
LOOKS = 10**7  # at the mailbox before a poll by hand gives up
FIRST = 1  # the first word's value
NO_BUFFER = 0x1000  # an address of Linux's
BY_ADDRESS, BY_BUFFER = "write_to_buffer, by address", "write_to_buffer, by buffer"
CYCLE = 1e-8  # seconds: the board's MicroBlaze runs at 100 MHz


class Ways:
    """Ways to fill a buffer with counting numbers: each method takes the number of words."""

    def __init__(self):
        # Only now: pynq looks for its device when it is first asked, and by then there must be one.
        from pynq import Overlay, allocate
        from pynq.lib import Pmod

        from iop import pynq_tutorial, sharing

        self.mailbox = pynq_tutorial
        mb_info = Overlay(OVERLAY).iop1.mb_info
        self.pmod = Pmod(mb_info, pynq_tutorial.PROGRAM)
        self.mmio = self.pmod.mmio
        # the last to start the program, it waits until that is ready
        self.iop = pynq_tutorial.Pynq_Tutorial(mb_info)
        self.board_lock = sharing.board_lock()
        self.allocate = allocate
        self.buffer = allocate((LONGEST,), np.uint32)
        self.address = self.buffer.physical_address

    def by_address(self, words):
        self.iop.write_to_buffer(self.address, words, FIRST)

    def by_buffer(self, words):
        self.iop.write_to_buffer(self.buffer, words, FIRST)

    def by_hand(self, words):
        mmio = self.mmio
        mmio.write(self.mailbox.ARRAY_LENGTH, words)
        mmio.write(self.mailbox.INIT_DATA, FIRST)
        mmio.write(self.mailbox.BUFFER_ADDR, self.address)
        for _ in range(LOOKS):
            if not mmio.read(self.mailbox.BUFFER_ADDR):
                return
        raise TimeoutError("the IOP did not answer")

    def pmod_calls(self, words):
        """By the mailbox calls of pynq's own class for a Pmod, and a loop that waits."""
        pmod = self.pmod
        pmod.write_mailbox(4, words)
        pmod.write_mailbox(8, FIRST)
        pmod.write_mailbox(0, self.address)
        for _ in range(LOOKS):
            if not pmod.read_mailbox(0):
                return
        raise TimeoutError("the IOP did not answer")

    def refusal(self):
        """The seconds of a call with an address in no buffer."""

        def refused():
            try:
                self.iop.write_to_buffer(NO_BUFFER, 1, FIRST)
            except ValueError:
                return
            raise RuntimeError("an address in no buffer was not refused")

        return timeit.timeit(refused, number=CALLS) / CALLS

    def first_call(self):
        """The seconds of the first call by address for a buffer, when other objects have come after
        it, as in a later cell."""
        buffer = self.allocate((10,), np.uint32)
        address = buffer.physical_address
        gc.collect(0)
        seconds = timeit.timeit(lambda: self.iop.write_to_buffer(address, 10, FIRST), number=1)
        buffer.freebuffer()
        return seconds

    def lock(self, words):
        """What of write_to_buffer keeps other threads and processes away; it writes nothing."""
        with self.board_lock.threads, self.board_lock:
            pass

    def python_loop(self, words):
        buffer = self.buffer
        for i in range(words):
            buffer[i] = FIRST + i

    def arange(self, words):
        self.buffer[:words] = np.arange(FIRST, FIRST + words, dtype=np.uint32)

    def sample(self, way, words):
        """A function that returns the seconds a call of a way takes."""
        calls = max(1, min(CALLS, 20000 // words))

        def seconds():
            self.buffer[:words] = 0
            way(words)
            if not np.array_equal(
                self.buffer[:words], np.arange(FIRST, FIRST + words, dtype=np.uint32)
            ):
                raise RuntimeError("the buffer does not hold what was to be written")
            # not counted: looking at the buffer took long enough for the virtual board to fall
            # asleep
            way(words)
            return timeit.timeit(lambda: way(words), number=calls) / calls

        return seconds

    def share_of_a_core(self, way, quick):
        """A function that returns how much of a core this process uses while it waits for long
        calls of a way."""

        def share():
            way(LONGEST)
            started, used = time.perf_counter(), time.process_time()
            for _ in range(2 if quick else 10):
                way(LONGEST)
            return (time.process_time() - used) / (time.perf_counter() - started)

        return share


def both(name, samples, unit="s"):
    """Yields (name, function that returns the row) of the call by address and of the one by buffer,
    from the same samples.

    samples: a function that returns {BY_ADDRESS: samples, BY_BUFFER: samples, others to compare
    with: samples, ...}"""
    samples = functools.lru_cache(maxsize=None)(samples)
    yield name + ", by address", lambda: row(unit, samples())
    yield (
        name + ", by buffer",
        lambda: row(unit, {way: taken for way, taken in samples().items() if way != BY_ADDRESS}),
    )


def rows(quick):
    """Yields (name, function that returns the row) of each."""
    board = virtual_board.activate()
    try:
        ways = Ways()
        objects = like_a_notebook()

        def runs(words):
            return 2 if quick else 15 if words > LOOP_LIMIT else 51

        def calls(words):
            return {
                BY_ADDRESS: ways.sample(ways.by_address, words),
                BY_BUFFER: ways.sample(ways.by_buffer, words),
            }

        def latency(words):
            return in_turn(
                dict(
                    calls(words),
                    **{
                        "3 MMIO writes and a poll loop": ways.sample(ways.by_hand, words),
                        "Pmod's mailbox calls": ways.sample(ways.pmod_calls, words),
                    },
                ),
                runs(words),
            )

        def throughput(words):
            looped = min(words, LOOP_LIMIT)
            loop = ways.sample(ways.python_loop, looped)
            name = (
                "Python loop"
                if looped == words
                else f"Python loop, {looped:,} words x {words // looped}"
            )
            return in_turn(
                dict(
                    calls(words),
                    **{
                        name: lambda: loop() * words / looped,
                        "numpy.arange": ways.sample(ways.arange, words),
                    },
                ),
                runs(words),
            )

        def instruction():
            if ON_BOARD:
                raise Skipped("a board has its own clock")
            each = instructions_a_word()
            fill = ways.sample(ways.by_buffer, LONGEST)
            return row(
                "s",
                dict(
                    in_turn({"write_to_buffer": lambda: fill() / LONGEST / each}, runs(LONGEST)),
                    **{"a cycle of a board's 100 MHz": CYCLE},
                ),
            )

        def waiting():
            return in_turn(
                {
                    BY_ADDRESS: ways.share_of_a_core(ways.by_address, quick),
                    BY_BUFFER: ways.share_of_a_core(ways.by_buffer, quick),
                    "3 MMIO writes and a poll loop": ways.share_of_a_core(ways.by_hand, quick),
                },
                2 if quick else 5,
            )

        def lock():
            calls = CALLS * 50
            return row(
                "s",
                in_turn(
                    {
                        "lock and unlock": (
                            lambda: timeit.timeit(lambda: ways.lock(10), number=calls) / calls
                        ),
                        "write_to_buffer, 10 words": ways.sample(ways.by_address, 10),
                    },
                    runs(10),
                ),
            )

        def beside_a_call(name, seconds):
            return row(
                "s",
                in_turn(
                    {name: seconds, BY_ADDRESS + ", 10 words": ways.sample(ways.by_address, 10)},
                    runs(10),
                ),
            )

        yield "lock among processes", lock
        yield "first call for an address", lambda: beside_a_call("first call", ways.first_call)
        yield "refusal of an address", lambda: beside_a_call("refusal", ways.refusal)
        for words in SHORT:
            yield from both(
                "latency, {:,} word{}".format(words, "s" if words > 1 else ""),
                functools.partial(latency, words),
            )
        for words in ALL:
            yield from both(
                "filling {:,} word{}".format(words, "s" if words > 1 else ""),
                functools.partial(throughput, words),
            )
        yield "one instruction of the fill loop", instruction
        yield from both(f"core in use, {LONGEST:,} words", waiting, "cores")
        ways.buffer.freebuffer()
        del objects
    finally:
        if board is not None:
            board.close()
