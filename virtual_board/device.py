"""The virtual board as a pynq Device, the package's own way to support another board."""

import operator
import os
import threading
import time
import weakref

import numpy as np
from pynq import MMIO
from pynq.buffer import PynqBuffer
from pynq.pl_server import Device

from . import pynq_versions
from .ip import Intc
from .memory import BRAM_SIZE, CLOCKS, DDR_SIZE, SLCR

# What answers on the board's AXI bus, as Linux sees it: address, bytes
BRAM = 0x40000000, BRAM_SIZE  # iop1's memory
INTERRUPT_CONTROLLER = 0x41800000, 0x10000  # base.hwh: system_interrupts

# the formats that a board takes with a .hwh beside it; others need more tools
BITSTREAMS = ".bit", ".bin"

# index of the word in which pynq's drivers give the IOP a command, and its program clears it
COMMAND = BRAM_SIZE // 4 - 1
# Seconds: the IOP gets them at most for a step that takes microseconds on a board.
SEEN_WITHIN, ANSWERED_WITHIN = 0.02, 1
GIVE_WAY = 1e-5  # seconds; Linux makes them longer
_read, _write = np.ndarray.__getitem__, np.ndarray.__setitem__

# base.hwh: EMIO GPIO pins, active high, and the input of the fabric's interrupt controller
IOP1_RESET, IOP1_INTERRUPT_ACKNOWLEDGE = 0, 4
IOP1_INTERRUPT = 8


class WatchedMemory(np.ndarray):
    """An array that calls written() after Python wrote to it. Any thread may use it.

    The IOP is slow, and access to its memory gives it time. While `iop.serving` is true, each read
    lets other threads run: otherwise a driver that waits for the IOP keeps Python for 5 ms each
    time that the IOP waits to be served. Reads and writes of a driver's command wait until the IOP
    has had its time: pynq's Pmod_DevMode gives up after 10 ms, and Pmod_DPOT waits for no answer.
    """

    asked = 0, 0  # the last command, and when it was given

    @classmethod
    def over(cls, array, written, iop=None):
        watched = array.view(cls)
        watched.written, watched.iop = written, iop
        return watched

    def __array_finalize__(self, whole):
        self.written, self.iop = getattr(whole, "written", None), getattr(whole, "iop", None)

    def __getitem__(self, key):
        if self.iop is None:
            return _read(self, key)
        if isinstance(key, int) and key == COMMAND:
            self._wait_for_answer(ANSWERED_WITHIN)
        value = _read(self, key)
        if self.iop.serving:
            time.sleep(GIVE_WAY)
        return value

    def __setitem__(self, key, value):
        if isinstance(key, int) and key == COMMAND and self.iop is not None:
            self._wait_for_answer(SEEN_WITHIN)
            self.asked = value, time.monotonic()
        _write(self, key, value)
        self.written()

    def _wait_for_answer(self, seconds):
        """Waits until the IOP has cleared Python's last command, or the time is over."""
        command, given = self.asked
        while command and _read(self, COMMAND) == command and time.monotonic() < given + seconds:
            time.sleep(GIVE_WAY)


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
    """A Zynq with only the parts that the tutorial uses.

    Any thread may call any method; downloads come one after the other. (Data in pynq's own classes,
    such as PL.mem_dict, is as safe among threads as on a board.)

    Args:
        board: Has the memory, the CMA pool and the MicroBlaze."""

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
        registers = np.zeros(INTERRUPT_CONTROLLER[1] // 4, np.uint32)
        for offset, value in CLOCKS.items():
            clocks[offset // 4] = value
        self.interrupt_controller = Intc(registers)
        registers = WatchedMemory.over(registers, self.interrupt_controller.written)
        self._registers = {INTERRUPT_CONTROLLER: registers, SLCR: clocks}
        # the IOP's pin, and whether the flip-flop behind it is held in reset
        self._interrupt = self._interrupt_held = False

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
        memory = self._board.memory
        places = {(0, DDR_SIZE): memory.ddr}
        if self._board.has_overlay():
            places[BRAM] = WatchedMemory.over(
                memory.bram, self._board.microblaze.written, self._board.iop1
            )
        places.update(self._registers)
        for (base, size), array in places.items():
            if base <= base_addr < base + size:
                part = array.view(np.uint8)[base_addr - base : base_addr - base + length]
                return part[: len(part) // 4 * 4].view(np.uint32)
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
        try:
            return pynq_versions.read_hwh(hwh)
        except MemoryError:
            raise
        except Exception as error:  # each damaged file makes the parser fail in another way
            raise RuntimeError(
                f"{hwh} cannot be read as the description of an overlay ({error}): get it again"
                " with `git checkout bitstream`."
            ) from None

    def download(self, bitstream, parser=None):
        """Configures the fabric: the IOP's memory is empty and the IOP stands still.

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
            self._board.download()
            self.interrupt_controller.reset()
            self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream, parser=None):
        """Does nothing: only a board's device keeps a .hwh's contents on the disk."""

    def gpio(self, pin, value):
        """Drives an EMIO GPIO pin of the PS."""
        self._board.check_open()
        if pin == IOP1_RESET:
            self._board.microblaze.reset(active=bool(value))
        elif pin == IOP1_INTERRUPT_ACKNOWLEDGE:
            self._interrupt_held = bool(value)
            self._clock_flip_flop()

    def iop_interrupt(self, level):
        """The level of the IOP's interrupt pin."""
        self._interrupt = bool(level)
        self._clock_flip_flop()

    def _clock_flip_flop(self):
        """A high level sets it until it is reset (PYNQ: boards/ip/dff_en_reset_vector)."""
        if self._interrupt_held:
            self.interrupt_controller.line(IOP1_INTERRUPT, 0)
        elif self._interrupt:
            self.interrupt_controller.line(IOP1_INTERRUPT, 1)
