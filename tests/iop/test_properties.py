"""Random requests, valid and hostile, on buffers that come and go, against a plain model of what
memory must hold.

`make test-slow` plays a few hundred; `make test-long` plays more than ten thousand.
"""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pynq import Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY
from iop.pynq_tutorial import Pynq_Tutorial

pytestmark = pytest.mark.slow

WORDS = st.integers(0, 2**32 - 1)
ANY_INTEGER = st.one_of(st.integers(-3, 5000), WORDS, st.integers(-(2**40), 2**40))
NO_INTEGER = st.sampled_from([None, "4", 1.0, True, b"1", [1], np.float32(2), np.zeros(3, "u4")])
DTYPES = st.sampled_from(["u4", "i4"])


class Requests(RuleBasedStateMachine):
    """The model is a dictionary: buffer number to (PynqBuffer, numpy array that it must equal)."""

    played = 0

    @initialize()
    def start(self):
        self.board = virtual_board.activate()
        self.iop = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
        self.model, self.freed, self.number = {}, [], 0

    def some(self, choice):
        return self.model[sorted(self.model)[choice % len(self.model)]] if self.model else None

    @rule(size=st.integers(1, 3000), dtype=DTYPES, cacheable=st.booleans())
    def allocate(self, size, dtype, cacheable):
        buffer = allocate((size,), dtype, cacheable=cacheable)
        self.number += 1
        self.model[self.number] = buffer, np.zeros(size, "u4")

    @rule(choice=st.integers(0, 1000))
    def free(self, choice):
        if self.model:
            number = sorted(self.model)[choice % len(self.model)]
            buffer, _ = self.model.pop(number)
            self.freed.append((buffer, buffer.physical_address))
            buffer.freebuffer()

    @rule(
        choice=st.integers(0, 1000),
        start=st.integers(0, 3000),
        length=st.integers(0, 3000),
        data=st.integers(-(2**31), 2**32 - 1),
        way=st.sampled_from(["buffer", "view", "address", "2-d"]),
    )
    def valid(self, choice, start, length, data, way):
        if not self.model:
            return
        buffer, expected = self.some(choice)
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
        expected[start : start + length] = (np.arange(length, dtype="u8") + data % 2**32).astype(
            "u4"
        )
        Requests.played += 1

    @rule(choice=st.integers(0, 1000), length=ANY_INTEGER, data=ANY_INTEGER, address=ANY_INTEGER)
    def hostile_numbers(self, choice, length, data, address):
        """Whatever integers: served only if they are right, and then as the model says."""
        for buffer, expected in self.model.values():
            start = address - buffer.physical_address
            right = (
                0 <= start < buffer.nbytes
                and start % 4 == 0
                and 0 <= length <= (buffer.nbytes - start) // 4
                and -(2**31) <= data < 2**32
            )
            if right:
                expected[start // 4 : start // 4 + length] = (
                    np.arange(length, dtype="u8") + data % 2**32
                ).astype("u4")
                break
        else:
            right = False
        if right:
            self.iop.write_to_buffer(address, length, data)
        else:
            with pytest.raises(ValueError):
                self.iop.write_to_buffer(address, length, data)
        Requests.played += 1

    @rule(choice=st.integers(0, 1000), extra=st.integers(1, 2**34), data=WORDS)
    def too_long(self, choice, extra, data):
        if self.model:
            buffer, _ = self.some(choice)
            for target in (buffer, buffer.physical_address):
                with pytest.raises(ValueError):
                    self.iop.write_to_buffer(target, len(buffer) + extra, data)
            Requests.played += 1

    @rule(choice=st.integers(0, 1000), wrong=NO_INTEGER, place=st.integers(0, 2))
    def no_integer(self, choice, wrong, place):
        if self.model:
            request = [self.some(choice)[0], 1, 1]
            request[place] = wrong
            with pytest.raises(TypeError):
                self.iop.write_to_buffer(*request)
            Requests.played += 1

    @rule(
        choice=st.integers(0, 1000),
        what=st.sampled_from(["copy", "sum", "gaps", "2 bytes", "across words"]),
    )
    def no_memory_of_its_own(self, choice, what):
        if self.model:
            buffer = self.some(choice)[0]
            if buffer.nbytes < 12 and what in ("gaps", "across words"):
                return
            target = {
                "copy": buffer.copy,
                "sum": lambda: buffer + buffer,
                "gaps": lambda: buffer[::2],
                "2 bytes": lambda: buffer.view("u2"),
                "across words": lambda: buffer.view("u1")[1:9].view("u4"),
            }[what]()
            with pytest.raises((TypeError, ValueError)):
                self.iop.write_to_buffer(target, 1, 1)
            Requests.played += 1

    @rule(choice=st.integers(0, 1000))
    def freed_buffer(self, choice):
        if self.freed:
            buffer, address = self.freed[choice % len(self.freed)]
            with pytest.raises(ValueError):
                self.iop.write_to_buffer(buffer, 1, 1)
            if not any(
                live.physical_address <= address < live.physical_address + live.nbytes
                for live, _ in self.model.values()
            ):
                with pytest.raises(ValueError):
                    self.iop.write_to_buffer(address, 1, 1)
            Requests.played += 1

    @rule(
        words=st.lists(WORDS, min_size=2, max_size=2),
        address=st.one_of(
            st.integers(0x20000000, 2**32 - 1), st.integers(0, 2**30 - 1).map(lambda n: n * 4 + 1)
        ),
    )
    def mailbox_by_hand(self, words, address):
        """Past the guard: what cannot be right is refused by the IOP itself."""
        mailbox = self.board.memory.words[0xF000 // 4 :]
        mailbox[1:3] = words
        mailbox[0] = address
        self.board.microblaze.written()
        deadline = time.monotonic() + 60
        while mailbox[0] and time.monotonic() < deadline:
            pass
        assert mailbox[0] == 0 and mailbox[3] == 2
        Requests.played += 1

    @invariant()
    def memory_is_as_the_model_says(self):
        for buffer, expected in self.model.values():
            assert np.array_equal(buffer.view("u4"), expected)

    def teardown(self):
        assert self.board.stray_writes() == []
        self.board.close()


def test_requests():
    Requests.played = 0
    run_state_machine_as_test(
        Requests,
        settings=settings(
            max_examples=40,
            stateful_step_count=50,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Requests.played >= 150


@pytest.mark.long
def test_ten_thousand_requests():
    Requests.played = 0
    while Requests.played < 10000:
        run_state_machine_as_test(
            Requests,
            settings=settings(
                max_examples=30,
                stateful_step_count=200,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(Requests.played, "requests")
