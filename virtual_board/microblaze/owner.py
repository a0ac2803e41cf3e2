"""The I/O processor, for any thread: a thread of its own works on it, and the others ask that."""

import collections
import math
import os
import select
import socket
import threading
import time

from .processor import Processor
from .qemu import QemuError

LONGEST_WAIT = 40  # seconds, more than QEMU may take to start
ENDS_WITHIN = 2  # seconds, longer only if a device's method does not return


class _Answer:
    """The result of a request: one thread waits for it while another carries the request out.

    A bare lock, because a KeyboardInterrupt in the thread that waits must never stop the other."""

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
        """Waits until the thread `giver` has given it. QemuError if that ends or is late."""
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
    """Starts in reset. Any thread may call any method; QemuError if QEMU does not start.

    One thread, the owner, works on the Processor and speaks with QEMU. The others put their
    requests into a queue and wait. So a KeyboardInterrupt, which Python raises only in the main
    thread, never cuts an exchange with QEMU in two: only the waiting ends.

    Args:
        memory: An IopMemory (mmu.py).
        peripherals: The IOP's Peripherals (../peripherals.py)."""

    def __init__(self, memory, peripherals):
        self._process = os.getpid()
        # Several threads write these two, and Processor.last_write; all else belongs to the owner.
        self._requests = collections.deque()  # of (function, its answer); the owner takes them out
        self._closing = False  # set once, by close() or by the owner when it ends
        self._bell, self._ring = socket.socketpair()  # wakes the owner for a request
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._processor = Processor(memory, peripherals, self._poll, self._is_wanted)
        self._owner = threading.Thread(target=self._own, name="microblaze", daemon=True)
        self._owner.start()

    @property
    def pid(self):
        """The process number of QEMU, or None if it has not been started."""
        return self._processor.pid

    @property
    def is_open(self):
        """Whether it can be used: not closed, and its owner lives."""
        return not self._closing

    @property
    def is_asleep(self):
        """Whether it stands still because its program only waits."""
        return self._processor.waits_for is not None

    def start(self):
        """Starts QEMU now, and not when the processor first leaves reset."""
        self.ask(self._processor.start)

    def reset(self, active):
        """Sets the reset pin. While it is active the processor stands still; then it starts from
        address 0, in a new QEMU if there is none, or it was killed, or it hangs."""
        if not active:
            self._processor.last_write = time.monotonic()
        self.ask(self._processor.hold if active else self._processor.release)

    def written(self):
        """To be called after Python wrote to the processor's memory: wakes a sleeping program."""
        self._processor.last_write = time.monotonic()
        if os.getpid() != self._process:  # a forked child, which only the owner's process can help
            self._notify()
        elif self._processor.waits_for is not None:
            self.ask(self._processor.wake)

    def ask(self, function):
        """Makes the owner call a function; returns when that is done, or raises its error."""
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
        self.ask(lambda: self._processor.standing(function))

    def close(self):
        """Ends QEMU and waits for its end. Later calls of other methods are a QemuError."""
        self._closing = True
        self._processor.kill()  # also ends what the owner may wait for
        self._notify()
        if self._owner.is_alive() and threading.current_thread() is not self._owner:
            self._owner.join(ENDS_WITHIN)

    def _notify(self):
        try:
            self._ring.send(b"!")
        except OSError:  # the socket is full, so that it rings anyway, or closed
            pass

    def _is_wanted(self):
        return self._requests or self._closing

    def _own(self):
        try:
            while not self._closing:
                patience = self._processor.patience()
                ready = self._poll.poll(None if patience == math.inf else 1000 * patience)
                ready = [fd for fd, _ in ready]
                if self._bell.fileno() in ready:
                    self._bell.recv(4096)
                self._processor.hear(ready)
                while self._requests and not self._closing:
                    function, answer = self._requests.popleft()
                    answer.give(function)
                self._processor.watch()
        finally:
            self._closing = True
            self._processor.end()
            while self._requests:
                self._requests.popleft()[1].give(_refuse)
            self._bell.close()
            self._ring.close()
