"""Stops the emulated processor while it can do nothing but wait, so that a polling program costs no CPU time.

A program that polls its mailbox looks busy to QEMU. It is put to sleep on proof alone: executed step by step, it comes back
to a state, all its registers and its program counter, that it was in before, and no instruction between changed a word
of memory. Then it will go round for ever, unless one of the words that it reads or stores changes; and so these are what is
watched. (It stores what is there already, but would overwrite what comes there from elsewhere.) A program that computes,
however long, never comes back to a state, and is never stopped for longer than a look takes.
"""

import numpy as np

# Opcodes of the MicroBlaze's instructions, bits 0 to 5 (UG984)
IMM = 0x2C
RTSD = 0x2D
BRANCHES = (0x26, 0x2E)  # br, bri: a delay slot follows if bit 11 is set
CONDITIONAL = (0x27, 0x2F)  # beq, beqi, ...: if bit 6 is set

FIRST_LOOK = 64  # instructions; our own program's loop has two
LONGEST_LOOK = 4096


def find_wait(debugger, words, steps, interrupted, served):
    """Steps a stopped processor until it is proven to wait.

    debugger: its gdb.Stub; words: its memory; steps: how many instructions at most; interrupted: a function, true to give
    up at once; served: a function that is given the report of each step, true if that has accessed a peripheral
    Returns the words that it reads or stores, a change of which ends its wait: their indices, and what it found in them. None
    if nothing is proven.
    """
    seen = set()
    accessed = {}  # index of a word: what the processor found there, which Python may have changed by now
    before = None  # the instruction that led here
    for _ in range(steps):
        if interrupted():
            return None
        registers = debugger.registers()
        pc = registers[32]
        if before is not None and not _continues(before):
            if registers in seen:
                return np.array(list(accessed), int), np.array(list(accessed.values()), np.uint32)
            seen.add(registers)
        if pc // 4 >= len(words):
            return None
        instruction = int(words[pc // 4])
        address = _address_accessed(instruction, before, registers)
        if address is not None and address // 4 < len(words):  # beyond, there is nothing to be changed or to change
            found = int(words[address // 4])
            if instruction >> 26 & 4 and not _stores_the_same(instruction, address, registers, found):
                return None
            accessed[address // 4] = found
        if served(debugger.step()):  # which has done something, and may do it again
            return None
        before = instruction
    return None


def _continues(instruction):
    """Whether the processor holds more than its registers show after this instruction: a prefix, or a branch to come."""
    opcode = instruction >> 26
    return (opcode in (IMM, RTSD) or opcode in BRANCHES and instruction >> 20 & 1
            or opcode in CONDITIONAL and instruction >> 25 & 1)


def _address_accessed(instruction, before, registers):
    """Where in memory a load or store accesses something; None for any other instruction."""
    opcode = instruction >> 26
    if opcode & 0x30 != 0x30:
        return None
    if opcode & 8:
        offset = instruction & 0xFFFF
        if before is not None and before >> 26 == IMM:
            offset |= (before & 0xFFFF) << 16
        elif offset & 0x8000:
            offset |= 0xFFFF0000
    else:
        offset = registers[instruction >> 11 & 31]
    return (registers[instruction >> 16 & 31] + offset) % 2**32


def _stores_the_same(instruction, address, registers, word):
    """Whether a store leaves the word in memory as it was. What the memory holds after the step would not tell: Python may have
    written to it again by then, and often does, for an answer is a store."""
    opcode = instruction >> 26
    size = 1 << (opcode & 3)
    swaps_bytes = not opcode & 8 and instruction & 0x200  # sbr, shr, swr
    if swaps_bytes or address % size:
        return False
    mask = 2**(8 * size) - 1
    return (word >> 8 * (address % 4)) & mask == registers[instruction >> 21 & 31] & mask
