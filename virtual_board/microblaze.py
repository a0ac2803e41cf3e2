"""The I/O processor: a MicroBlaze in QEMU, with the memory it shares with Python and its reset
pin."""

import collections
import os
import select
import socket
import threading
import time

from .idle import FIRST_LOOK, LONGEST_LOOK, find_wait
from .qemu import Qemu, QemuError

# QEMU's bare machine never resets its CPU unless a loader device gives it a reset address, and that
# may not be 0. So it resets to this code, at an address that is unused on the board, which jumps to
# 0. Before that it writes each word of program memory back. QEMU keeps translations of code that it
# ran, and does not notice that Python loads another program over that code, but drops the
# translation of a word that the processor itself writes.
RESET_STUB = 0x1FFF0000
# imm 0; addik r3, r0, 0xEFFC   the last word before the mailbox
RESET_CODE = (
    0xB0000000,
    0x3060EFFC,
    0xE8830000,  # lwi   r4, r3, 0
    0xF8830000,  # swi   r4, r3, 0
    0xBE23FFF8,  # bneid r3, -8
    0x3063FFFC,  # addik r3, r3, -4
    0xB8080000,
)  # brai  0


LONGEST_WAIT = 40  # seconds, more than QEMU may take to start

# Seconds that close() waits for the owner, which needs more only if a device's method does not
# return; then it ends with Python.
ENDS_WITHIN = 2


class _Answer:
    """The result of a request: one thread waits for it while another carries the request out."""

    def __init__(self):
        self._given = threading.Lock()  # held until then
        self._given.acquire()
        self._error = None

    def give(self, function):
        """Calls the function, and lets wait() return or raise its error."""
        try:
            function()
        except Exception as error:
            self._error = error
        self._given.release()

    def wait(self, giver):
        """Waits until the thread `giver` has given it. QemuError if that thread ended before, or
        takes too long."""
        deadline = time.monotonic() + LONGEST_WAIT
        while not self._given.acquire(timeout=1):
            if not giver.is_alive() and not self._given.acquire(timeout=0):
                _refuse()
            if time.monotonic() > deadline:
                raise QemuError(
                    f"The virtual board has not answered for {LONGEST_WAIT} seconds: a method of a"
                    " device that is plugged in may not have returned. Restart the kernel, or call"
                    " board.close()."
                )
        if self._error is not None:
            raise self._error


def _refuse():
    raise QemuError(
        "This virtual board was closed meanwhile: call virtual_board.activate(), or restart the"
        " kernel."
    )


