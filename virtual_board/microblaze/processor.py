"""What the I/O processor does: QEMU's MicroBlaze, its reset pin, its peripherals, and its sleep."""

import math
import select
import time

from ..memory import DDR_END, DDR_WINDOW
from .accesses import Accesses
from .idle import FIRST_LOOK, LONGEST_LOOK, find_wait
from .qemu import Qemu

# When a program is looked at, to see whether it only waits; all in seconds.
QUIET = 0.1  # without a write before, so that requests in a row are never delayed
# of the PC's processor that QEMU must have had since the write: on a busy machine it may not even
# have begun, and a look is slow
RAN = 0.02
SETTLED = 0.005  # without an access to a peripheral before
# The most that a look takes: half of a short request's timeout, because on the board stand-in
# nobody tells of a request, and it waits for the look's end.
LOOK = 1.0
WATCH = 0.005  # between two looks at the words that a sleeping program waits for,
TOLD = 1.0  # and if Python tells of each write to them: it only finds what went past the arrays

# Accesses in a row, which are served without a stop of QEMU; in seconds, too.
ROW = 0.002  # before anything else has its turn
SOON = 0.0005  # for the next access to come
AT_ONCE = 0.00002  # for it to come before this thread gives way to others,
GIVE_WAY = 0.000001  # for as long as Linux makes of this
A_STOP = 0.0001  # what a stop takes: a row pays if its accesses take less
MOST_STOPS = 64  # before another row is tried after some that did not pay


