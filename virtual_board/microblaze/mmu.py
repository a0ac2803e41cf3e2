"""Several IOPs over one file of memory: each has its program memory and its peripherals to itself,
and all share DDR.

An offset in the file is the physical address, as Linux has it, so that DDR and each IOP's program
memory are where they are on a board. From PARTS on each IOP has a part for what Linux does not
reach.

QEMU's bare machine has the whole file at address 0. With its MMU on, 64 TLB entries decide what the
IOP's program sees (UG984, "Memory-Management"). Code at the reset address loads them, and the
program never notices: it has no instruction for them that the stock IOP would execute.

An access that no entry allows is a miss. If it is one to a peripheral, the handler of misses saves
all registers, writes down the address, and waits until Python has done what the instruction would
have done (accesses.py): it looks for the answer again and again while Python looks for requests,
and else wakes Python by a store that QEMU stops after. Any other miss leads that page to one where
nothing is, so that a wild pointer reaches no other IOP. A miss changes r17, which compilers leave
to exceptions. Only a program that changes bits of MSR that the stock IOP does not have can see
more."""

import ctypes
import mmap

import numpy as np

from ..memory import BRAM_SIZE, DDR_END, DDR_WINDOW, SIZE

PAGE = 1 << 24  # bytes: the largest that the MMU has
PARTS, PART_SIZE = 0xC0000000, 0x08000000  # where a Zynq's address map has nothing (UG585)
MOST_IOPS = 4  # a PYNQ-Z2's base overlay has two for Pmods, an Arduino's and a Raspberry Pi's
FILE_SIZE = PARTS + MOST_IOPS * PART_SIZE
# offsets in an IOP's part: its peripherals, from DDR_END on as it sees them; a page for all
# addresses where nothing is; and what the processor runs outside of its program
PERIPHERALS, NOWHERE, OWN_CODE = 0x00000000, 0x05000000, 0x06000000
# offsets in OWN_CODE; MISS is where the processor goes, behind `base-vectors`
RESET, MISS, TABLE, SAVED, BELL = 0x1000, 0x20, 0x2000, 0x3000, 0x4000
# indices of the words at SAVED: the registers r0 to r31 come first; then the address of the access,
# whether Python is asked, and whether Python is looking for requests
ADDRESS, ASKED, LOOKING, WORDS_SAVED = 32, 33, 34, 35
LOOKS = 30000  # of the handler for Python's answer, some tens of microseconds, before it rings
ENTRIES, FOR_MISSES = 64, 63  # the last entry is the handler's

# TLBLO and TLBHI
EX, WR = 0x200, 0x100
SIZE_64K, SIZE_16M, VALID = 3 << 7, 7 << 7, 0x40
LAST_WORD = 0xEFFC  # the last word before the mailbox


