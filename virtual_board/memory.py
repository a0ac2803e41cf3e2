"""The board's memory as one piece that numpy and QEMU share: the I/O processor's BRAM and the
board's DDR."""

import mmap
import os
import tempfile
import threading

import numpy as np

# Addresses as the MicroBlaze sees them (base.tcl of every stock image): its own BRAM, DDR through a
# window, and behind that its peripherals (iop.py).
BRAM_SIZE = 0x10000
DDR_WINDOW = 0x20000000
DDR_SIZE = 0x20000000
DDR_END = DDR_WINDOW + DDR_SIZE
SIZE = 0x45000000
PAGE = 4096


class SharedMemory:
    """The MicroBlaze's address space, of which only the pages in use take memory. Its file has no
    name, so nothing is left of it when the last process that uses it ends, however that was. Any
    thread may call any method.

    words: all of it as numpy uint32; the index is the MicroBlaze's address divided by 4
    bram:  the 64 KB of BRAM as numpy uint8
    ddr:   the 512 MB of DDR as numpy uint8; the index is the physical address
    """

    def __init__(self):
        # Linux, Python 3.8: it has no limit, unlike a container's /dev/shm
        if hasattr(os, "memfd_create"):
            self.file = os.memfd_create("pynq-virtual-board")  # novm
        else:
            with tempfile.TemporaryFile() as unnamed:
                self.file = os.dup(unnamed.fileno())
        try:
            os.ftruncate(self.file, SIZE)
        except OSError as error:  # such as EFBIG
            os.close(self.file)
            raise OSError(
                error.errno,
                f"{error.strerror}, and the board's memory is a file of {SIZE >> 20} MB: `ulimit"
                " -f` shows the most that this shell allows",
            ) from None
        self.closed = False
        self._lock = threading.Lock()  # once the file is closed, its number may be another file's
        everything = np.frombuffer(mmap.mmap(self.file, SIZE), np.uint8)
        self.words = everything.view(np.uint32)
        self.bram = everything[:BRAM_SIZE]
        self.ddr = everything[DDR_WINDOW:DDR_END]

    def written_pages(self):
        """[(start, end), ...] of each part of DDR that was ever touched, as physical addresses;
        empty after close()."""
        found, end = [], DDR_WINDOW
        with self._lock:
            while end < DDR_END and not self.closed:
                try:
                    start = os.lseek(self.file, end, os.SEEK_DATA)
                except OSError:  # nothing from here on
                    break
                if start >= DDR_END:
                    break
                end = min(os.lseek(self.file, start, os.SEEK_HOLE), DDR_END)
                found.append((start - DDR_WINDOW, end - DDR_WINDOW))
        return found

    def nonzero(self, start, end):
        """Yields (address, length) of each run of 32-bit words that are not zero between the
        physical addresses start and end. If start or end divides a word, only the part between them
        counts."""
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
