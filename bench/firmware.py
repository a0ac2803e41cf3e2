"""How large the program is, and how many instructions a word takes: counted step by step in the
emulator.

Beside it: the same C as a compiler makes it without optimisation, and the least that the
instruction set allows."""

import os
import re
import subprocess

from mb_src import compiler
from virtual_board.memory import SIZE, SharedMemory
from virtual_board.processor import RESET_STUB
from virtual_board.qemu import Qemu

from .measure import ON_BOARD, ROOT, Skipped

MB_SRC = os.path.join(ROOT, "mb_src")
BRAI_0 = 0xB8080000  # the instruction "jump to address 0"
# words: their difference has no start-up in it, nor what is left over by an unrolled loop
LENGTHS = 64, 320
MOST_STEPS = 100000
# A word needs a store, for no instruction stores two, and as no two words are alike, an addition
# that makes the next value. Unrolled without end, what a loop needs beside them (the address, the
# end, the jump) is nothing a word.
LEAST = 2


def instructions_a_word(program=None):
    """Instructions that the fill loop executes a word. program: bytes of one, the kit's if not
    given."""
    from iop import pynq_tutorial as mailbox  # here, for it imports pynq

    if program is None:
        program = _read(mailbox.PROGRAM)
    memory = SharedMemory()
    qemu = None
    try:
        qemu = Qemu(SIZE, memory.file, RESET_STUB)
        memory.words[RESET_STUB // 4] = BRAI_0
        memory.bram[: len(program)] = bytearray(program)

        def steps_until(word, value):
            for steps in range(MOST_STEPS):
                if memory.words[word // 4] == value:
                    return steps
                qemu.stub.step()
            raise RuntimeError(f"the program did not answer within {MOST_STEPS} instructions")

        def steps_for(length):
            memory.words[mailbox.ARRAY_LENGTH // 4] = length
            memory.words[mailbox.BUFFER_ADDR // 4] = 0x1000  # any place in DDR will do
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


def unoptimised():
    """The bytes of the same C, built with -O0. Skipped if the pinned compiler is not there."""
    folder = compiler.built()
    if folder is None:
        raise Skipped("no pinned compiler here; `make firmware-check` builds it")
    makefile = _read(os.path.join(MB_SRC, "Makefile")).decode()
    cpu = re.search(r"^CPU\s*=\s*(.*)", makefile, re.M).group(1)
    build = os.path.join(MB_SRC, "build")  # for temporary files, too: `make clean` removes it
    os.makedirs(build, exist_ok=True)
    options = "-O0 -std=c99 -ffreestanding -nostdlib -T iop.ld -lgcc"
    for command in (
        f"mb-gcc {cpu} -o build/unoptimised.elf crt0.S pynq_tutorial.c {options}",
        "mb-objcopy -O binary build/unoptimised.elf build/unoptimised.bin",
    ):
        program, *words = command.split()
        subprocess.check_output(
            [str(folder / "bin" / program)] + words,
            cwd=MB_SRC,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, TMPDIR=build),
            timeout=60,
        )
    return _read(os.path.join(build, "unoptimised.bin"))


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def rows(quick):
    """Yields (name, unit, ways, runs) of each row. They are exact, so once is enough."""
    from iop.pynq_tutorial import PROGRAM

    other = unoptimised()
    ways = {"pynq_tutorial.bin": os.path.getsize(PROGRAM), "the same C with -O0": len(other)}
    yield "firmware's size", "bytes", ways, 1
    if ON_BOARD:
        raise Skipped("a board has no emulator that counts instructions")
    ways = {
        "pynq_tutorial.bin": instructions_a_word(),
        "the same C with -O0": instructions_a_word(other),
        "least: a store and an addition": LEAST,
    }
    yield "instructions a word, fill loop", "instructions", ways, 1
