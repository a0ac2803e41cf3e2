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
from .axi import Intc
from .memory import BRAM_SIZE, DDR_SIZE

# What answers on the board's AXI bus, as Linux sees it: address, bytes
BRAM = 0x40000000, BRAM_SIZE  # iop1's memory
INTERRUPT_CONTROLLER = 0x41800000, 0x10000  # base.hwh: system_interrupts
SLCR = 0xF8000000, 0x1000  # UG585: system level control registers, the clocks among them

# A PYNQ-Z1's clocks from its 50 MHz oscillator: x 26 / 2 for the ARM cores, and x 20 for the
# fabric's, which the overlay divides further.
CLOCKS = {
    0x100: 26 << 12,  # ARM_PLL_CTRL: PLL_FDIV
    0x108: 20 << 12,  # IO_PLL_CTRL: PLL_FDIV
    0x120: 2 << 8,
}  # ARM_CLK_CTRL: DIVISOR

# the formats that a board takes with a .hwh beside it; others need more tools
BITSTREAMS = ".bit", ".bin"

GIVE_WAY = 1e-5  # seconds; Linux makes them longer
# index of the word in which pynq's drivers give the IOP a command, and its program clears it
COMMAND = BRAM_SIZE // 4 - 1
# seconds that the IOP gets at most for a step that takes microseconds on a board
SEEN_WITHIN, ANSWERED_WITHIN = 0.02, 1

# base.hwh: EMIO GPIO pins, active high, and the input of the fabric's interrupt controller
IOP1_RESET = 0
IOP1_INTERRUPT_ACKNOWLEDGE = 4
IOP1_INTERRUPT = 8


class WatchedMemory(np.ndarray):
    """An array that tells when Python writes to it. Any thread may write, as to any array of
    numpy's."""

    asked = 0, 0  # while the IOP is given way: the last command, and when it was given

    @classmethod
    def over(cls, array, written):
        watched = array.view(cls)
        watched.written = written
        return watched

    def __array_finalize__(self, whole):
        self.written = getattr(whole, "written", None)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.written()


_write = WatchedMemory.__setitem__


def _wait_for_answer(watched, seconds):
    """Waits until the IOP has cleared Python's last command, or the time is over."""
    command, given = watched.asked
    while (
        command
        and np.ndarray.__getitem__(watched, COMMAND) == command
        and time.monotonic() < given + seconds
    ):
        time.sleep(GIVE_WAY)


def _give_way_and_read(watched, key):
    if isinstance(key, int) and key == COMMAND:
        _wait_for_answer(watched, ANSWERED_WITHIN)
    value = np.ndarray.__getitem__(watched, key)
    time.sleep(GIVE_WAY)
    return value


def _give_way_and_write(watched, key, value):
    if isinstance(key, int) and key == COMMAND:
        _wait_for_answer(watched, SEEN_WITHIN)
        watched.asked = value, time.monotonic()
    _write(watched, key, value)


def give_way(yes):
    """Sets whether access to the IOP's memory gives the IOP time, because it is slow while it is
    served. From any thread.

    Each read then lets other threads run. Otherwise a driver that waits for the IOP keeps Python
    for 5 ms each time that the IOP waits to be served. Reads and writes of a driver's command wait
    until the IOP has had its time: pynq's Pmod_DevMode gives up after 10 ms, and Pmod_DPOT does not
    wait for an answer."""
    WatchedMemory.__setitem__ = _give_way_and_write if yes else _write
    if yes:
        WatchedMemory.__getitem__ = _give_way_and_read
    elif "__getitem__" in vars(WatchedMemory):
        del WatchedMemory.__getitem__


class Allocation:
    """The bytes of one buffer in DDR. Of a cacheable buffer, Python sees a copy instead: the CPU's
    cache. (A board's cache also drops and writes back words on its own; this one does so only when
    told.)

    Any thread may call any method, and write to the bytes meanwhile: a word that is written during
    a flush goes to DDR now or with the next flush. Python's garbage collector may call free(), too.
    """

    def __init__(self, board, size, cacheable):
        """RuntimeError if there is no room for `size` bytes."""
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


class Memory:
    """A memory of the overlay, such as overlay.PSDDR, with the interface of pynq's own class on a
    board. Any thread may call any method."""

    def __init__(self, device, description):
        self.device, self.desc = device, description
        self.idx, self.base_address, self.size = (
            description.get(key) for key in ("idx", "base_address", "size")
        )

    def __eq__(self, other):
        return type(other) is Memory and (self.device, self.base_address) == (
            other.device,
            other.base_address,
        )

    def __hash__(self):
        return hash((self.device, self.base_address))

    def allocate(self, shape, dtype, **options):
        """A buffer, as pynq.allocate(..., target=this memory) asks for one. RuntimeError if it is
        not DDR memory."""
        if self.base_address != 0:
            raise RuntimeError(
                "Allocate failed: buffers are allocated only in DDR memory, and the memory at"
                f" {self.base_address:#x} is another one: leave out target, or give overlay.PSDDR."
            )
        return self.device.allocate(shape, dtype, **options)

    @property
    def mmio(self):
        return MMIO(self.base_address, self.size, device=self.device)

    def read(self, offset):
        return self.mmio.read(offset)

    def write(self, offset, value):
        self.mmio.write(offset, value)


