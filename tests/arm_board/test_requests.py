"""arm_board/fabric.py without an ARM: a test says what fabric.ko says, over a socket, and writes to
memory what Linux would write through /dev/mem."""

import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from arm_board.board import HWH
from arm_board.fabric import Fabric
from helpers.kit import ROOT
from helpers.waiting import soon
from virtual_board.pynq_versions import read_hwh

BRAM, MAILBOX = 0x40000000, 0xF000
ADDRESS, LENGTH, DATA, STATUS = range(4)
READY = 1
PENDING = 0x41800004  # IPR of the base overlay's interrupt controller
RAISE = [  # li r3, 1; swi r3 to the GPIO that leads to Linux, which is an output; wait
    *(0x30600001, 0xB0004001, 0x30800000, 0xB000FFFF, 0x30A0FFFE),
    *(0xF8A40004, 0xF8640000, 0xB8000000),
]  # fmt: skip


@pytest.fixture
def fabric():
    fabric = Fabric(read_hwh(str(HWH)).overlay, {})
    yield fabric
    fabric.close()


@pytest.fixture
def ask(fabric):
    """Makes a request as fabric.ko; returns the answer."""
    ours, theirs = socket.socketpair()
    levels = []
    machine = SimpleNamespace(fabric=theirs, interrupt=levels.append)
    serving = threading.Thread(target=lambda: ended.append(fabric.serve(machine)), daemon=True)
    ended = []
    serving.start()

    def ask(line):
        ours.sendall(line.encode() + b"\n")
        return ours.recv(1)

    ask.levels, ask.send = levels, ours.sendall
    ask.end = lambda: serving.join(60) or ended[0]
    yield ask
    ours.close()
    serving.join(60)


def words(fabric, address, count):
    return fabric.memory.words[address // 4 :][:count]


def test_an_iop_runs_once_its_reset_ends_and_shares_memory(fabric, ask):
    program = np.frombuffer((ROOT / "iop/pynq_tutorial.bin").read_bytes(), np.uint32)
    words(fabric, BRAM, len(program))[:] = program
    mailbox = words(fabric, BRAM + MAILBOX, 4)
    assert ask("pin 0 1") == ask("pin 0 0") == b"0"
    assert soon(lambda: mailbox[STATUS] == READY)
    mailbox[LENGTH], mailbox[DATA], mailbox[ADDRESS] = 10, 100, 0x11000000
    assert soon(lambda: mailbox[ADDRESS] == 0)
    assert words(fabric, 0x11000000, 11).tolist() == [*range(100, 110), 0]
    assert ask("configure") == b"0"
    assert not words(fabric, BRAM, 0x4000).any()


def test_an_interrupt_is_raised_until_it_is_acknowledged(fabric, ask):
    words(fabric, BRAM, len(RAISE))[:] = RAISE
    ask("pin 0 1")
    ask("pin 0 0")
    assert soon(lambda: ask.levels[-1:] == [True])
    assert words(fabric, PENDING, 1) == 1
    ask("pin 0 1")
    ask("pin 4 1")
    assert ask.levels[-1] is False and words(fabric, PENDING, 1) == 0


@pytest.mark.parametrize("what", ["restart", "poweroff"])
def test_the_end_is_told(ask, what):
    ask.send(what.encode() + b"\n")
    assert ask.end() == what
