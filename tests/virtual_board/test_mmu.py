"""Two IOPs over one file of memory, each in a QEMU of its own: DDR is common, and nothing that one
of them does reaches what is the other's."""

import pytest

from helpers.iops import BRAMS, PART, RESULT, Machine, put, wide
from virtual_board.memory import DDR_WINDOW
from virtual_board.microblaze import mmu

# where the second IOP's memory, peripherals and reset code are in the file
OF_THE_OTHER = [BRAMS[1], PART + mmu.PERIPHERALS, PART + mmu.OWN_CODE + mmu.MISS]
# its own reset code, which it runs until it jumps to the program
OWN = mmu.PARTS + mmu.OWN_CODE + mmu.RESET
WILD = OF_THE_OTHER + [OWN, 0x00020000, 0x01000000, 0x1FFFFFFC, 0x45000000, 0x80000000, 0xFFFFFFFC]


@pytest.fixture(scope="module")
def machine():
    machine = Machine()
    yield machine
    machine.close()


def test_each_has_its_own_memory_and_all_share_ddr(machine):
    for number in (0, 1):
        there = DDR_WINDOW + 4 * number
        assert machine.run(number, put(5 + number, RESULT) + put(7 + number, there))
    assert [seen[RESULT // 4] for seen in machine.seen] == [5, 6]
    for seen in machine.seen:
        assert seen[DDR_WINDOW // 4 :][:2].tolist() == [7, 8]


def test_each_has_its_own_peripherals(machine):
    for number in (0, 1):
        assert machine.run(number, put(9 + number, 0x40000000) + put(11 + number, 0x44FFFFFC))
    assert [seen[0x40000000 // 4] for seen in machine.seen] == [9, 10]
    assert [seen[0x44FFFFFC // 4] for seen in machine.seen] == [11, 12]


def store(address):
    return put(13, address)


def store_in_a_delay_slot(address):
    """... whose instruction has no prefix, because none may be in one."""
    return [*wide(0x30800000, address), 0x3060000D, 0xB8100008, 0xF8640000]  # brid 8; swi r3, r4, 0


def load(address):
    """... which a store of what was loaded follows."""
    return wide(0xE8A00000, address) + wide(0xF8A00000, RESULT)


@pytest.mark.parametrize("access", [store, store_in_a_delay_slot, load])
def test_a_wild_access_reaches_nothing_of_the_others(machine, access):
    assert machine.run(1, put(3, RESULT))
    theirs = machine.of_the_other()
    assert theirs.any()
    for address in WILD:
        assert machine.run(0, access(address)), hex(address)
        assert (machine.of_the_other() == theirs).all(), hex(address)
    assert machine.run(0, sum(map(access, WILD), []))  # one after the other
    assert (machine.of_the_other() == theirs).all()
    assert machine.run(1, put(4, RESULT)) and machine.seen[1][RESULT // 4] == 4


def test_a_wild_access_keeps_the_registers(machine):
    """r3 and r4, which the handler uses, and the carry: addc r5, r3, r4 adds it."""
    program = [*wide(0x20C00000, 0xFFFFFFFF), 0x20C60001]  # addi r6, r0, -1; addi r6, r6, 1: carry
    program += [0x30600003, 0x30800004, *wide(0xF8000000, 0x50000000)]  # r3 = 3, r4 = 4; swi r0
    program += [0x08A32000, *wide(0xF8A00000, RESULT)]  # addc r5, r3, r4; swi r5
    assert machine.run(0, program)
    assert machine.seen[0][RESULT // 4] == 8


def test_a_jump_to_nowhere_runs_nothing_of_the_others(machine):
    assert machine.run(1, put(3, RESULT))
    theirs = machine.of_the_other()
    for address in OF_THE_OTHER:
        jump = wide(0xB8080000, address & ~3)  # brai
        assert not machine.run(0, jump, seconds=0.3)
        assert (machine.of_the_other() == theirs).all()
    assert machine.run(0, put(6, RESULT))  # a reset brings it back