class MicroBlaze:
    """Starts in reset.

    A program that only waits is put to sleep (idle.py): its processor stands still until Python
    writes to its memory and calls written(), or a word that it waits for changes in another way.

    Any thread may call any method. One thread, the owner, speaks with QEMU; the others ask it and
    wait. So a KeyboardInterrupt, which Python raises only in the main thread, never cuts an
    exchange with QEMU in two: the request is carried out, and only the waiting ends.

    memory: the board's memory; peripherals: a PmodIop (iop.py), or None
    pid: the process number of QEMU
    """

    # seconds without a write before a program is looked at, so that requests in a row are never
    # delayed
    QUIET = 0.1
    SETTLED = 0.005  # seconds after it used a peripheral before it is looked at
    WATCH = 0.005  # seconds between two looks at the words that a sleeping program waits for

    def __init__(self, memory, peripherals=None):
        """QemuError if QEMU does not start."""
        self._memory = memory
        self._peripherals = peripherals
        self._last_served = 0.0  # time.monotonic()
        self._process = os.getpid()
        self._qemu = self.pid = None
        self._waits_for = None  # asleep: (indices of the words it waits for, their values)
        self._last_write = 0.0  # time.monotonic()
        self._steps, self._next_look = FIRST_LOOK, 0.0
        self._requests = collections.deque()  # (function, its answer)
        self._bell, self._ring = socket.socketpair()  # tell the owner to look into them
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._waiting = select.poll()
        self._waiting.register(self._bell, select.POLLIN)
        self._closing = False
        self._moment = threading.Event()  # never set
        self._owner = threading.Thread(target=self._own, name="idle watch", daemon=True)
        try:
            self._owner.start()
            self.ask(self._start)
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self):
        """Whether it can be used: not closed, and its owner lives."""
        return not self._closing

    @property
    def is_asleep(self):
        """Whether it stands still because its program only waits."""
        return self._waits_for is not None

    def reset(self, active):
        """Sets the reset pin. While it is active the processor stands still; then it starts from
        address 0. An active pin also replaces a QEMU that was killed or hangs. QemuError if QEMU
        does not start, or is gone."""
        if not active:
            self._last_write = time.monotonic()
        self.ask(self._hold if active else self._release)

    def written(self):
        """To be called after Python wrote to the processor's memory: wakes a sleeping program."""
        self._last_write = time.monotonic()
        if self._waits_for is not None and os.getpid() == self._process:
            self.ask(self._wake)

    def ask(self, function):
        """Makes the owner call a function, and returns when that is done, or raises the function's
        error. Only the owner may call the peripherals."""
        if threading.current_thread() is self._owner:
            function()
            return
        if self._closing:
            _refuse()
        answer = _Answer()
        self._requests.append((function, answer))
        self._notify()
        answer.wait(self._owner)

    def ask_standing(self, function):
        """As ask(), for a function that changes registers, which the program may be about to write:
        it is called while the processor stands, after all its accesses have been served."""
        self.ask(lambda: self._standing(function))

    def close(self):
        """Ends QEMU and waits for its end. A second call does nothing; any other call is a
        QemuError from then on."""
        self._closing = True
        qemu = self._qemu
        if qemu is not None:
            qemu.kill()  # also ends what the owner may wait for
        self._notify()
        if self._owner.is_alive() and threading.current_thread() is not self._owner:
            self._owner.join(ENDS_WITHIN)

    def _notify(self):
        try:
            self._ring.send(b"!")
        except OSError:  # the socket is full, so that it rings anyway, or closed
            pass

    # The owner's part: no other thread may call the methods below.

    def _own(self):
        try:
            while not self._closing:
                try:
                    self._wait()
                    while self._requests and not self._closing:
                        function, answer = self._requests.popleft()
                        answer.give(function)
                    self._watch()
                except NameError:
                    # IPython's %autoreload empties a module before it executes it again
                    self._moment.wait(0.001)
        finally:
            self._closing = True
            self._end()
            while self._requests:
                self._requests.popleft()[1].give(_refuse)
            self._bell.close()
            self._ring.close()

    def _wait(self):
        """Waits until a thread makes a request, QEMU sends something, or it is time to look at the
        program."""
        ready = [descriptor for descriptor, _ in self._waiting.poll(1000 * self._patience())]
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        if self._qemu is not None:
            if self._qemu.complains.fileno() in ready:
                self._qemu.complaints()
            if self._qemu.connection.fileno() in ready:
                self._said()

    def _patience(self):
        """Seconds until there is something to do without a request."""
        now = time.monotonic()
        seconds = self.WATCH if self.is_asleep else self.QUIET / 2
        if now - self._last_served < self.SETTLED:
            seconds = self.SETTLED
        deadline = None if self._peripherals is None else self._peripherals.deadline
        return seconds if deadline is None else min(seconds, max(deadline - now, 0))

    def _start(self):
        self._qemu = Qemu(self._memory.words.nbytes, self._memory.file, RESET_STUB)
        self.pid = self._qemu.pid
        self._waiting.register(self._qemu.connection, select.POLLIN)
        self._waiting.register(self._qemu.complains, select.POLLIN)
        if self._peripherals is not None:
            for read, address, length in self._peripherals.watchpoints:
                self._qemu.stub.watch(read, address, length)

    def _end(self):
        self._waits_for = None
        if self._qemu is not None:
            self._waiting.unregister(self._qemu.connection)
            self._waiting.unregister(self._qemu.complains)
            self._qemu.end()
            self._qemu = None

    def _hold(self):
        self._waits_for = None
        self._memory.words[RESET_STUB // 4 : RESET_STUB // 4 + len(RESET_CODE)] = RESET_CODE
        try:
            if self._qemu is None:
                self._start()
            else:
                self._qemu.stub.stop()
                self._qemu.stub.reset()
        except OSError:  # it was killed, or hangs
            self._end()
            self._start()
        if self._peripherals is not None:
            self._peripherals.reset()

    def _release(self):
        try:
            if self._qemu is None:
                raise ConnectionError("it ended")
            self._qemu.stub.go()
        except OSError as error:
            self._end()
            raise QemuError(
                f"QEMU (process {self.pid}) does not go on ({error}): a new Pynq_Tutorial starts"
                " another."
            ) from None

    def _wake(self):
        if self._waits_for is not None:
            self._waits_for = None
            self._go_on()

    def _go_on(self):
        try:
            self._release()
        except QemuError:
            # a caller that waits for an answer gets a timeout, and the reset pin starts QEMU again
            pass

    def _said(self):
        """Handles a message from QEMU that nobody waits for: an acknowledgement, its end, or a stop
        of the processor."""
        try:
            if not self._qemu.stub.running:
                raise ConnectionError("a report of a processor that stands")
            report = self._qemu.stub.report()
            if report is not None:
                self._serve(report)
                self._qemu.stub.go()
        except OSError:
            self._end()

    def _serve(self, report):
        """Lets the peripherals handle a stop. Returns whether it was at one of their
        watchpoints."""
        served = self._peripherals is not None and self._peripherals.serve(report)
        if served:
            self._last_served = time.monotonic()
        return served

    def _standing(self, function):
        """Calls a function between two instructions, after the access before them was served; also
        if QEMU was killed, or hangs."""
        ran = self._qemu is not None and self._qemu.stub.running
        try:
            if ran:
                self._serve(self._qemu.stub.stop())
        except OSError:
            self._end()
        try:
            function()
        finally:
            if ran:
                self._go_on()

    def _is_due(self):
        """Whether the peripherals have an event that is due."""
        deadline = None if self._peripherals is None else self._peripherals.deadline
        return deadline is not None and deadline <= time.monotonic()

    def _catch_up(self):
        """Lets the peripherals handle the events that are due."""
        if self._is_due():
            self._standing(self._peripherals.catch_up)
            if self._waits_for is not None:
                self._last_served = time.monotonic()
                # it may soon wait again in the same way, and no request is on its way
                self._next_look = 0.0
                self._wake()

    def _watch(self):
        """Puts the processor to sleep when its program waits, and wakes it when the wait is
        over."""
        self._catch_up()
        if self._waits_for is not None:
            indices, values = self._waits_for
            if (self._memory.words[indices] != values).any():
                self._last_write = time.monotonic()
                self._wake()
            return
        started = time.monotonic()
        if started - self._last_write < self.QUIET:
            self._steps, self._next_look = FIRST_LOOK, 0.0
        elif (
            self._qemu is not None
            and self._qemu.stub.running
            and started >= self._next_look
            and started - self._last_served >= self.SETTLED
        ):
            self._look()
            # A program that is not proven to wait is looked at longer and less often: nine tenths
            # of the time it runs.
            if self._waits_for is None:
                self._steps = min(4 * self._steps, LONGEST_LOOK)
            self._next_look = time.monotonic() + 9 * (time.monotonic() - started)

    def _look(self):
        last_write = self._last_write
        try:
            found = None
            if not self._serve(self._qemu.stub.stop()):
                found = find_wait(
                    self._qemu.stub,
                    self._memory.words,
                    self._steps,
                    lambda: (
                        self._last_write != last_write
                        or self._requests
                        or self._closing
                        or self._is_due()
                    ),
                    self._serve,
                )
            self._waits_for = found
            if found is None or self._last_write != last_write:
                self._waits_for = None
                self._qemu.stub.go()
        except OSError:  # killed or hung: the reset pin starts QEMU again
            self._end()
