"""The client of QEMU's GDB stub: it stops and goes on, and no packet is ever taken for another."""

import os
import signal
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from virtual_board.memory import SharedMemory
from virtual_board.microblaze.gdb import Stub
from virtual_board.microblaze.qemu import Qemu

RESET_ADDRESS = 0x1000
COUNT = [0x30630001, 0xB800FFFC]  # addik r3, r3, 1; bri -4


@pytest.fixture
def qemu():
    """A QEMU of its own, whose processor counts in r3 when it is let go."""
    memory = SharedMemory(1 << 20)
    cpu = dict(reset_address=RESET_ADDRESS, cpu="use-mmu=off")
    running = Qemu(SimpleNamespace(file=memory.file, size=memory.words.nbytes, **cpu))
    memory.words[RESET_ADDRESS // 4 : RESET_ADDRESS // 4 + len(COUNT)] = COUNT
    yield running
    running.end()
    memory.close()


def report(stub):
    """What comes when the processor stops by itself."""
    said = None
    while said is None:
        said = stub.report()
    return said


def test_stops_and_goes_on(qemu):
    stub, counts = qemu.stub, []
    for _ in range(20):
        stub.go()
        stub.go()  # a second one would confuse QEMU 10
        time.sleep(0.005)
        assert stub.stop().startswith(b"T") and stub.stop() is None
        counts.append(stub.registers()[3])
    # on a busy machine it may not get to run in between
    assert counts == sorted(counts) and len(set(counts)) > 10


def test_steps(qemu):
    states = []
    for _ in range(6):
        states.append((qemu.stub.registers()[3], qemu.stub.registers()[32]))
        assert qemu.stub.step().startswith(b"T05")
    assert states == [(0, 0x1000), (1, 0x1004), (1, 0x1000), (2, 0x1004), (2, 0x1000), (3, 0x1004)]


def test_a_stop_of_its_own_is_reported_once(qemu):
    """Whichever is faster, its breakpoint or stop(): there is one report for each go()."""
    stub = qemu.stub
    # a breakpoint, where the counter comes by all the time
    assert stub.command(b"Z0,%x,4" % RESET_ADDRESS) == b"OK"
    for turn in range(200):
        stub.step()
        stub.go()
        assert (report(stub) if turn % 2 else stub.stop()).startswith(b"T")
        assert stub.registers()[32] in (RESET_ADDRESS, RESET_ADDRESS + 4)
    assert not stub.running


def test_commands_are_refused_while_it_runs(qemu):
    qemu.stub.go()
    stub = qemu.stub
    for call in stub.step, stub.registers, stub.reset, lambda: stub.command(b"?"):
        with pytest.raises(RuntimeError, match="stop.* first"):
            call()
    assert qemu.stub.stop()


def test_packets_come_in_pieces():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)

        def answer():
            for piece in (b"+", b"$T0", b"5thre", b"ad:01;#", b"0", b"7+$", b"0100000002000000#80"):
                theirs.sendall(piece)
                time.sleep(0.01)

        thread = threading.Thread(target=answer)
        thread.start()
        stub = Stub(ours)
        assert stub.step() == b"T05thread:01;"
        assert stub.registers() == (1, 2)
        thread.join(60)


def test_an_end_of_qemu_is_an_error(qemu):
    os.kill(qemu.pid, signal.SIGKILL)
    with pytest.raises(OSError):
        qemu.stub.registers()
