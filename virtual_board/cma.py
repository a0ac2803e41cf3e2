"""The CMA pool: the part of DDR from which Linux allocates physically contiguous buffers. Also
finds writes outside of them."""

import collections
import threading
import weakref
from contextlib import contextmanager

from .memory import DDR_SIZE, PAGE

# bytes, as on the stock images; here the top of DDR, on a board wherever Linux found room
POOL_SIZE = 128 << 20
POOL_BASE = DDR_SIZE - POOL_SIZE
# Linux aligns a buffer to its size, rounded up to a power of two, but to no more than this
MOST_ALIGNED = 1 << 20

Block = collections.namedtuple("Block", "address size owner")  # bytes; owner: a weak reference


class StrayWrite(tuple):
    """(physical address, length in bytes).

    by: names of the IOPs that have used this page, or one near it, since their QEMU started: mostly
        the one that wrote. Empty if Python wrote, or if that QEMU has ended."""

    def __new__(cls, address, length, by):
        stray = super().__new__(cls, (address, length))
        stray.by = tuple(sorted(by))
        return stray

    def __repr__(self):
        return super().__repr__() + (f" by {' or '.join(self.by)}" if self.by else "")


def whole_pages(size):
    """`size` in bytes, rounded up to whole pages of 4096."""
    return -(-size // PAGE) * PAGE


class CmaPool:
    """Allocates by first fit. Addresses are physical, sizes in bytes.

    DDR outside the allocated buffers is kept at zero, so that a stray write to it can be found.

    Any thread may call any method; one works on the pool at a time, as in Linux. Python's garbage
    collector may call free() in a thread that is already at work on the pool: then the next method
    takes the block back. An exception at any point, as from the stop button, leaves the pool
    consistent. Signal handlers may call free(), and no other method.

    Args:
        memory: The board's SharedMemory.
        users: A function that returns {name of an IOP: the UsedPages of its QEMU}."""

    def __init__(self, memory, users=dict):
        self._memory, self._users = memory, users
        self._lock = threading.RLock()
        self._at_work = False  # the thread that has the lock is within a method other than free()
        self._blocks = {}  # address: Block
        self._freed = collections.deque()  # of Blocks
        self._strays = []  # StrayWrites found in memory that has been handed out since

    def allocate(self, size, owner):
        """A Block of `size` bytes, all zero. RuntimeError, as on a board, if there is no such room.

        Args:
            owner: Any object; when it no longer exists, the block counts as freed."""
        if size < 1:
            raise RuntimeError(
                f"Allocate failed: a buffer of {size} bytes was asked for; ask for at least 1."
            )
        align = PAGE
        while align < min(size, MOST_ALIGNED):
            align *= 2
        with self._lock, self._working():
            address = POOL_BASE
            for taken in self._taken():
                if address + size <= taken.address:
                    break
                address = -(-(taken.address + whole_pages(taken.size)) // align) * align
            end = address + whole_pages(size)
            if end > DDR_SIZE:
                free = self._available()
                raise RuntimeError(
                    f"Allocate failed: {size} bytes were asked for, and of the {POOL_SIZE} bytes of"
                    f" CMA memory {free} are free{', but not in one piece' * (size <= free)}; free"
                    " a buffer, or ask for less."
                )
            self._strays.extend(self._said_by_whom(self._memory.nonzero(address, end)))
            self._memory.ddr[address:end] = 0
            block = self._blocks[address] = Block(address, size, weakref.ref(owner))
            return block

    def free(self, block):
        """Takes back a block. A second call does nothing."""
        self._freed.append(block)
        with self._lock:
            if not self._at_work:
                self._take_back()

    def available(self):
        """Bytes that are free, in whole pages."""
        with self._lock, self._working():
            return self._available()

    def stray_writes(self):
        """[StrayWrite, ...] of writes outside every buffer of their time, in whole 32-bit words, in
        order. Zeros that were written change nothing, and are not found."""
        with self._lock, self._working():
            found, taken = [], self._taken()
            for start, end in self._memory.written_pages():
                found.extend(self._outside(taken, start, end))
            strays = sorted(self._strays + self._said_by_whom(found))
        merged = []
        for stray in strays:
            if merged and stray[0] <= sum(merged[-1]):
                address, by = merged[-1][0], {*merged[-1].by, *stray.by}
                end = max(sum(merged[-1]), sum(stray))
                merged[-1] = StrayWrite(address, end - address, by)
            else:
                merged.append(stray)
        return merged

    # From here on: with the lock.

    @contextmanager
    def _working(self):
        self._at_work = True
        try:
            yield
        finally:
            self._at_work = False

    def _take_back(self):
        while self._freed:
            block = self._freed[0]  # removed last, because a signal may interrupt this
            if self._blocks.get(block.address) is block:
                self._memory.ddr[block.address : block.address + block.size] = 0
                del self._blocks[block.address]
            self._freed.popleft()

    def _taken(self):
        """The blocks in use, by address."""
        self._freed.extend(
            [block for block in list(self._blocks.values()) if block.owner() is None]
        )
        self._take_back()
        return sorted(list(self._blocks.values()))

    def _available(self):
        return POOL_SIZE - sum([whole_pages(block.size) for block in self._taken()])

    def _said_by_whom(self, found):
        """StrayWrites from (address, length) pairs."""
        found = list(found)
        users = self._users() if found else {}
        strays = []
        for address, length in found:
            pages = range(address // PAGE * PAGE, address + length, PAGE)
            by = [name for name, used in users.items() if any(page in used for page in pages)]
            strays.append(StrayWrite(address, length, by))
        return strays

    def _outside(self, taken, start, end):
        """The words that are not zero from start to end, outside the blocks that are taken."""
        for block in taken:
            if start < block.address + block.size and block.address < end:
                yield from self._memory.nonzero(start, block.address)
                start = block.address + block.size
        yield from self._memory.nonzero(start, end)
