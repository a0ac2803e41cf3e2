"""Each fault of docs/faults.md, for real: what the user is told, and that nothing is lost."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from pynq import Overlay, allocate

from helpers import waiting
from helpers.kit import OVERLAY, ROOT, run_python
from helpers.processes import PROGRAM_THAT, qemus, sleeps_within, soon
from iop.pynq_tutorial import LOADED, Pynq_Tutorial
from virtual_board.microblaze import qemu
from virtual_board.microblaze.qemu import QemuError

pytestmark = pytest.mark.slow

STAY = 0xB8000000  # bri 0: the processor goes on the spot
MAILBOX = 0xF000 // 4  # words


def serves(iop=None):
    """Makes a request, to the IOP of a new download if none is given."""
    buffer = allocate((5,), "u4")
    (iop or Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)).write_to_buffer(buffer, 5, 2)
    assert buffer.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
def test_qemu_hit_in_the_middle_of_a_request(iop, board, sent):
    buffer = allocate((30 * 10**6,), "u4")
    pid = board.microblaze.pid
    threading.Timer(0.005, os.kill, (pid, sent)).start()
    message = "did not answer within 0.5 s.*next call starts it again"
    with pytest.raises(TimeoutError, match=message):
        for _ in range(50):  # one of them is being served when the signal comes
            iop.write_to_buffer(buffer, len(buffer), 1, timeout=0.5)
    serves(iop)
    serves()
    assert soon(pid, "ZX") and board.microblaze.pid != pid
    assert board.stray_writes() == []


def test_qemu_killed_while_its_program_sleeps(iop, board):
    assert sleeps_within(board)
    os.kill(board.microblaze.pid, signal.SIGKILL)
    with pytest.raises(TimeoutError):
        iop.write_to_buffer(allocate((5,)), 5, 1, timeout=0.2)
    serves(iop)


def test_the_stop_button(iop, board, by_hand):
    buffer = allocate((10,))
    board.microblaze.reset(active=True)  # nobody is there to answer

    def press():
        waiting.soon(lambda: board.iop.memory.words[MAILBOX])
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=press).start()
        iop.write_to_buffer(buffer, 10, 1, timeout=300)
    assert by_hand.state == "STOPPED"
    serves(iop)


def test_a_second_wrapper_for_the_same_iop(overlay, iop):
    second = Pynq_Tutorial(overlay.iop1.mb_info)
    for _ in range(3):
        serves(iop)
        serves(second)


def test_another_program_in_the_iop(overlay, iop, load):
    load([STAY])
    with pytest.raises(RuntimeError, match=r"runs another program now.*reset\(\)"):
        serves(iop)
    with pytest.raises(RuntimeError, match=r"iop1 runs .*\.bin: .*overlay = Overlay\("):
        Pynq_Tutorial(overlay.iop1.mb_info)
    iop.reset()
    serves(iop)
    load([STAY])
    serves()


def test_garbage_in_every_word_of_the_mailbox(iop, board):
    """Whatever is asked for lies beyond DDR or across words, so that the program has to refuse
    it."""
    random = np.random.default_rng(4)
    mailbox = board.iop.memory.words[MAILBOX : 0x10000 // 4]
    for _ in range(20):
        mailbox[1:] = random.integers(0, 2**32, len(mailbox) - 1, dtype="u4")
        mailbox[0] = random.integers(1, 2**31) | (random.choice([1, 2, 0x20000000, 0x80000000]))
        assert waiting.soon(lambda: mailbox[0] == 0, pause=0.001)
    serves(iop)
    board.iop.memory.words[LOADED // 4] ^= 1
    with pytest.raises(RuntimeError, match=r"runs another program now.*reset\(\)"):
        serves(iop)
    iop.reset()
    serves(iop)
    assert board.stray_writes() == []


def test_program_memory_overwritten_while_it_runs(iop, board):
    random = np.random.default_rng(5)
    for _ in range(10):
        # Not any garbage: that could write anywhere in DDR, as on a board
        board.iop.memory.words[random.integers(0, 122, 40)] = STAY
        time.sleep(0.01)
        iop.reset()
        serves(iop)


def test_reset_at_random_moments(iop, board):
    random = np.random.default_rng(6)
    buffer = allocate((10**6,), "u4")
    words = board.iop.memory.words[MAILBOX:]
    for _ in range(30):
        words[1], words[2], words[0] = len(buffer), 1, buffer.physical_address
        time.sleep(random.random() * 0.003)
        iop.reset()
    serves(iop)
    assert board.stray_writes() == []


@pytest.mark.parametrize("length", [0, 10, 5000])
def test_overlay_description_cut_short(board, tmp_path, length):
    whole = (ROOT / "bitstream" / "pynq_tutorial.hwh").read_bytes()
    (tmp_path / "pynq_tutorial.hwh").write_bytes(whole[:length])
    message = "cannot be read as the description.*git checkout bitstream"
    with pytest.raises(RuntimeError, match=message):
        Overlay(str(tmp_path / "pynq_tutorial.bit"))
    serves()


@pytest.fixture
def qemu_fails(board, tmp_path, monkeypatch):
    """A function that puts a program in the place of QEMU, and expects an error of it once."""

    def fails(program, message):
        file = tmp_path / qemu.NAMES[0]
        file.write_bytes(program)
        file.chmod(0o755)
        with monkeypatch.context() as context:
            context.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            with pytest.raises(QemuError, match=message):
                Overlay(OVERLAY)

    return fails


def test_memory_of_the_pc_exhausted(qemu_fails):
    """The real QEMU, which may not have the address space that the board's memory takes."""
    script = f'#!/bin/sh\nulimit -v 500000\nexec {qemu.find()} "$@"\n'
    qemu_fails(script.encode(), "QEMU ended .*emory")
    serves()


