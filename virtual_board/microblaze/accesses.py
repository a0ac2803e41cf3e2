"""The program's accesses to peripherals, which the handler of misses asks Python for (mmu.py): to
decode the instruction, and to do what it does."""

import threading

from .instructions import IMM, branch_target, continues
from .mmu import ADDRESS, ASKED, LOOKING

AT = 17  # the register that has the address of the instruction, and gets that of the next one


class Accesses:
    """For the thread that speaks with QEMU.

    Args:
        memory: The IopMemory.
        peripherals: Has load(address, size) -> value, and store(address, size, value)."""

    def __init__(self, memory, peripherals):
        self._saved, self._words = memory.saved, memory.words
        self._peripherals = peripherals
        self._held = threading.Lock()
        self._held.acquire()
        self._decoded = {}  # what _decode() returned, by address

    @property
    def asked(self):
        """Whether the program waits for one."""
        return self._saved[ASKED]

    @property
    def looking(self):
        """Whether this thread looks for what is asked; the handler then waits for some time before
        it rings."""
        return self._saved[LOOKING]

    @looking.setter
    def looking(self, looking):
        self._saved[LOOKING] = looking

    def forget(self):
        """Another program comes. The processor has to stand."""
        self._saved[ASKED] = 0
        self._decoded.clear()

    def make(self):
        """Makes the one that is asked for, and lets the program go on."""
        saved = self._saved
        at = saved[AT]
        if at not in self._decoded:
            self._decoded[at] = self._decode(at)
        register, size, stores, swaps, after, branch = self._decoded[at]
        if branch is not None:  # which comes before a load into the register that it looks at
            after = branch_target(*branch, saved)
        if stores:
            value = saved[register]
            self._peripherals.store(saved[ADDRESS], size, _swapped(value, size) if swaps else value)
        else:
            value = self._peripherals.load(saved[ADDRESS], size)
            if register:  # r0 stays 0
                saved[register] = _swapped(value, size) if swaps else value
        saved[AT] = after
        # QEMU sees the answer before this word: a release and an acquisition keep them in order, on
        # an ARM processor too
        self._held.release()
        self._held.acquire()
        saved[ASKED] = 0

    def _decode(self, at):
        """(register, bytes, whether it stores, whether it swaps the bytes, address of the next
        instruction, arguments of branch_target() if this is in a delay slot) of the instruction
        that was missed: the one at this address, or with its prefix, or with its branch."""
        prefix, branch = None, None
        instruction = int(self._words[at // 4])
        while continues(instruction):
            if instruction >> 26 == IMM:
                prefix = instruction & 0xFFFF
            else:
                branch = instruction, at, prefix
            at += 4
            instruction = int(self._words[at // 4])
        size = 1 << (instruction >> 26 & 3)
        swaps = not instruction >> 26 & 8 and instruction & 0x200  # lhur, lwr, shr, swr
        stores = bool(instruction >> 26 & 4)
        return instruction >> 21 & 31, size, stores, swaps, at + 4, branch


def _swapped(value, size):
    value &= 2 ** (8 * size) - 1
    return int.from_bytes(value.to_bytes(size, "little"), "big")
