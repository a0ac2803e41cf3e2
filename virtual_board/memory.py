"""The board's memory as one piece that numpy and QEMU share: DDR, and the program memory of each
I/O processor."""

import mmap
import os
import tempfile
import threading

import numpy as np

# Addresses as the MicroBlaze sees them (base.tcl of every stock image): its own BRAM, DDR through a
# window, and behind that its peripherals (peripherals.py).
BRAM_SIZE = 0x10000
DDR_WINDOW = 0x20000000
DDR_SIZE = 0x20000000
DDR_END = DDR_WINDOW + DDR_SIZE
SIZE = 0x45000000
PAGE = 4096

# As Linux sees it: UG585's system level control registers (address, bytes), with a PYNQ-Z1's clocks
# from its 50 MHz oscillator: x 26 / 2 for the ARM cores, and x 20 for the fabric's.
SLCR = 0xF8000000, 0x1000
CLOCKS = {
    0x100: 26 << 12,  # ARM_PLL_CTRL: PLL_FDIV
    0x108: 20 << 12,  # IO_PLL_CTRL: PLL_FDIV
    0x120: 2 << 8,  # ARM_CLK_CTRL: DIVISOR
}


class SharedMemory:
    """The file that QEMUs map, whose offsets are physical addresses (microblaze/mmu.py). Any thread
    may call any method.

    Only pages in use take memory. The file has no name, so nothing is left of it when the last
    process that uses it ends.

    Args:
        size: Bytes.

    words: all of it as numpy uint32; the index is the physical address divided by 4
    ddr: the 512 MB of DDR as numpy uint8; the index is the physical address"""

    def __init__(self, size):
        if hasattr(os, "memfd_create"):  # has no limit, unlike a container's /dev/shm
            self.file = os.memfd_create("pynq-virtual-board")
        else:  # not Linux
            with tempfile.TemporaryFile() as unnamed:
                self.file = os.dup(unnamed.fileno())
        try:
            os.ftruncate(self.file, size)
        except OSError as error:  # such as EFBIG
            os.close(self.file)
            raise OSError(
                error.errno,
                f"{error.strerror}, and the board's memory is a file of {size >> 20} MB: `ulimit"
                " -f` shows the most that this shell allows",
            ) from None
        self.closed = False
        self._lock = threading.Lock()  # once the file is closed, its number may be another file's
        everything = np.frombuffer(mmap.mmap(self.file, size), np.uint8)
        self.words = everything.view(np.uint32)
        self.ddr = everything[:DDR_SIZE]

    def written_pages(self):
        """[(start, end), ...] of each part of DDR that was ever touched, as physical addresses;
        empty after close()."""
        found, end = [], 0
        with self._lock:
            while end < DDR_SIZE and not self.closed:
                try:
                    start = os.lseek(self.file, end, os.SEEK_DATA)
                except OSError:  # nothing from here on
                    break
                if start >= DDR_SIZE:
                    break
                end = min(os.lseek(self.file, start, os.SEEK_HOLE), DDR_SIZE)
                found.append((start, end))
        return found

    def nonzero(self, start, end):
        """Yields (address, length) of each run of 32-bit words that are not zero between two
        physical addresses. Of a word that start or end divides, only the part between counts."""
        if start >= end:
            return
        first = start - start % 4
        used = self.ddr[first : end + -end % 4].view(np.uint32) != 0
        if start % 4:
            used[0] = self.ddr[start : min(first + 4, end)].any()
        if end % 4:
            used[-1] = self.ddr[max(start, end - end % 4) : end].any()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], used, [False])).astype(np.int8)))
        for begin, stop in zip(edges[::2].tolist(), edges[1::2].tolist()):
            yield first + 4 * begin, 4 * (stop - begin)

    def close(self):
        """Closes the file; arrays over the memory stay valid. A second call does nothing."""
        with self._lock:
            if not self.closed:
                self.closed = True
                os.close(self.file)
