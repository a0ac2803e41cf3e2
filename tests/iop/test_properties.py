"""Random requests, valid and hostile, on buffers that come and go, against a plain model of what
memory must hold.

`make test-slow` plays a few hundred; `make test-long` plays more than ten thousand.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pynq import Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY
from helpers.waiting import soon
from iop.pynq_tutorial import Pynq_Tutorial

pytestmark = pytest.mark.slow

WORDS = st.integers(0, 2**32 - 1)
DATA = st.integers(-(2**31), 2**32 - 1)
ANY_INTEGER = st.one_of(st.integers(-3, 5000), WORDS, st.integers(-(2**40), 2**40))
CHOICE, SIZE = st.integers(0, 1000), st.integers(0, 3000)
DTYPES = st.sampled_from(["u4", "i4"])
WAYS = st.sampled_from(["buffer", "view", "address", "2-d"])
NO_INTEGERS = None, "4", 1.0, True, b"1", [1], np.float32(2), np.zeros(3, "u4")
WRONG = st.sampled_from(
    [lambda b: (b, len(b) + 1, 1), lambda b: (b.physical_address, 2**34, 1)]
    + [lambda b: (b.copy(), 1, 1), lambda b: (b + b, 1, 1), lambda b: (b[::2], 1, 1)]
    + [lambda b: (b.view("u2"), 1, 1), lambda b: (b.view("u1")[1:9].view("u4"), 1, 1)]
    + [lambda b, wrong=wrong: (wrong, 1, 1) for wrong in NO_INTEGERS]
    + [lambda b, wrong=wrong: (b, wrong, 1) for wrong in NO_INTEGERS]
    + [lambda b, wrong=wrong: (b, 1, wrong) for wrong in NO_INTEGERS]
)
OUTSIDE_DDR = st.integers(0x20000000, 2**32 - 1)
NO_WORD = st.integers(0, 2**30 - 1).map(lambda number: number * 4 + 1)


def counting(length, data):
    return (np.arange(length, dtype="u8") + data % 2**32).astype("u4")


class Requests(RuleBasedStateMachine):
    """The model is a list of (PynqBuffer, numpy array that it must equal)."""

    played = 0

    @initialize()
    def start(self):
        self.board = virtual_board.activate()
        self.iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
        self.model, self.freed = [], []

    @rule(size=SIZE.filter(bool), dtype=DTYPES, cacheable=st.booleans())
    def allocate(self, size, dtype, cacheable):
        buffer = allocate((size,), dtype, cacheable=cacheable)
        self.model.append((buffer, np.zeros(size, "u4")))

    @precondition(lambda self: self.model)
    @rule(choice=CHOICE)
    def free(self, choice):
        buffer, _ = self.model.pop(choice % len(self.model))
        self.freed.append((buffer, buffer.physical_address))
        buffer.freebuffer()

    @precondition(lambda self: self.model)
    @rule(choice=CHOICE, start=SIZE, length=SIZE, data=DATA, way=WAYS)
    def valid(self, choice, start, length, data, way):
        buffer, expected = self.model[choice % len(self.model)]
        start %= len(buffer)
        target = {
            "buffer": buffer,
            "view": buffer[start:],
            "address": buffer.physical_address + 4 * start,
            "2-d": buffer[: len(buffer) // 2 * 2].reshape(2, -1),
        }[way]
        start = start if way in ("view", "address") else 0
        room = len(buffer) // 2 * 2 if way == "2-d" else len(buffer) - start
        length = min(length, room)
        self.iop.write_to_buffer(target, length, data)
        expected[start : start + length] = counting(length, data)
        Requests.played += 1

    @rule(length=ANY_INTEGER, data=ANY_INTEGER, address=ANY_INTEGER)
    def hostile_numbers(self, length, data, address):
        """Whatever integers: served only if they are right, and then as the model says."""
        Requests.played += 1
        for buffer, expected in self.model:
            start, room = (address - buffer.physical_address) // 4, len(buffer)
            if address % 4 == 0 and 0 <= start < room and 0 <= length <= room - start:
                if -(2**31) <= data < 2**32:
                    self.iop.write_to_buffer(address, length, data)
                    expected[start : start + length] = counting(length, data)
                    return
        with pytest.raises(ValueError):
            self.iop.write_to_buffer(address, length, data)

    @precondition(lambda self: self.model)
    @rule(choice=CHOICE, wrong=WRONG)
    def wrong(self, choice, wrong):
        """Too long, no integer, or no memory of its own."""
        buffer, _ = self.model[choice % len(self.model)]
        if len(buffer) >= 3:
            with pytest.raises((TypeError, ValueError)):
                self.iop.write_to_buffer(*wrong(buffer))
            Requests.played += 1

    @precondition(lambda self: self.freed)
    @rule(choice=CHOICE)
    def freed_buffer(self, choice):
        buffer, address = self.freed[choice % len(self.freed)]
        with pytest.raises(ValueError):
            self.iop.write_to_buffer(buffer, 1, 1)
        places = [(live.physical_address, live.nbytes) for live, _ in self.model]
        if not any(start <= address < start + size for start, size in places):
            with pytest.raises(ValueError):
                self.iop.write_to_buffer(address, 1, 1)
        Requests.played += 1

    @rule(words=st.lists(WORDS, min_size=2, max_size=2), address=st.one_of(OUTSIDE_DDR, NO_WORD))
    def mailbox_by_hand(self, words, address):
        """Past the guard: what cannot be right is refused by the IOP itself."""
        mailbox = self.board.iop.memory.words[0xF000 // 4 :]
        mailbox[1:3] = words
        mailbox[0] = address
        self.board.microblaze.written()
        assert soon(lambda: mailbox[0] == 0, pause=0) and mailbox[3] == 2
        Requests.played += 1

    @invariant()
    def memory_is_as_the_model_says(self):
        for buffer, expected in self.model:
            assert np.array_equal(buffer.view("u4"), expected)

    def teardown(self):
        assert self.board.stray_writes() == []
        self.board.close()


def play(examples, steps):
    options = dict(deadline=None, database=None, print_blob=True)
    options.update(max_examples=examples, stateful_step_count=steps)
    every = settings(suppress_health_check=list(HealthCheck), **options)
    run_state_machine_as_test(Requests, settings=every)


def test_requests():
    Requests.played = 0
    play(40, 50)
    assert Requests.played >= 150


@pytest.mark.long
def test_ten_thousand_requests():
    Requests.played = 0
    while Requests.played < 10000:
        play(30, 200)
    print(Requests.played, "requests")