class Processor:
    """The processor, which is in one of these states:

    - in reset, from hold() to release(): it stands still.
    - runs.
    - waits for an access to a peripheral, which hear() makes; then it runs again.
    - asleep: watch() has seen that its program only waits (idle.py). It stands still until Python
      writes to its memory, or a word that it waits for changes in another way.
    - gone: there was no release() yet, or QEMU was killed or hung. release() starts another.

    Only one thread calls the methods, except kill().

    Args:
        memory, peripherals: As for a MicroBlaze.
        poll: The select.poll() that the thread waits with, to be told of QEMU's descriptor.
        is_wanted: A function that returns whether the thread has something else to do.

    last_write: time.monotonic() of the last write to its memory; any thread may set it
    waits_for: (indices of the words that a sleeping program waits for, their values), or None
    pid: the process number of QEMU"""

    def __init__(self, memory, peripherals, poll, is_wanted):
        self._memory, self._peripherals = memory, peripherals
        self._poll, self._is_wanted = poll, is_wanted
        self._qemu = self.pid = self.waits_for = None
        self.last_write = self._last_served = 0.0
        self._ran = 0.0, 0.0  # last_write, and QEMU's time when that was seen
        self._steps, self._next_look = FIRST_LOOK, 0.0
        self._accesses = Accesses(memory, peripherals)
        self._stops = self._stops_before_row = 0

    def start(self):
        """Starts QEMU, if there is none, with the processor at its reset address. QemuError if that
        does not work."""
        if self._qemu is not None:
            return
        memory = self._memory
        self._qemu = Qemu(memory)
        self.pid = self._qemu.pid
        self._poll.register(self._qemu.connection, select.POLLIN)
        self._qemu.stub.watch(False, memory.bell, 4)
        for address in self._peripherals.watchpoints:
            self._qemu.stub.watch(True, address, 4)

    def end(self):
        """Ends QEMU."""
        self.waits_for = None
        if self._qemu is not None:
            self._poll.unregister(self._qemu.connection)
            self._qemu.end()
            self._qemu = None

    def kill(self):
        """Kills QEMU, if there is one; end() has to follow. Any thread may call it."""
        qemu = self._qemu
        if qemu is not None:
            qemu.kill()

    def hold(self):
        """Stops the processor at its reset address. A QEMU that was killed or hangs is ended."""
        self.waits_for = None
        self._memory.put_reset_code(self._peripherals.readable)
        try:
            if self._qemu is not None:
                self._qemu.stub.stop()
                self._qemu.stub.reset()
        except OSError:
            self.end()
        self._accesses.forget()
        self._peripherals.reset()

    def release(self):
        """Lets it run from its reset address, in a new QEMU if there is none."""
        self.start()
        self._go()

    def wake(self):
        """Ends its sleep."""
        if self.waits_for is not None:
            self._go()

    def _go(self):
        self.waits_for = None
        # If QEMU is gone, a caller that waits for an answer gets a timeout.
        try:
            if self._qemu is not None:
                self._qemu.stub.go()
        except OSError:
            self.end()

    def patience(self):
        """Seconds until watch() has something to do; math.inf: not before it is told."""
        now = time.monotonic()
        if self.waits_for is not None:
            seconds = TOLD if self._is_told else WATCH
        elif self._qemu is None or not self._qemu.stub.running:
            seconds = math.inf
        else:
            seconds = SETTLED if now - self._last_served < SETTLED else QUIET / 2
        deadline = self._peripherals.deadline
        return seconds if deadline is None else min(seconds, max(deadline - now, 0))

    def hear(self, ready):
        """Handles what QEMU sent, if its descriptor is among those that are ready: an
        acknowledgement, its end, or a stop of the processor; and accesses that follow at once."""
        if self._qemu is None or self._qemu.connection.fileno() not in ready:
            return
        stub = self._qemu.stub
        try:
            if not stub.running:
                raise ConnectionError("a report of a processor that stands")
            report = stub.report()
            if report is not None:
                self._serve(report)
                self._stops += 1
                self._accesses.looking = self._stops > self._stops_before_row
                stub.go()
            elif self._accesses.looking:  # QEMU has acknowledged that it goes on
                self._serve_row()
        except OSError:
            self.end()

    def _serve_row(self):
        """Serves accesses that follow each other, as long as each comes soon. Where stops are as
        fast, as on a busy machine, more of them come before the next row."""
        started = last = now = time.monotonic()
        served = 0
        while now < min(started + ROW, last + SOON) and not self._is_wanted():
            if self._make_access():
                served, last = served + 1, now
            elif now - last > AT_ONCE:
                # another thread may wait for this core or for Python's lock, even QEMU's second
                time.sleep(GIVE_WAY)
            now = time.monotonic()
        self._accesses.looking = False
        pays = served * A_STOP > now - started
        self._stops_before_row = 0 if pays else min(2 * self._stops_before_row + 1, MOST_STOPS)
        self._stops = 0

    def _serve(self, report):
        """Lets the peripherals handle a stop, and makes the access that is asked for. Returns
        whether there was one."""
        served = self._peripherals.serve(report)
        if served:
            self._last_served = time.monotonic()
        return self._make_access() or served

    def _make_access(self):
        """Makes the access that is asked for. Returns whether one is."""
        if not self._accesses.asked:
            return False
        self._accesses.make()
        self._last_served = time.monotonic()
        return True

    def standing(self, function):
        """Calls a function between two instructions, after the access before them was served; also
        if QEMU is gone."""
        ran = self._qemu is not None and self._qemu.stub.running
        try:
            if ran:
                self._serve(self._qemu.stub.stop())
        except OSError:
            self.end()
        try:
            function()
        finally:
            if ran:
                self._go()

    def _is_due(self):
        deadline = self._peripherals.deadline
        return deadline is not None and deadline <= time.monotonic()

    def watch(self):
        """Lets due events happen, puts the processor to sleep when its program waits, and wakes it
        when the wait is over."""
        if self._is_due():
            self.standing(self._peripherals.catch_up)
            if self.waits_for is not None:
                self._last_served = time.monotonic()
                # it may soon wait again in the same way, and no request is on its way
                self._next_look = 0.0
                self.wake()
        started = time.monotonic()
        if self.last_write != self._ran[0] and self._qemu is not None:
            self._ran = self.last_write, self._qemu.time_used()
        if self.waits_for is not None:
            indices, values = self.waits_for
            if (self._memory.words[indices] != values).any():
                self.last_write = started
                self.wake()
        elif started - self.last_write < QUIET:
            self._steps, self._next_look = FIRST_LOOK, 0.0
        elif started >= self._next_look and self._may_wait(started):
            self._look()
            # A program that is not proven to wait is looked at longer and less often: nine tenths
            # of the time it runs.
            if self.waits_for is None:
                self._steps = min(4 * self._steps, LONGEST_LOOK)
            self._next_look = time.monotonic() + 9 * (time.monotonic() - started)

    def _may_wait(self, now):
        """Whether the program has had the time to come to a point where it only waits."""
        return (
            self._qemu is not None
            and self._qemu.stub.running
            and now - self._last_served >= SETTLED
            and self._qemu.time_used() - self._ran[1] >= RAN
        )

    @property
    def _is_told(self):
        """Whether somebody tells of each change to the words that a sleeping program waits for:
        Python does for program memory, and the peripherals change their own."""
        indices, _ = self.waits_for
        in_ddr = (indices >= DDR_WINDOW // 4) & (indices < DDR_END // 4)
        return self._memory.tells and not in_ddr.any()

    def _look(self):
        stub, last_write, end = self._qemu.stub, self.last_write, time.monotonic() + LOOK

        def interrupted():
            written = self.last_write != last_write
            return written or self._is_wanted() or self._is_due() or time.monotonic() > end

        try:
            if not self._serve(stub.stop()):
                self.waits_for = find_wait(
                    stub, self._memory.words, self._steps, interrupted, self._serve
                )
            # a write may come until here, and from here on written() sees that it sleeps
            if self.waits_for is None or self.last_write != last_write:
                self.waits_for = None
                stub.go()
        except OSError:
            self.end()
