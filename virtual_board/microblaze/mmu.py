"""Several IOPs over one file of memory: each has its BRAM and its peripherals to itself, and all
share DDR.

QEMU's bare machine has the file at address 0, so every IOP's QEMU sees all of it. With its MMU on,
64 TLB entries decide what the IOP's program sees (UG984, "Memory-Management"). Code at the reset
address loads them, and the program never notices: it has no instruction for them that the stock IOP
would execute. An access that no entry leads anywhere is a TLB miss. Its handler leads that page to
one where nothing is, so that a wild pointer reaches no other IOP. It changes r17, which compilers
leave to exceptions. Only a program that changes bits of MSR that the stock IOP does not have can
see more.

The file: DDR, at the address at which an IOP sees it, and from PARTS on a part for each IOP."""

import ctypes
import mmap

import numpy as np

from ..memory import BRAM_SIZE, DDR_END, DDR_WINDOW, SIZE

PAGE = 1 << 24  # bytes: the largest that the MMU has
PARTS, PART_SIZE = DDR_END, 0x08000000
# offsets in an IOP's part: its peripherals, from DDR_END on as it sees them; BRAM; a page for all
# addresses where nothing is; and what the processor runs outside of its program
PERIPHERALS, BRAM, NOWHERE, OWN_CODE = 0x00000000, 0x05000000, 0x06000000, 0x07000000
# offsets in OWN_CODE; MISS is where the processor goes, behind `base-vectors`
RESET, MISS, TABLE, SAVED = 0x1000, 0x20, 0x2000, 0x3000
ENTRIES, FOR_MISSES = 64, 63  # the last entry is the handler's

# TLBLO and TLBHI
EX, WR = 0x200, 0x100
SIZE_16M, VALID = 7 << 7, 0x40
LAST_WORD = 0xEFFC  # the last word before the mailbox


MOST_IOPS = 4  # a PYNQ-Z2's base overlay has two for Pmods, an Arduino's and a Raspberry Pi's


class IopMemory:
    """What an IOP's MicroBlaze sees, in its own part of the file.

    Args:
        shared: The file, as of SharedMemory, with the size that size() gives.
        number: Which part.

    words: as its program sees it: numpy uint32; the index is the address divided by 4
    bram: the 64 KB of BRAM as numpy uint8
    tells: Python tells of each of its writes to program memory, which it reaches by the board's
        arrays alone
    file, size, reset_address, mmu: for Qemu"""

    tells = True

    def __init__(self, shared, number):
        self.words = view(shared.file, number)
        self.bram = self.words.view(np.uint8)[:BRAM_SIZE]
        self.file, self.size = shared.file, shared.words.nbytes
        self.reset_address, self.mmu = reset_address(number), cpu(number)
        self._shared, self._number = shared, number

    def put_reset_code(self):
        """Writes the code that the processor begins with."""
        put_code(self._shared.words, self._number)


def size(iops=MOST_IOPS):
    """Bytes of the file for so many IOPs."""
    return PARTS + iops * PART_SIZE


def part(number):
    """Where the part of an IOP begins; the first is number 0."""
    return PARTS + number * PART_SIZE


def pages(number):
    """[(address of a page as the IOP's program sees it, as it is in the file), ...]"""
    own = part(number)
    found = [(0, own + BRAM)]
    found += [(page, page) for page in range(DDR_WINDOW, DDR_END, PAGE)]
    peripherals = range(DDR_END, SIZE, PAGE)
    return found + [(page, own + PERIPHERALS + page - DDR_END) for page in peripherals]


def cpu(number):
    """QEMU's options of the processor, beside those of every IOP's."""
    return f"use-mmu=on,base-vectors={part(number) + OWN_CODE:#x}"


def reset_address(number):
    return part(number) + OWN_CODE + RESET


def put_code(words, number):
    """Writes the reset code, its table, and the handler of misses into the file.

    Args:
        words: The file as numpy uint32."""
    own = part(number) + OWN_CODE
    table = []
    for seen, there in pages(number):
        table += [seen | SIZE_16M | VALID, there | EX | WR]
    assert len(table) <= 2 * FOR_MISSES
    table += [0] * (2 * ENTRIES - len(table))
    for offset, code in (
        (TABLE, table),
        (RESET, _reset_code(part(number) + BRAM, own + TABLE)),
        (MISS, _miss_handler(part(number) + NOWHERE, own + SAVED)),
    ):
        first = (own + offset) // 4
        words[first : first + len(code)] = code


def _wide(instruction, constant):
    """An instruction with a constant of 32 bits."""
    return 0xB0000000 | constant >> 16, instruction | constant & 0xFFFF  # imm; instruction


def _reset_code(bram, table):
    # Why program memory is written back: see reset.py.
    return [
        *_wide(0x30A00000, bram),  # addik r5, r0, bram
        *_wide(0x30600000, LAST_WORD),  # addik r3, r0, LAST_WORD
        0xC8851800,  # lw    r4, r5, r3
        0xD8851800,  # sw    r4, r5, r3
        0xBE23FFF8,  # bneid r3, -8
        0x3063FFFC,  # addik r3, r3, -4
        *_wide(0x30E00000, table),  # addik r7, r0, table
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
        0xB6400000,  # rtbd  r0, 0
        0x80000000,  # or    r0, r0, r0
    ]


def _miss_handler(nowhere, saved):
    return [
        *_wide(0xF8600000, saved),  # swi   r3, r0, saved
        *_wide(0xF8800000, saved + 4),  # swi   r4, r0, saved + 4
        0x94608003,  # mfs   r3, rear          the address that was missed
        *_wide(0xA4630000, -PAGE & 0xFFFFFFFF),  # andi  r3, r3, -PAGE
        0xA0630000 | SIZE_16M | VALID,  # ori   r3, r3, SIZE_16M | VALID
        0x30800000 | FOR_MISSES,  # addik r4, r0, FOR_MISSES
        0x9404D002,  # mts   rtlbx, r4
        *_wide(0x30800000, nowhere | EX | WR),  # addik r4, r0, nowhere | EX | WR
        0x9404D003,  # mts   rtlblo, r4
        0x9403D004,  # mts   rtlbhi, r3
        *_wide(0xE8800000, saved + 4),  # lwi   r4, r0, saved + 4
        *_wide(0xE8600000, saved),  # lwi   r3, r0, saved
        0xB6910000,  # rted  r17, 0            the access again
        0x80000000,  # or    r0, r0, r0
    ]


def view(file, number):
    """What an IOP's program sees, up to SIZE, as numpy uint32; the index is the address divided by
    4. Only what is used takes memory.

    Args:
        file: The file's descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t) + 3 * (ctypes.c_int,) + (ctypes.c_long,)
    reserved = mmap.mmap(file, SIZE)  # addresses for the pages, each of which replaces a part
    start = ctypes.addressof(ctypes.c_char.from_buffer(reserved))
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    places = dict.fromkeys(range(0, SIZE, PAGE), part(number) + NOWHERE)
    places.update(pages(number))
    for seen, there in places.items():
        length = min(PAGE, SIZE - seen)
        how = mmap.MAP_SHARED | 0x10  # MAP_FIXED
        if libc.mmap(start + seen, length, protection, how, file, there) != start + seen:
            error = ctypes.get_errno()
            raise OSError(error, "the board's memory cannot be mapped")
    return np.frombuffer(reserved, np.uint32)