class IopMemory:
    """What an IOP's MicroBlaze sees.

    Args:
        file: The file's descriptor.
        everything: All of the file as numpy uint32.
        number: Which of the parts is the IOP's.
        bram: The physical address of its program memory of 64 KB, a multiple of its size.
        reaches_ddr: Whether it has a window to DDR.
        tells: Whether whoever writes to program memory tells the MicroBlaze (written()).

    words: as its program sees it: numpy uint32; the index is the address divided by 4
    bram: its program memory as numpy uint8
    saved: what its handler of misses writes, a memoryview of words
    bell: the address of the store that wakes Python
    file, size, reset_address, cpu: for Qemu"""

    def __init__(self, file, everything, number, bram, reaches_ddr=True, tells=False):
        self.file, self.size, self.tells = file, everything.nbytes, tells
        self.part, self._bram, self._everything = PARTS + number * PART_SIZE, bram, everything
        self._reaches_ddr = reaches_ddr
        self.reset_address = self.part + OWN_CODE + RESET
        self.cpu = f"use-mmu=on,base-vectors={self.part + OWN_CODE:#x}"
        self.bell, saved = self.part + OWN_CODE + BELL, (self.part + OWN_CODE + SAVED) // 4
        self.saved = memoryview(everything[saved : saved + WORDS_SAVED])
        self.words = self._view()
        self.bram = self.words.view(np.uint8)[:BRAM_SIZE]

    def _pages(self):
        """[(address as the IOP's program sees it, where it is in the file, bytes), ...], without
        peripherals."""
        found = [(0, self._bram, BRAM_SIZE)]
        if self._reaches_ddr:
            found += [(DDR_WINDOW + at, at, PAGE) for at in range(0, DDR_END - DDR_WINDOW, PAGE)]
        return found

    def _of_peripheral(self, address):
        return self.part + PERIPHERALS + address - DDR_END

    def put_reset_code(self, readable=()):
        """Writes the code that the processor begins with, its table, and the handler of misses.

        Args:
            readable: Where in the peripherals the program may read without asking Python: addresses
                of 64 KB each."""
        own, entries = self.part + OWN_CODE, []
        for seen, there, length in self._pages():
            size = SIZE_64K if length == BRAM_SIZE else SIZE_16M
            entries += [(seen | size | VALID, there | EX | WR)]
        entries += [(at | SIZE_64K | VALID, self._of_peripheral(at) | EX) for at in readable]
        del entries[FOR_MISSES:]  # it asks Python more often
        entries += [(0, 0)] * (FOR_MISSES - len(entries))
        # where it runs until it jumps to the program, which cannot write here: that is a miss
        entries += [(own | SIZE_16M | VALID, own | EX)]
        for offset, code in (
            (TABLE, [word for entry in entries for word in entry]),
            (RESET, _reset_code(own)),
            (MISS, _miss_handler(self.part + NOWHERE, own)),
        ):
            first = (own + offset) // 4
            self._everything[first : first + len(code)] = code

    def _view(self):
        """The file's pages in the order in which the program sees them. Only what is used takes
        memory."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype, unsigned = ctypes.c_void_p, ctypes.c_size_t
        libc.mmap.argtypes = (ctypes.c_void_p, unsigned, *3 * (ctypes.c_int,), ctypes.c_int64)
        reserved = mmap.mmap(self.file, SIZE)  # addresses for the pages, each of which replaces one
        start = ctypes.addressof(ctypes.c_char.from_buffer(reserved))
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        nothing = [(at, self.part + NOWHERE, PAGE) for at in range(0, SIZE, PAGE)]
        own = [(at, self._of_peripheral(at), PAGE) for at in range(DDR_END, SIZE, PAGE)]
        for seen, there, length in nothing + self._pages() + own:
            length, how = min(length, SIZE - seen), mmap.MAP_SHARED | 0x10  # MAP_FIXED
            if libc.mmap(start + seen, length, protection, how, self.file, there) != start + seen:
                error = ctypes.get_errno()
                raise OSError(error, "the board's memory cannot be mapped")
        return np.frombuffer(reserved, np.uint32)


def _wide(instruction, constant):
    """An instruction with a constant of 32 bits."""
    return 0xB0000000 | constant >> 16, instruction | constant & 0xFFFF  # imm; instruction


def _reset_code(own):
    loads_table = [
        *_wide(0x30E00000, own + TABLE),  # addik r7, r0, own + TABLE
        0x30600000,  # addik r3, r0, 0
        0xE9070000,  # lwi   r8, r7, 0
        0xE9270004,  # lwi   r9, r7, 4
        0x9403D002,  # mts   rtlbx, r3
        0x9409D003,  # mts   rtlblo, r9
        0x9408D004,  # mts   rtlbhi, r8
        0x30E70008,  # addik r7, r7, 8
        0x30630001,  # addik r3, r3, 1
        0x30830000 | -ENTRIES & 0xFFFF,  # addik r4, r3, -ENTRIES
        0xBC24FFE0,  # bnei  r4, -32
        0x94808001,  # mfs   r4, rmsr
        0xA0844000,  # ori   r4, r4, 0x4000   VMS: virtual mode from the return on
        0x9404C001,  # mts   rmsr, r4
    ]
    virtual = own + RESET + 4 * (len(loads_table) + 3)
    # It writes each word of program memory back: QEMU keeps translations of code that it ran, and
    # does not notice that Python loads another program over that code, but drops the translation of
    # a word that the processor itself writes.
    return [
        *loads_table,
        *_wide(0xB6400000, virtual),  # rtbd  r0, virtual
        0x80000000,  # or    r0, r0, r0
        *_wide(0x30600000, LAST_WORD),  # addik r3, r0, LAST_WORD
        0xE8830000,  # lwi   r4, r3, 0
        0xF8830000,  # swi   r4, r3, 0
        0xBE23FFF8,  # bneid r3, -8
        0x3063FFFC,  # addik r3, r3, -4
        0xB8080000,  # brai  0
    ]


def _miss_handler(nowhere, own):
    saved = own + SAVED
    begins = [
        *_wide(0xF8600000, saved + 4 * 3),  # swi   r3, r0, saved + 4 * 3
        *_wide(0x30600000, saved),  # addik r3, r0, saved
        _to_saved(4),
        _to_saved(5),
        0x94808005,  # mfs   r4, resr
        0xA4840001,  # andi  r4, r4, 1        whether the instruction itself was missed
    ]
    finds_place = [
        0x94808003,  # mfs   r4, rear         the address that was missed
        *_wide(0x30A40000, -DDR_END & 0xFFFFFFFF),  # addik r5, r4, -DDR_END
        *_wide(0x30800000, SIZE - DDR_END - 1),  # addik r4, r0, SIZE - DDR_END - 1
        0x14852003,  # cmpu  r4, r5, r4       negative if it is not a peripheral's
    ]
    asks = [
        *map(_to_saved, OTHERS),
        0x94808003,  # mfs   r4, rear
        _to_saved(4, ADDRESS),
        BARRIER,
        0x30800001,  # addik r4, r0, 1
        _to_saved(4, ASKED),
        0x30A00000 | LOOKS,  # addik r5, r0, LOOKS
        _from_saved(4, ASKED),
        0xBC040020,  # beqi  r4, 32           it was answered
        _from_saved(4, LOOKING),
        0xBC04000C,  # beqi  r4, 12
        0x30A5FFFF,  # addik r5, r5, -1
        0xBC25FFEC,  # bnei  r5, -20
        *_wide(0xF8000000, own + BELL),  # swi   r0, r0, own + BELL
        0xB800FFDC,  # bri   -36
        BARRIER,
        *map(_from_saved, (*OTHERS, 5, 4, 3)),
        0xB6910000,  # rted  r17, 0           where Python says
        0x80000000,  # or    r0, r0, r0
    ]
    to_nowhere = [
        0x94808003,  # mfs   r4, rear
        *_wide(0xA4840000, -PAGE & 0xFFFFFFFF),  # andi  r4, r4, -PAGE
        0xA0840000 | SIZE_16M | VALID,  # ori   r4, r4, SIZE_16M | VALID
        0x30A00000 | FOR_MISSES,  # addik r5, r0, FOR_MISSES
        0x9405D002,  # mts   rtlbx, r5
        *_wide(0x30A00000, nowhere | EX | WR),  # addik r5, r0, nowhere | EX | WR
        0x9405D003,  # mts   rtlblo, r5
        0x9404D004,  # mts   rtlbhi, r4
        *map(_from_saved, (5, 4, 3)),
        0xB6910000,  # rted  r17, 0           the access again
        0x80000000,  # or    r0, r0, r0
    ]
    beyond = 4 * (len(asks) + 1)
    return [
        *begins,
        0xBC240000 | beyond + 4 * (len(finds_place) + 1),  # bnei  r4, to_nowhere
        *finds_place,
        0xBC440000 | beyond,  # blti  r4, to_nowhere
        *asks,
        *to_nowhere,
    ]


OTHERS = [1, 2, *range(6, 32)]  # the registers that the handler does not use itself
BARRIER = 0xB8220004  # mbar 1


def _to_saved(register, index=None):
    """swi register, r3, 4 * index"""
    return 0xF8030000 | register << 21 | 4 * (register if index is None else index)


def _from_saved(register, index=None):
    """lwi register, r3, 4 * index"""
    return 0xE8030000 | register << 21 | 4 * (register if index is None else index)
