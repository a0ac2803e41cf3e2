"""The code at which the emulated processor begins, before the program at address 0, if it has all
of the memory to itself; mmu.py has it for several."""

from .qemu import NO_MMU

# QEMU's bare machine never resets its CPU unless a loader device gives it a reset address, and that
# may not be 0. So it resets to this code, at an address that is unused on the board, which jumps to
# 0. Before that it writes each word of program memory back. QEMU keeps translations of code that it
# ran, and does not notice that Python loads another program over that code, but drops the
# translation of a word that the processor itself writes.
RESET_STUB = 0x1FFF0000
RESET_CODE = (
    *(0xB0000000, 0x3060EFFC),  # imm 0; addik r3, r0, 0xEFFC   the last word before the mailbox
    0xE8830000,  # lwi   r4, r3, 0
    0xF8830000,  # swi   r4, r3, 0
    0xBE23FFF8,  # bneid r3, -8
    0x3063FFFC,  # addik r3, r3, -4
    0xB8080000,  # brai  0
)


class FlatMemory:
    """The base class of a memory that is one MicroBlaze's address space. It has `file`, the file's
    descriptor, and `words`, all of it as numpy uint32."""

    tells = False  # programs write to it, and nobody hears of it
    reset_address, mmu = RESET_STUB, NO_MMU

    @property
    def size(self):
        return self.words.nbytes

    def put_reset_code(self):
        """Writes the code that the processor begins with."""
        self.words[RESET_STUB // 4 : RESET_STUB // 4 + len(RESET_CODE)] = RESET_CODE
