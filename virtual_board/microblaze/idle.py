"""Stops the emulated processor while it can do nothing but wait, so that a polling program costs no
CPU time.

A program that polls its mailbox looks busy to QEMU. It is put to sleep only on proof: executed step
by step, it comes back to a state (all its registers and its program counter) that it was in before,
and no instruction in between changed a word of memory. From then on it repeats itself for ever,
unless one of the words that it reads or stores changes. So these words are watched. (It stores what
is there already, but would overwrite what somebody else writes there.) A program that computes,
however long, never comes back to a state, and is never stopped for longer than a look takes."""

import numpy as np

from .gdb import PC
from .instructions import address_accessed, continues

FIRST_LOOK = 64  # instructions; our own program's loop has two
LONGEST_LOOK = 4096


def find_wait(debugger, words, steps, interrupted, served):
    """Steps a stopped processor until it is proven to wait.

    Args:
        debugger: Its gdb.Stub.
        words: Its memory.
        steps: How many instructions at most.
        interrupted: A function that returns whether to give up at once.
        served: A function that takes the report of each step, and returns whether it accessed a
            peripheral.
    Returns:
        The indices and the values of the words that the processor reads or stores: a change to one
        ends its wait. None if nothing is proven."""
    seen = set()
    # index of a word: the value that the processor found there; Python may have changed it by now
    accessed = {}
    before = None  # the last instruction
    for _ in range(steps):
        if interrupted():
            return None
        registers = debugger.registers()
        pc = registers[PC]
        if before is not None and not continues(before):
            if registers in seen:
                return np.array(list(accessed), int), np.array(list(accessed.values()), np.uint32)
            seen.add(registers)
        if pc // 4 >= len(words):
            return None
        instruction = int(words[pc // 4])
        address = address_accessed(instruction, before, registers)
        if address is not None and address // 4 < len(words):  # there is no memory beyond
            found = int(words[address // 4])
            stores = instruction >> 26 & 4
            if stores and not _stores_the_same(instruction, address, registers, found):
                return None
            accessed[address // 4] = found
        if served(debugger.step()):  # a peripheral has acted, and may act again
            return None
        before = instruction
    return None


def _stores_the_same(instruction, address, registers, word):
    """Whether a store leaves the word in memory as it was. Memory after the step would not tell:
    Python often has written to it again by then, because a program's answer is a store."""
    opcode = instruction >> 26
    size = 1 << (opcode & 3)
    swaps_bytes = not opcode & 8 and instruction & 0x200  # sbr, shr, swr
    if swaps_bytes or address % size:
        return False
    mask = 2 ** (8 * size) - 1
    return (word >> 8 * (address % 4)) & mask == registers[instruction >> 21 & 31] & mask
