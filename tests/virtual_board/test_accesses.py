"""An access to a peripheral, which Python makes, does what the instruction would have done: the
same programs run beside it on memory that QEMU reaches itself."""

import re

import pytest
from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2

from helpers.iops import DONE, RESULT, Machine, put, wide
from helpers.kit import OVERLAY
from helpers.waiting import soon
from virtual_board.memory import DDR_WINDOW
from virtual_board.microblaze import processor
from virtual_board.pmods import Tmp2

PERIPHERAL, MEMORY = 0x44A00000, DDR_WINDOW + 0x8000
DATA = [0x8899AABB, 0xCCDDEEFF, 0x01234567, 0x76543210]
R3, R4, R5, R6, R7, R8 = range(3, 9)
# opcodes with registers only; with a constant each has 8 more
LOADS = {"lbu": (0x30, 1), "lhu": (0x31, 2), "lw": (0x32, 4)}
STORES = {"sb": (0x34, 1), "sh": (0x35, 2), "sw": (0x36, 4)}
CONDITIONS = ["eq", "ne", "lt", "le", "gt", "ge"]
SWAPS, DELAYED = 0x200, 0x10


@pytest.fixture(scope="module")
def machine():
    machine = Machine()
    yield machine
    machine.close()


def a(opcode, first, second, third, more=0):
    return opcode << 26 | first << 21 | second << 16 | third << 11 | more


def b(opcode, first, second, constant):
    return opcode << 26 | first << 21 | second << 16 | constant & 0xFFFF