class VirtualDevice(Device):
    """A Zynq with only the parts that the tutorial uses. `board` has the memory, the CMA pool and
    the MicroBlaze.

    Any thread may call any method; downloads come one after the other. (Data in pynq's own classes,
    such as PL.mem_dict, is as safe among threads as on a board.)"""

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
        self._registers = {
            base: np.zeros(size // 4, np.uint32) for base, size in (INTERRUPT_CONTROLLER, SLCR)
        }
        for offset, value in CLOCKS.items():
            self._registers[SLCR[0]][offset // 4] = value
        registers = self._registers[INTERRUPT_CONTROLLER[0]]
        self.interrupt_controller = Intc(registers)
        self._registers[INTERRUPT_CONTROLLER[0]] = WatchedMemory.over(
            registers, self.interrupt_controller.written
        )
        # the IOP's pin, and whether the flip-flop behind it is held in reset
        self._interrupt = self._interrupt_held = False

    @property
    def lock_file(self):
        """The file whose lock keeps users of the IOP apart (iop/sharing.py): the board's memory,
        which belongs to this process."""
        return f"/proc/self/fd/{self._board.memory.file}"

    def mmap(self, base_addr, length):
        """The uint32 array that answers at a physical address, for pynq.MMIO. ValueError where
        nothing answers, which on a board stops the bus or the whole system. So would an access
        beyond the end of what answers: the array ends there, and numpy raises IndexError."""
        memory = self._board.memory
        places = [(0, DDR_SIZE, memory.ddr)]
        if self._board.has_overlay():
            places.append(BRAM + (WatchedMemory.over(memory.bram, self._board.microblaze.written),))
        places += [
            (base, array.nbytes, array.view(np.uint8)) for base, array in self._registers.items()
        ]
        for base, size, array in places:
            if base <= base_addr < base + size:
                part = array[base_addr - base : base_addr - base + length]
                return part[: len(part) // 4 * 4].view(np.uint32)
        raise ValueError(
            "Nothing answers at {:#x}: with {} there is only {}.".format(
                base_addr,
                "this overlay" if self._board.has_overlay() else "no overlay downloaded yet",
                ", ".join(f"{base:#x} to {base + size - 1:#x}" for base, size, _ in places),
            )
        )

    def allocate(self, shape, dtype, cacheable=0):
        """A PynqBuffer of zeros in CMA memory. If it is cacheable, Python sees what the IOP wrote
        only after buffer.invalidate(), and the IOP sees what Python wrote only after
        buffer.flush(). RuntimeError if there is no room, TypeError or ValueError if there is no
        such array; after an error no memory is in use."""
        shape, dtype = (shape,) if np.isscalar(shape) else tuple(shape), np.dtype(dtype)
        size = dtype.itemsize
        try:
            for dimension in map(operator.index, shape):
                size *= max(dimension, 0)
        except TypeError:
            raise TypeError(
                "shape is {!r}: give whole numbers, as in {}.".format(
                    shape,
                    tuple(
                        int(dimension) if isinstance(dimension, float) else 10
                        for dimension in shape
                    ),
                )
            ) from None
        if dtype.hasobject:
            raise TypeError(
                f"dtype is {dtype}, and a buffer cannot hold Python's objects: give a type of"
                " numbers."
            )
        allocation = self.allocate_bytes(size, cacheable)
        try:
            buffer = PynqBuffer(
                shape,
                dtype,
                buffer=allocation.seen,
                device=self,
                device_address=allocation.address,
                bo=allocation,
                coherent=not cacheable,
            )
        except BaseException:
            allocation.free()
            raise
        allocation.buffer = weakref.ref(buffer)
        # With these three, buffer.freebuffer() and the end of the last reference call
        # return_pointer(), below.
        buffer.pointer = allocation
        buffer.return_to = self
        buffer.memory = self
        self._buffers.add(allocation)
        return buffer

    def allocate_bytes(self, size, cacheable):
        """The Allocation of `size` bytes. RuntimeError if there is no room."""
        self._board.check_open()
        return Allocation(self._board, size, cacheable)

    def return_pointer(self, allocation):
        """Frees a buffer; pynq calls this once for each buffer, or twice if two threads free it at
        once."""
        self._buffers.discard(allocation)
        allocation.free()

    def free_all(self):
        """Frees every buffer. Each is still an array, but no longer one that an IOP may be
        given."""
        for allocation in list(self._buffers):
            buffer = allocation.buffer()
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
        """The memory of an overlay's description. pynq asks for it when somebody uses
        overlay.PSDDR."""
        return Memory(self, description)

    def get_bitfile_metadata(self, bitfile_name, partial=False):
        """The contents of the .hwh beside a .bit. RuntimeError, as on a board, if the .hwh is
        missing or damaged, or if the file's name is not that of a bitstream."""
        stem, extension = os.path.splitext(bitfile_name)
        if extension not in BITSTREAMS:
            raise RuntimeError(
                "{} does not have the name of a bitstream: give the path of a file that ends in {}.".format(
                    bitfile_name, " or ".join(BITSTREAMS)
                )
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
        except Exception as error:
            # any at all: each damaged file makes the parser fail in another way
            raise RuntimeError(
                f"{hwh} cannot be read as the description of an overlay ({error}): get it again"
                " with `git checkout bitstream`."
            ) from None

    def download(self, bitstream, parser=None):
        """Configures the fabric: the IOP's memory is empty and the IOP stands still.

        parser: what the .hwh says; Overlay has read it, and Bitstream has not. RuntimeError, with
        nothing changed, if it cannot be read or the bitstream is a partial one."""
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
        """Does nothing: a board's device keeps a .hwh's contents on the disk, and this one reads
        them anew."""

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
        """A high level sets it until it is reset (boards/ip/dff_en_reset_vector in PYNQ's
        repository)."""
        if self._interrupt_held:
            self.interrupt_controller.line(IOP1_INTERRUPT, 0)
        elif self._interrupt:
            self.interrupt_controller.line(IOP1_INTERRUPT, 1)
