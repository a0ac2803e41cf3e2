"""Two IOPs over one file of memory, each in a QEMU of its own, for programs written as words."""

import mmap
import os

import numpy as np

from helpers.waiting import soon
from virtual_board.microblaze import mmu
from virtual_board.microblaze.accesses import Accesses
from virtual_board.microblaze.qemu import Qemu

STAY = 0xB8000000  # bri 0
RESULT, DONE = 0xF010, 0xF014
BRAMS = 0x40000000, 0x40010000  # in one page of 16 MB
PART = mmu.PARTS + mmu.PART_SIZE  # where the second IOP's own part is in the file


def wide(instruction, constant):
    return [0xB0000000 | constant >> 16, instruction | constant & 0xFFFF]


def put(value, address):
    """addik r3, r0, value; swi r3, r0, address"""
    return [0x30600000 | value, *wide(0xF8600000, address)]


class Memory:
    """In the place of peripherals: what they do beside keeping values is not tested here."""

    def __init__(self, words):
        self._bytes = memoryview(words).cast("B")
        self.made = []  # of accesses

    def load(self, address, size):
        self.made.append(("load", address, size))
        return int.from_bytes(self._bytes[address : address + size], "little")

    def store(self, address, size, value):
        self.made.append(("store", address, size))
        value &= 2 ** (8 * size) - 1
        self._bytes[address : address + size] = value.to_bytes(size, "little")


class Machine:
    """The file, and a QEMU for each IOP."""

    def __init__(self):
        self.file = os.memfd_create("iops")
        os.ftruncate(self.file, mmu.FILE_SIZE)
        self.words = np.frombuffer(mmap.mmap(self.file, mmu.FILE_SIZE), np.uint32)
        self.seen, self.qemus, self.memories = [], [], []
        self.peripherals, self.accesses = [], []
        for number, bram in enumerate(BRAMS):
            memory = mmu.IopMemory(self.file, self.words, number, bram)
            memory.put_reset_code()
            self.memories.append(memory)
            self.seen.append(memory.words)
            self.qemus.append(Qemu(memory))
            self.peripherals.append(Memory(memory.words))
            self.accesses.append(Accesses(memory, self.peripherals[-1]))

    def start(self, number, program, looking=True):
        """Starts a program, which sets DONE in the end."""
        seen, stub, accesses = self.seen[number], self.qemus[number].stub, self.accesses[number]
        stub.stop()
        accesses.looking = looking
        accesses.forget()
        self.peripherals[number].made.clear()
        program = program + put(1, DONE) + [STAY]
        seen[: 0x10000 // 4] = 0
        seen[: len(program)] = program
        stub.reset()
        stub.go()

    def run(self, number, program, seconds=5):
        """Runs a program to its end; returns whether it came there in time."""
        self.start(number, program)
        seen, accesses = self.seen[number], self.accesses[number]

        def ended():
            while accesses.asked:
                accesses.make()
            return seen[DONE // 4] == 1

        return soon(ended, seconds, pause=0.001)

    def of_the_other(self):
        """The second IOP's words in the file, as a copy without those that are 0 anyway."""
        pages = [BRAMS[1], *range(PART, PART + mmu.PART_SIZE, mmu.PAGE)]
        return np.concatenate([self.words[at // 4 : (at + 0x10000) // 4] for at in pages])

    def close(self):
        for qemu in self.qemus:
            qemu.end()
        os.close(self.file)
