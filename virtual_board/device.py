"""The virtual board as a pynq Device, the package's own way to support another board."""

import operator
import os
import threading
import weakref

import numpy as np
from pynq import MMIO
from pynq.buffer import PynqBuffer
from pynq.pl_server import Device

from . import pynq_versions
from .allocation import Allocation
from .memory import CLOCKS, DDR_SIZE, SLCR
from .missing import take_their_places

# the formats that a board takes with a .hwh beside it; others need more tools
BITSTREAMS = ".bit", ".bin"


class Memory(MMIO):
    """A memory of the overlay. Any thread may use it."""

    def allocate(self, shape, dtype, **options):
        """A buffer, for pynq.allocate(..., target=overlay.PSDDR), as on a board."""
        if self.base_addr != 0:
            raise RuntimeError(
                f"The memory at {self.base_addr:#x} has no buffers: give overlay.PSDDR as target."
            )
        return self.device.allocate(shape, dtype, **options)


class VirtualDevice(Device):
    """A Zynq as pynq sees it.

    Any thread may call any method; downloads come one after the other. (Data in pynq's own classes,
    such as PL.mem_dict, is as safe among threads as on a board.)

    Args:
        board: Has the memory, the CMA pool and the fabric."""

    _probe_priority_ = 300  # a real board's is 50, and the lowest wins
    _devices_here = []  # the one that activate() made

    @classmethod
    def _probe_(cls):
        return cls._devices_here

    def __init__(self, board):
        super().__init__("virtual_board")
        VirtualDevice._devices_here[:] = [self]
        self.name = "virtual_board"
        self.arch = "armv7l"  # decides between a Zynq's registers and an UltraScale's
        self.capabilities = {"MEMORY_MAPPED": True}
        self._board = board
        self._downloading = threading.RLock()
        self._buffers = set()  # the allocations that an array was made over
        clocks = np.zeros(SLCR[1] // 4, np.uint32)
        for offset, value in CLOCKS.items():
            clocks[offset // 4] = value
        self._clocks = clocks

    @property
    def lock_file(self):
        """The file whose lock keeps users of the IOP apart (iop/sharing.py): the board's memory,
        which belongs to this process."""
        return f"/proc/self/fd/{self._board.memory.file}"

    def mmap(self, base_addr, length):
        """The uint32 array that answers at a physical address, for pynq.MMIO.

        It ends where what answers ends, so that an access beyond is an IndexError. On a board that
        stops the bus or the whole system, as does an access where nothing answers.

        Raises:
            ValueError: Nothing answers at the address."""
        places = {(0, DDR_SIZE): self._board.memory.ddr}
        places.update(self._board.fabric.places())
        places[SLCR] = self._clocks
        for (base, size), array in places.items():
            if base <= base_addr < base + size:
                start = base_addr - base
                whole_words = (min(start + length, size) - start) // 4 * 4
                # not by [], which counts as an access to what is there
                part = slice(start, start + whole_words)
                return np.ndarray.__getitem__(array.view(np.uint8), part).view(np.uint32)
        overlay = "this overlay" if self._board.has_overlay() else "no overlay downloaded yet"
        there = ", ".join(f"{base:#x} to {base + size - 1:#x}" for base, size in places)
        raise ValueError(
            f"Nothing answers at {base_addr:#x}: with {overlay} there is only {there}."
        )

    def allocate(self, shape, dtype, cacheable=0):
        """A PynqBuffer of zeros in CMA memory.

        If it is cacheable, Python sees what the IOP wrote only after buffer.invalidate(), and the
        IOP sees what Python wrote only after buffer.flush().

        Raises:
            RuntimeError: There is no room.
            TypeError, ValueError: There is no such array. After an error no memory is in use."""
        shape, dtype = (shape,) if np.isscalar(shape) else tuple(shape), np.dtype(dtype)
        size = dtype.itemsize
        try:
            for dimension in map(operator.index, shape):
                size *= max(dimension, 0)
        except TypeError:
            raise TypeError(f"shape is {shape!r}: give whole numbers, as in (10, 20).") from None
        if dtype.hasobject:
            raise TypeError(
                f"dtype is {dtype}, and a buffer cannot hold Python's objects: give a type of"
                " numbers."
            )
        self._board.check_open()
        bo = Allocation(self._board, size, cacheable)
        where = dict(device=self, device_address=bo.address, bo=bo, coherent=not cacheable)
        try:
            buffer = PynqBuffer(shape, dtype, buffer=bo.seen, **where)
        except BaseException:
            bo.free()
            raise
        bo.buffer = weakref.ref(buffer)
        # With these three, buffer.freebuffer() and the end of the last reference call
        # return_pointer(), below.
        buffer.pointer, buffer.return_to, buffer.memory = bo, self, self
        self._buffers.add(bo)
        return buffer

    def return_pointer(self, bo):
        """Frees a buffer. pynq may call this twice, if two threads free it at once."""
        self._buffers.discard(bo)
        bo.free()

    def free_all(self):
        """Frees every buffer. Each is still an array, but none that an IOP may be given."""
        for bo in list(self._buffers):
            buffer = bo.buffer()
            if buffer is not None:
                buffer.freebuffer()

    def flush(self, bo, offset, ptr, size):
        bo.flush(offset, size)

    def invalidate(self, bo, offset, ptr, size):
        bo.invalidate(offset, size)

    def cma_available(self):
        """Bytes of free CMA memory. A board has them in Linux's /proc/meminfo."""
        return self._board.cma.available()

    def get_memory(self, description):
        """What overlay.PSDDR and the like are, from their description."""
        return Memory(description["base_address"], description["size"], device=self)

    def get_bitfile_metadata(self, bitfile_name, partial=False):
        """The contents of the .hwh beside a .bit. RuntimeError, as on a board, if the .hwh is
        missing or damaged, or if the file's name is not that of a bitstream."""
        stem, extension = os.path.splitext(bitfile_name)
        if extension not in BITSTREAMS:
            raise RuntimeError(
                f"{bitfile_name} does not have the name of a bitstream: give the path of a file"
                f" that ends in {' or '.join(BITSTREAMS)}."
            )
        hwh = stem + ".hwh"
        if not os.path.isfile(hwh):
            raise RuntimeError(
                f"{hwh} is missing, which describes the overlay: it belongs beside"
                f" {os.path.basename(bitfile_name)}."
            )
        take_their_places()
        try:
            return pynq_versions.read_hwh(hwh)
        except MemoryError:
            raise
        except Exception as error:  # each damaged file makes the parser fail in another way
            raise RuntimeError(
                f"{hwh} cannot be read as the description of a PYNQ-Z1's or PYNQ-Z2's overlay"
                f" ({error}): get it again, the kit's own with `git checkout bitstream`."
            ) from None

    def download(self, bitstream, parser=None):
        """Configures the fabric: IOPs stand still, and their memory is empty.

        Args:
            parser: What the .hwh says; Overlay has read it, and Bitstream has not.
        Raises:
            RuntimeError: The .hwh cannot be read, or the bitstream is a partial one. Nothing has
                changed."""
        if bitstream.partial:
            raise RuntimeError(
                f"{bitstream.bitfile_name} is a partial bitstream, and the virtual board loads"
                " whole ones only."
            )
        parser = parser or self.get_bitfile_metadata(bitstream.bitfile_name)
        with self._downloading:
            self._board.download(parser.overlay)
            self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream, parser=None):
        """Does nothing: only a board's device keeps a .hwh's contents on the disk."""

    def gpio(self, pin, value):
        """Drives an EMIO GPIO pin of the PS."""
        self._board.check_open()
        self._board.fabric.emio(pin, bool(value))

    def gpio_level(self, pin):
        """The level of an EMIO GPIO pin as the PS reads it: 0 if the fabric does not drive it."""
        self._board.check_open()
        return self._board.fabric.linux.emio(pin)

    def when_interrupted(self, number, function):
        """Calls a function once, as soon as an interrupt is raised.

        Args:
            number: Linux's, as in /proc/interrupts."""
        self._board.fabric.linux.when_interrupted(number, function)
