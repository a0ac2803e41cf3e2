"""What the MicroBlaze's instructions do (UG984), as far as somebody who follows a program has to
know it."""

# Opcodes: the highest 6 bits
IMM, RTSD = 0x2C, 0x2D
BRANCHES = (0x26, 0x2E)  # br, bri: a delay slot follows if bit 20 is set, counted from the lowest
CONDITIONAL = (0x27, 0x2F)  # beq, beqi, ...: if bit 25 is set


def continues(instruction):
    """Whether the processor has hidden state after this instruction, beside its registers: a
    prefix, or a delayed branch."""
    opcode = instruction >> 26
    if opcode in BRANCHES:
        return instruction >> 20 & 1
    if opcode in CONDITIONAL:
        return instruction >> 25 & 1
    return opcode in (IMM, RTSD)


def address_accessed(instruction, before, registers):
    """The address that a load or store accesses; None for any other instruction."""
    opcode = instruction >> 26
    if opcode & 0x30 != 0x30:
        return None
    if opcode & 8:
        has_prefix = before is not None and before >> 26 == IMM
        offset = _constant(instruction, before & 0xFFFF if has_prefix else None)
    else:
        offset = registers[instruction >> 11 & 31]
    return (registers[instruction >> 16 & 31] + offset) % 2**32


def branch_target(instruction, at, prefix, registers):
    """Where the program goes on behind the delay slot of a branch.

    Args:
        at: The branch's address.
        prefix: The upper 16 bits of its constant, from an `imm` before it, or None.
        registers: Their values."""
    opcode = instruction >> 26
    offset = registers[instruction >> 11 & 31] if not opcode & 8 else _constant(instruction, prefix)
    first = registers[instruction >> 16 & 31]
    if opcode == RTSD:
        return (first + offset) % 2**32
    if opcode in BRANCHES:
        return (offset if instruction >> 19 & 1 else at + offset) % 2**32
    zero, negative = first == 0, first >> 31
    conditions = zero, not zero, negative, negative or zero, not (negative or zero), not negative
    return (at + (offset if conditions[instruction >> 21 & 7] else 8)) % 2**32


def _constant(instruction, prefix):
    constant = instruction & 0xFFFF
    if prefix is not None:
        return constant | prefix << 16
    return constant | 0xFFFF0000 if constant & 0x8000 else constant
