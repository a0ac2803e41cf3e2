"""How large the program is, and how many instructions a word takes: counted step by step in the
emulator, beside the least that the instruction set allows."""

import os

from virtual_board.memory import SharedMemory
from virtual_board.microblaze.mmu import FILE_SIZE, IopMemory
from virtual_board.microblaze.qemu import Qemu

from .measure import ON_BOARD

# words: their difference has no start-up in it, nor what is left over by an unrolled loop
LENGTHS = 64, 320
MOST_STEPS = 200000  # most of them are the reset code's
BRAM = 0x40000000  # its physical address, which does not matter here
# A word needs a store, for no instruction stores two, and as no two words are alike, an addition
# that makes the next value. Unrolled without end, what a loop needs beside them (the address, the
# end, the jump) is nothing a word.
LEAST = 2
BUDGET = 512  # bytes, which tests/mb_src/test_firmware.py holds it to


def instructions_a_word():
    """Instructions that the fill loop of the kit's program executes a word."""
    from iop import pynq_tutorial as mailbox  # here, for it imports pynq

    with open(mailbox.PROGRAM, "rb") as file:
        program = file.read()
    memory = SharedMemory(FILE_SIZE)
    iop = IopMemory(memory.file, memory.words, 0, BRAM)
    iop.put_reset_code()
    qemu = None
    try:
        qemu = Qemu(iop)
        iop.bram[: len(program)] = bytearray(program)

        def steps_until(word, value):
            for steps in range(MOST_STEPS):
                if iop.words[word // 4] == value:
                    return steps
                qemu.stub.step()
            raise RuntimeError(f"the program did not answer within {MOST_STEPS} instructions")

        def steps_for(length):
            iop.words[mailbox.ARRAY_LENGTH // 4] = length
            iop.words[mailbox.BUFFER_ADDR // 4] = 0x1000  # any place in DDR will do
            return steps_until(mailbox.BUFFER_ADDR, 0)

        steps_until(mailbox.STATUS, mailbox.STATUS_READY)
        # from here on each request begins and ends in the same place of the waiting loop
        steps_for(1)
        short, long = LENGTHS
        return (steps_for(long) - steps_for(short)) / (long - short)
    finally:
        if qemu is not None:
            qemu.end()
        memory.close()


def rows(quick):
    """Yields (name, unit, ways, runs) of each row. They are exact, so once is enough."""
    from iop.pynq_tutorial import PROGRAM

    ways = {"pynq_tutorial.bin": os.path.getsize(PROGRAM), "the budget": BUDGET}
    yield "firmware's size", "bytes", ways, 1
    if not ON_BOARD:  # which has no emulator that counts instructions
        ways = {"pynq_tutorial.bin": instructions_a_word(), "a store and an addition": LEAST}
        yield "instructions a word, fill loop", "instructions", ways, 1