def run(machine, base, code, tested=0):
    """What a program has in r3 and r8 in the end, and what is at `base` then. Before, r4 is 4, r5
    is `base`, r6 is `tested`, and r7 a value to store."""
    machine.seen[0][base // 4 : base // 4 + len(DATA)] = DATA
    program = [b(0x0C, R4, 0, 4), *wide(b(0x0C, R5, 0, 0), base)]
    program += [*wide(b(0x0C, R6, 0, 0), tested), *wide(b(0x0C, R7, 0, 0), 0xFEDCBA98), *code]
    for register, address in (R3, RESULT), (R8, RESULT - 4):
        program += wide(b(0x3E, register, 0, 0), address)
    assert machine.run(0, program)
    seen = machine.seen[0]
    results = seen[RESULT // 4], seen[RESULT // 4 - 1], *seen[base // 4 : base // 4 + len(DATA)]
    return [hex(value) for value in results]


def check(machine, code, how, **options):
    """code: a function of the base; how: what the peripherals are asked for, in order"""
    expected = run(machine, MEMORY, code(MEMORY), **options)
    assert machine.peripherals[0].made == []
    assert run(machine, PERIPHERAL, code(PERIPHERAL), **options) == expected
    assert machine.peripherals[0].made == [(what, PERIPHERAL + at, size) for what, at, size in how]


@pytest.mark.parametrize("name", [*LOADS, *STORES])
def test_each_size_with_a_register_a_constant_and_a_prefix(machine, name):
    opcode, size = {**LOADS, **STORES}[name]
    what, register = ("load", R3) if name in LOADS else ("store", R7)
    for at in range(0, 4, size):
        check(machine, lambda base: [b(opcode + 8, register, R5, at)], [(what, at, size)])
        prefixed = lambda base: wide(b(opcode + 8, register, 0, 0), base + at)  # noqa: E731
        check(machine, prefixed, [(what, at, size)])
    check(machine, lambda base: [b(opcode + 8, register, R5, 8)], [(what, 8, size)])
    for more in 0, SWAPS:
        at = {1: 7, 2: 6, 4: 4}[size] if more else 4  # which a swap of a part of a word moves
        check(machine, lambda base: [a(opcode, register, R5, R4, more)], [(what, at, size)])


def test_r0_stays_zero_and_is_stored_as_zero(machine):
    code = [b(0x3A, 0, R5, 4), a(0x20, R3, 0, 0), b(0x3E, 0, R5, 8)]  # lwi r0; or r3, r0; swi r0
    check(machine, lambda base: code, [("load", 4, 4), ("store", 8, 4)])


BRANCHES = {
    "brid": lambda at: [b(0x2E, DELAYED, 0x10, 12)],
    "brlid": lambda at: [b(0x2E, R8, 0x14, 12)],
    "braid": lambda at: [b(0x2E, 0, 0x18, at + 12)],
    "brid, prefixed": lambda at: wide(b(0x2E, 0, 0x10, 0), 12),
    "brd": lambda at: [b(0x0C, R8, 0, 12), a(0x26, 0, 0x10, R8)],
    "brad": lambda at: [b(0x0C, R8, 0, at + 16), a(0x26, 0, 0x18, R8)],
    "rtsd": lambda at: [b(0x0C, R8, 0, at + 8), b(0x2D, 0x10, R8, 8)],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_behind_a_branch(machine, name):
    """The instruction in its delay slot; what it goes over would set r8."""
    at = 4 * 7  # where the code begins
    lengths = {"brid, prefixed": 1, "brd": 1, "brad": 1, "rtsd": 1}

    def code(base):
        branch = BRANCHES[name](at)
        assert len(branch) == 1 + lengths.get(name, 0)
        return [*branch, b(0x3A, R3, R5, 4), b(0x0C, R8, 0, 1)]

    check(machine, code, [("load", 4, 4)])


@pytest.mark.parametrize("condition", range(6), ids=CONDITIONS)
def test_behind_a_condition(machine, condition):
    """... which looks at the register that the load changes."""
    for tested in 0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF:
        for branch in (
            [b(0x2F, DELAYED | condition, R6, 12)],
            [b(0x0C, R8, 0, 12), a(0x27, DELAYED | condition, R6, R8)],
        ):
            slot = [b(0x3A, R6, R5, 4), b(0x0C, R8, 0, 1), a(0x20, R3, R6, 0)]
            check(machine, lambda base: branch + slot, [("load", 4, 4)], tested=tested)


def test_all_registers_and_the_carry_stay(machine):
    code = [b(0x0C, number, 0, number) for number in range(1, 32) if number not in (R5, 17)]
    code += [*wide(b(0x08, R6, 0, 0), 0xFFFFFFFF), b(0x08, R6, R6, 1)]  # addi: the carry is set
    code += [b(0x3E, R4, R5, 0), a(0x02, R3, 0, 0)]  # swi; addc r3, r0, r0
    for number in range(1, 32):
        if number not in (R3, R5, 17):
            code += [a(0x00, R3, R3, number), a(0x00, R3, R3, R3)]
    check(machine, lambda base: code, [("store", 0, 4)])


def test_each_register_is_loaded_and_stored(machine):
    code, how = [], []
    for number in set(range(1, 32)) - {R5, 17}:
        at, to = 4 * (number % 4), 4 * ((number + 1) % 4)
        code += [b(0x3A, number, R5, at), b(0x08, number, number, number), b(0x3E, number, R5, to)]
        how += [("load", at, 4), ("store", to, 4)]
    check(machine, lambda base: code, how)


def test_behind_a_branch_that_goes_far(machine):
    """... whose prefix matters: without it, 0xC000 is a negative number."""

    def code(base):
        there, back = 0xC000, 4 * 15
        come_back = wide(b(0x0C, R8, 0, 0), b(0x2E, 0, 0x08, back))  # r8: brai back
        goes = [*wide(b(0x2E, 0, 0x18, 0), there), b(0x3A, R3, R5, 4), b(0x0C, R4, 0, 1)]
        return [*come_back, *wide(b(0x3E, R8, 0, 0), there), *goes, a(0x20, R8, R4, 0)]

    check(machine, code, [("load", 4, 4)])


def test_a_program_that_is_not_looked_at_rings(machine):
    """It stands at its bell, and goes on when its access was made."""
    memory, accesses = machine.memories[0], machine.accesses[0]
    stub = machine.qemus[0].stub
    stub.stop()
    stub.watch(False, memory.bell, 4)
    machine.start(0, put(9, PERIPHERAL), looking=False)
    report = None
    while report is None:
        report = stub.report()
    assert re.search(rb";watch:0*%x;" % memory.bell, report) and accesses.asked
    accesses.make()
    stub.go()
    assert soon(lambda: machine.seen[0][DONE // 4] == 1)
    assert machine.seen[0][PERIPHERAL // 4] == 9


@pytest.mark.parametrize("row", [0, 0.05])
def test_a_driver_is_served_in_rows_and_with_a_stop_for_each_access(board, monkeypatch, row):
    monkeypatch.setattr(processor, "ROW", row)
    monkeypatch.setattr(processor, "MOST_STOPS", 0)  # between two rows
    overlay = Overlay(OVERLAY)
    sensor = board.plug(Tmp2(celsius=30))
    driver = Pmod_TMP2(overlay.iop1.mb_info)
    assert driver.read() == 30
    sensor.celsius = 21.5
    assert driver.read() == 21.5
