"""A program that only waits costs nothing and answers at once; one that computes is never taken for
it."""

import os
import signal
import statistics
import time

import pytest
from pynq import MMIO, allocate
from pynq.lib.pmod import Pmod_DPOT, Pmod_TMP2

from helpers.processes import sleeps_within
from helpers.waiting import soon
from virtual_board.microblaze import processor
from virtual_board.microblaze.idle import find_wait
from virtual_board.microblaze.qemu import cpu_seconds
from virtual_board.pmods import PmodDevice, SpiDevice, Tmp2

pytestmark = pytest.mark.slow

MAILBOX, PROGRESS, FLAG = 0xF000, 0xF010, 0xF014
IMM = 0xB0000000  # imm 0: the next instruction's constant has no sign
STAY = 0xB8000000  # bri 0
# lwi r3, r0, PROGRESS; addik r3, r3, 1; swi r3, r0, PROGRESS
ONE_MORE = [IMM, 0xE8600000 | PROGRESS, 0x30630001, IMM, 0xF8600000 | PROGRESS]


def test_our_program_sleeps_and_takes_almost_no_time(iop, board):
    assert sleeps_within(board)
    pids = os.getpid(), board.microblaze.pid
    before, start = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(1)
    # A program that was not put to sleep takes a whole core. The budget of 2 % is for make bench,
    # on a quiet machine.
    assert sum(map(cpu_seconds, pids)) - before < 0.1 * (time.monotonic() - start)
    assert board.microblaze.is_asleep


def test_it_wakes_for_a_request_and_sleeps_again(iop, board, buffer):
    for value in range(3):
        assert sleeps_within(board)
        iop.write_to_buffer(buffer, 100, value)
        assert buffer.tolist() == list(range(value, value + 100))
    assert sleeps_within(board)


