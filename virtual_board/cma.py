"""The CMA pool: the part of DDR from which Linux hands out physically contiguous buffers, and what lies outside them."""

from .memory import DDR_SIZE, PAGE

POOL_SIZE = 128 << 20  # bytes, as on the stock images; here the top of DDR, on a board wherever Linux found room
POOL_BASE = DDR_SIZE - POOL_SIZE
MOST_ALIGNED = 1 << 20  # Linux aligns a buffer to its size, rounded up to a power of two, but to no more than this


def whole_pages(size):
    """`size` in bytes, rounded up to whole pages of 4096."""
    return -(-size // PAGE) * PAGE


class CmaPool:
    """Allocates by first fit. DDR outside the allocated buffers is kept at zero, so whatever is found there was written
    by something that had no business there. Addresses are physical, sizes in bytes."""

    def __init__(self, memory):
        self._memory = memory
        self._allocated = {}  # address: size
        self._strays = []  # found so far in memory that has been handed out since

    def allocate(self, size):
        """The address of `size` bytes, all zero. RuntimeError, as on a board, if no such room is left."""
        if size < 1:
            raise RuntimeError("Allocate failed: a buffer of {} bytes was asked for; ask for at least 1.".format(size))
        align = PAGE
        while align < min(size, MOST_ALIGNED):
            align *= 2
        address = POOL_BASE
        for taken in sorted(self._allocated):
            if address + size <= taken:
                break
            end = taken + whole_pages(self._allocated[taken])
            address = -(-end // align) * align
        if address + whole_pages(size) > POOL_BASE + POOL_SIZE:
            raise RuntimeError("Allocate failed: {} bytes were asked for, and of the {} bytes of CMA memory {} are free, "
                               "not all in one piece; free a buffer, or ask for less."
                               .format(size, POOL_SIZE, self.available()))
        pages = address, address + whole_pages(size)
        self._strays.extend(self._memory.nonzero(*pages))
        self._memory.ddr[slice(*pages)] = 0
        self._allocated[address] = size
        return address

    def free(self, address):
        """Takes back the buffer at `address`. KeyError if there is none."""
        size = self._allocated.pop(address)
        self._memory.ddr[address:address + size] = 0

    def available(self):
        """Bytes that are free, in whole pages."""
        return POOL_SIZE - sum(whole_pages(size) for size in self._allocated.values())

    def stray_writes(self):
        """[(address, length), ...] of what was written outside every buffer of its time, in whole 32-bit words, in
        order. A write of what was there already, which was zero, changed nothing and does not count."""
        found = self._strays + [run for start, end in self._memory.written_pages() for run in self._outside(start, end)]
        merged = []
        for address, length in sorted(found):
            if merged and address <= sum(merged[-1]):
                start = merged[-1][0]
                merged[-1] = (start, max(sum(merged[-1]), address + length) - start)
            else:
                merged.append((address, length))
        return merged

    def _outside(self, start, end):
        """What is not zero from start to end, allocated buffers left out."""
        for address, size in sorted(self._allocated.items()):
            if start < address + size and address < end:
                yield from self._memory.nonzero(start, address)
                start = address + size
        yield from self._memory.nonzero(start, end)