def test_qemu_cannot_be_executed(qemu_fails):
    # as after an interrupted installation
    qemu_fails(b"\x7fELF", "qemu-system-[a-z]* cannot be started: Exec format error.$")
    serves()


def test_a_shell_that_allows_only_small_files():
    run = run_python(
        "import virtual_board; virtual_board.activate()",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert "the board's memory is a file of 3584 MB: `ulimit -f` shows the most" in run.stderr


def test_a_kernel_restarted_and_killed():
    from jupyter_client import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT / "notebooks"))
    pids = []
    try:
        for end in (
            lambda: manager.restart_kernel(now=True),
            lambda: manager.restart_kernel(now=False),
            lambda: os.kill(manager.provisioner.process.pid, signal.SIGKILL),
        ):
            client = manager.blocking_client()
            client.start_channels()
            client.wait_for_ready(timeout=300)
            said = []
            client.execute_interactive(
                PROGRAM_THAT, timeout=300, output_hook=lambda message: said.append(message)
            )
            pids.append(int("".join(message["content"].get("text", "") for message in said)))
            client.stop_channels()
            end()
            assert soon(pids[-1], "ZX")
    finally:
        manager.shutdown_kernel(now=True)
    assert len(set(pids)) == 3


def test_workers_of_a_pool(iop):
    pool = multiprocessing.get_context("fork").Pool(2)
    try:
        assert pool.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
    finally:
        pool.terminate()
        pool.join()
    assert len(qemus()) == 1
    serves(iop)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_root_is_needed(tmp_path):
    def nobody():
        os.setuid(65534)

    try:
        subprocess.check_call([sys.executable, "-c", "import encodings"], preexec_fn=nobody)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python lies where nobody but root can read it")
    environment = dict(os.environ, HOME=str(tmp_path))
    run = run_python(PROGRAM_THAT, env=environment, preexec_fn=nobody)
    assert run.returncode == 0 and soon(int(run.stdout), "ZX"), run.stderr
