"""One buffer in DDR, and the CPU's cache in front of it."""

import threading

import numpy as np


class Allocation:
    """The bytes of one buffer in DDR. Of a cacheable buffer, Python sees a copy instead: the CPU's
    cache. (A board's cache also drops and writes back words on its own; this one only when told.)

    Any thread may call any method, and write to the bytes meanwhile: a word that is written during
    a flush goes to DDR now or with the next flush. Python's garbage collector may call free()."""

    def __init__(self, board, size, cacheable):
        self._board = board
        # counts as freed when this object is gone, even if an error follows
        self._block = board.cma.allocate(size, self)
        self.address = self._block.address
        self.ddr = self.seen = board.memory.ddr[self.address : self.address + size]
        self._clean = None
        if cacheable:
            self.seen = np.zeros(size, np.uint8)
            self._clean = self.seen.copy()  # as it was when cache and DDR were last the same
        self._lock = threading.Lock()
        self.buffer = lambda: None  # or a weak reference to the array over it

    def flush(self, offset, size):
        """Cache to DDR: what Python changed among `size` bytes from `offset`."""
        if self._clean is not None:
            part = slice(offset, offset + size)
            with self._lock:
                now = self.seen[part].copy()  # other threads write on
                changed = now != self._clean[part]
                self.ddr[part][changed] = now[changed]
                self._clean[part] = now

    def invalidate(self, offset, size):
        """DDR to cache: `size` bytes from `offset`."""
        if self._clean is not None:
            part = slice(offset, offset + size)
            with self._lock:
                now = self.ddr[part].copy()  # the IOP writes on
                self._clean[part] = now
                self.seen[part] = now

    def free(self):
        """Gives the memory back. Does nothing a second time."""
        buffer = self.buffer()
        if buffer is not None:
            buffer.freed = True
        if self._board.is_open():
            self._board.cma.free(self._block)