def test_a_write_past_pynq_at_the_last_moment(iop, board, buffer, monkeypatch):
    """Nobody tells the owner of it, as on the board stand-in, and it comes just before the
    processor falls asleep."""

    def find_and_be_late(*arguments):
        found = find_wait(*arguments)
        if found is not None and not served:
            served.append(True)
            words = board.iop.memory.words[MAILBOX // 4 :]
            words[1], words[2], words[0] = 1, 7, buffer.physical_address
        return found

    served = []
    monkeypatch.setattr(processor, "find_wait", find_and_be_late)
    assert soon(lambda: buffer[0] == 7) and served


def test_a_write_at_the_last_moment_keeps_it_awake(iop, board, monkeypatch):
    def find_and_be_late(*arguments):
        found = find_wait(*arguments)
        board.microblaze.written()
        return found

    monkeypatch.setattr(processor, "find_wait", find_and_be_late)
    assert not sleeps_within(board, 1)
    monkeypatch.setattr(processor, "find_wait", find_wait)
    assert sleeps_within(board)


def test_reset_wakes_it(iop, by_hand, board, buffer):
    assert sleeps_within(board)
    iop.reset()
    assert not board.microblaze.is_asleep
    assert sleeps_within(board)
    by_hand.reset()  # held in reset is not asleep
    assert not board.microblaze.is_asleep


def test_it_sleeps_again_after_a_reset_that_had_ended_already(by_hand, board):
    assert sleeps_within(board)
    by_hand.run()
    assert not board.microblaze.is_asleep
    assert sleeps_within(board)


def test_a_program_that_polls_ddr_sleeps_and_wakes(load, board):
    flag = allocate((4,), "u4")
    address = flag.physical_address | 0x20000000
    # imm; lwi r3, r0, the flag in DDR; beqi r3, back to the imm; imm; swi r3, r0, PROGRESS
    polls = [IMM | address >> 16, 0xE8600000 | address & 0xFFFF, 0xBC03FFF8]
    load(polls + [IMM, 0xF8600000 | PROGRESS, STAY])
    assert sleeps_within(board)
    flag[0] = 5  # numpy writes it; nobody tells the board
    assert soon(lambda: MMIO(0x40000000 + PROGRESS, 4).read() == 5)
    assert sleeps_within(board)  # STAY is a wait for nothing but a reset


@pytest.mark.parametrize("told", [True, False])
def test_a_forked_child_wakes_it(load, board, told, monkeypatch):
    """It tells of a write to the mailbox; nobody does of one past pynq."""
    if told:
        monkeypatch.setattr(processor, "TOLD", 1000)
    progress = board.iop.memory.words[PROGRESS // 4 :]
    mailbox = (
        MMIO(0x40000000 + MAILBOX, 4).array if told else board.iop.memory.words[MAILBOX // 4 :]
    )
    # imm; lwi r3, r0, MAILBOX; beqi r3, back to the imm
    load([IMM, 0xE860F000, 0xBC03FFF8] + ONE_MORE + [STAY])
    assert sleeps_within(board)
    child = os.fork()
    if not child:
        mailbox[0] = 1
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0 and soon(lambda: progress[0] == 1)


def test_nothing_is_watched_in_reset(iop, by_hand, board, monkeypatch):
    by_hand.reset()
    looks = []
    monkeypatch.setattr(board.microblaze._processor, "watch", lambda: looks.append(1))
    board.microblaze.ask(lambda: None)
    time.sleep(0.3)
    assert len(looks) <= 1  # after the request


def test_a_program_that_only_stores_stores_again(load, board):
    """What Python overwrites."""
    buffer = allocate((4,), "u4")
    address = buffer.physical_address | 0x20000000
    # addik r3, r0, 5; imm; swi r3, r0, the first word of the buffer; bri, back to the imm
    load([0x30600005, IMM | address >> 16, 0xF8600000 | address & 0xFFFF, 0xB800FFF8])
    for value in 99, 100:
        assert sleeps_within(board) and buffer[0] == 5
        buffer[0] = value  # numpy writes it; nobody tells the board
        assert soon(lambda: buffer[0] == 5)


def test_a_loop_through_a_stack_frame_sleeps(load, board):
    """As compilers make it without optimisation: each round stores what is there already, and has
    delay slots."""
    stores = [0x30201000, 0xF9E10000]  # addik r1, r0, 0x1000; swi r15, r1, 0
    # imm; lwi r3, r0, MAILBOX; beqid r3, back to the swi; or r0, r0, r0 in its delay slot
    load(stores + [IMM, 0xE860F000, 0xBE03FFF4, 0x80000000, STAY])
    assert sleeps_within(board)


# With the IOP's peripherals


def costs_nothing(board, seconds):
    """Whether QEMU takes almost no time for that long: a program that was not put to sleep takes a
    whole core."""
    before, start = cpu_seconds(board.microblaze.pid), time.monotonic()
    time.sleep(seconds)
    return cpu_seconds(board.microblaze.pid) - before < 0.2 * (time.monotonic() - start)


@pytest.mark.parametrize("plugged", [False, True])
def test_pynqs_program_sleeps_over_its_mailbox_and_its_timer(overlay, board, plugged):
    thermometer = Tmp2(25)
    if plugged:
        board.plug(thermometer)
    driver = Pmod_TMP2(overlay.iop1.mb_info)
    assert sleeps_within(board) and costs_nothing(board, 0.3)
    if plugged:
        assert driver.read() == 25
    driver.set_log_interval_ms(40000)
    driver.start_log()
    words = board.iop.memory.words
    assert sleeps_within(board) and words[0x41C00010 // 4] & 0x80  # TCSR1: it waits for the timer
    assert costs_nothing(board, 0.3)


def test_a_program_that_polls_a_pin_sleeps_and_wakes(load, board):
    device = board.plug(PmodDevice())
    pin = [0xB0004000, 0xE8600000, 0xA4630001]  # imm; lwi r3, r0, GPIO_DATA; andi r3, r3, 1
    # beqi r3, until it is high; one more; bnei r3, until it is low; bri, to the beginning
    load(pin + [0xBC03FFF4] + ONE_MORE + pin + [0xBC23FFF4, 0xB800FFCC])
    progress = MMIO(0x40000000 + PROGRESS, 4)
    for count in 1, 2, 3:
        assert sleeps_within(board) and costs_nothing(board, 0.2)
        device.drive(0, 1)
        assert soon(lambda: progress.read() == count) and sleeps_within(board)
        device.drive(0, 0)


def test_a_deadline_wakes_it_in_time(overlay, board):
    """Pmod_DPOT's ramp: a byte, and a wait of its timer, again and again. A busy machine may make
    any period longer, on which several processes have to get their turn for each, but not every
    one."""

    class Times(SpiDevice):
        def transfer(self, byte):
            times.append(time.monotonic())
            return 0

    times, period = [], 0.2
    board.plug(Times())
    Pmod_DPOT(overlay.iop1.mb_info).write(0, step=1, log_ms=int(1000 * period))

    def periods():
        return [later - earlier for earlier, later in zip(times, times[1:])]

    def on_time():
        return any(0.95 * period < one < 1.5 * period for one in periods())

    assert soon(lambda: board.microblaze.is_asleep)
    assert soon(lambda: len(times) >= 8 and on_time())
    # one that came late makes the next seem short
    assert 0.95 * period < statistics.median(periods())


# addik r3, r3, 1, and a look at the mailbox
COUNTS = [0x30630001, IMM, 0xE880F000, 0xB800FFF4]
TOGGLES = [0x30600001, IMM, 0xF8600000 | FLAG, IMM, 0xF8000000 | FLAG, 0xB800FFEC]


@pytest.mark.long
def test_a_minute_of_computing_is_never_taken_for_idle(load, board):
    load(COUNTS)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert not board.microblaze.is_asleep
        time.sleep(0.05)


@pytest.mark.parametrize(
    "name, words",
    [
        ("counts in a register, 2^32 rounds, and reads memory meanwhile", COUNTS),
        ("leaves a trace in memory now and then", ONE_MORE + [0xB800FFEC]),
        ("toggles a word: registers come back, and memory does not stand still", TOGGLES),
    ],
)
def test_a_program_that_works_is_never_taken_for_idle(load, board, name, words):
    load(words)
    deadline = time.monotonic() + 0.8
    while time.monotonic() < deadline:
        assert not board.microblaze.is_asleep, name
        time.sleep(0.02)


def test_a_look_at_a_busy_machine_ends_early(load, board, monkeypatch):
    """A request that nobody told of waits for the end of a look: its steps do not add up to longer
    than the request's timeout, however long each takes."""
    looks = []

    def look_slowly(debugger, words, steps, interrupted, served):
        def late():
            time.sleep(0.01)
            done.append(None)
            return interrupted()

        done = []
        found = find_wait(debugger, words, steps, late, served)
        looks.append((len(done), steps))
        return found

    monkeypatch.setattr(processor, "LOOK", 0.2)
    monkeypatch.setattr(processor, "find_wait", look_slowly)
    load(COUNTS)
    assert soon(lambda: looks and looks[-1][1] >= 1024)
    monkeypatch.setattr(processor, "find_wait", find_wait)
    assert max(done for done, _ in looks) <= processor.LOOK / 0.01 + 1


def test_a_program_that_had_no_time_is_not_looked_at(load, board, monkeypatch):
    """On a busy machine QEMU may have done nothing yet when a write is long past, and a look would
    hold it up."""
    looks = []
    load(COUNTS)
    monkeypatch.setattr(processor.Processor, "_look", lambda _: looks.append(1))
    assert soon(lambda: looks)
    os.kill(board.microblaze.pid, signal.SIGSTOP)
    try:
        MMIO(0x40000000 + MAILBOX, 4).write(0, 1)
        looks.clear()
        time.sleep(5 * processor.QUIET)
        assert not looks
    finally:
        os.kill(board.microblaze.pid, signal.SIGCONT)
    assert soon(lambda: looks)
