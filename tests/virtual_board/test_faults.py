"""Each fault of FAULTS.md, injected for real: what the user is told, and that nothing is lost."""

import multiprocessing
import os
import re
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
from helpers.processes import PROGRAM_THAT, soon, state
from iop.pynq_tutorial import Pynq_Tutorial
from virtual_board import qemu
from virtual_board.qemu import QemuError

pytestmark = pytest.mark.slow

STAY = 0xB8000000  # bri 0: the processor goes on the spot


def serves(overlay, iop=None):
    """Whether an IOP works, a new one if none is given."""
    buffer = allocate((5,), "u4")
    (iop or Pynq_Tutorial(overlay.iop1.mb_info)).write_to_buffer(buffer, 5, 2)
    return buffer.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
def test_qemu_hit_in_the_middle_of_a_request(overlay, iop, board, sent):
    buffer = allocate((30 * 10**6,), "u4")
    pid = board.microblaze.pid
    threading.Timer(0.005, os.kill, (pid, sent)).start()
    with pytest.raises(
        TimeoutError, match="did not answer within 0.5 s.*next call starts it again"
    ):
        for _ in range(50):  # one of them is being served when the signal comes
            iop.write_to_buffer(buffer, len(buffer), 1, timeout=0.5)
    assert serves(overlay, iop) and serves(overlay)
    assert soon(pid, "ZX") and board.microblaze.pid != pid
    assert board.stray_writes() == []


def test_qemu_killed_while_its_program_sleeps(overlay, iop, board):
    assert waiting.soon(lambda: board.microblaze.is_asleep)
    os.kill(board.microblaze.pid, signal.SIGKILL)
    buffer = allocate((5,))
    with pytest.raises(TimeoutError):
        iop.write_to_buffer(buffer, 5, 1, timeout=0.2)
    assert serves(overlay, iop)


def test_the_stop_button(tmp_path):
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PROGRAM_THAT
            + """
board.microblaze.reset(active=True)  # nobody is there to answer
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs are started without
print("waiting", flush=True)
try:
    iop.write_to_buffer(buffer, 10, 1, timeout=300)
except KeyboardInterrupt:
    print("stopped", iop._microblaze.state, flush=True)
iop.write_to_buffer(buffer, 10, 8)
print(buffer.tolist())
""",
        ],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    lines = [run.stdout.readline() for _ in range(2)]
    assert lines[1] == "waiting\n"
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=300)[0] == f"stopped STOPPED\n{list(range(8, 18))}\n"
    assert soon(int(lines[0]), "ZX")


def test_a_second_wrapper_for_the_same_iop(overlay, iop):
    second = Pynq_Tutorial(overlay.iop1.mb_info)
    for _ in range(3):
        assert serves(overlay, iop) and serves(overlay, second)


def test_another_program_in_the_iop(overlay, iop, tmp_path):
    from pynq.lib import PynqMicroblaze

    other = tmp_path / "other.bin"
    other.write_bytes(np.array([STAY], "u4").tobytes())
    PynqMicroblaze(overlay.iop1.mb_info, str(other), force=True)
    with pytest.raises(RuntimeError, match=r"runs another program now.*reset\(\)"):
        serves(overlay, iop)
    with pytest.raises(RuntimeError, match=r"iop1 runs .*other.bin: .*overlay = Overlay\("):
        Pynq_Tutorial(overlay.iop1.mb_info)
    iop.reset()
    assert serves(overlay, iop)
    PynqMicroblaze(overlay.iop1.mb_info, str(other), force=True)
    assert serves(Overlay(OVERLAY))


def test_garbage_in_every_word_of_the_mailbox(overlay, iop, board):
    random = np.random.default_rng(4)
    mailbox = board.memory.words[0xF000 // 4 : 0xFFFC // 4]
    for _ in range(20):
        # Whatever is asked for lies beyond DDR or across words, so that the program has to refuse
        # it.
        mailbox[1:] = random.integers(0, 2**32, len(mailbox) - 1, dtype="u4")
        mailbox[0] = random.integers(1, 2**31) | (random.choice([1, 2, 0x20000000, 0x80000000]))
        deadline = time.monotonic() + 60
        while mailbox[0] and time.monotonic() < deadline:
            time.sleep(0.001)
        assert mailbox[0] == 0
    assert serves(overlay, iop)
    board.memory.words[0xFFFC // 4] ^= 1  # the word that says which program was loaded
    with pytest.raises(RuntimeError, match=r"runs another program now.*reset\(\)"):
        serves(overlay, iop)
    iop.reset()
    assert serves(overlay, iop)
    assert board.stray_writes() == []


def test_program_memory_overwritten_while_it_runs(overlay, iop, board):
    random = np.random.default_rng(5)
    for _ in range(10):
        # Branches to themselves, sprinkled over the program: garbage proper could write anywhere in
        # DDR, as on a board
        place = random.integers(0, 122, 40)
        board.memory.words[place] = STAY
        time.sleep(0.01)
        iop.reset()
        assert serves(overlay, iop)


def test_reset_at_random_moments(overlay, iop, board):
    random = np.random.default_rng(6)
    buffer = allocate((10**6,), "u4")
    for _ in range(30):
        words = board.memory.words[0xF000 // 4 :]
        words[1], words[2], words[0] = len(buffer), 1, buffer.physical_address
        time.sleep(random.random() * 0.003)
        iop.reset()
    assert serves(overlay, iop)
    assert board.stray_writes() == []


@pytest.mark.parametrize("length", [0, 10, 500, 5000])
def test_overlay_description_cut_short(board, tmp_path, length):
    whole = (ROOT / "bitstream" / "pynq_tutorial.hwh").read_bytes()
    (tmp_path / "pynq_tutorial.hwh").write_bytes(whole[:length])
    with pytest.raises(
        RuntimeError, match="cannot be read as the description.*git checkout bitstream"
    ):
        Overlay(str(tmp_path / "pynq_tutorial.bit"))
    assert serves(Overlay(OVERLAY))


def test_memory_of_the_pc_exhausted(board, tmp_path, monkeypatch):
    """The real QEMU, which may not have the address space that the board's memory takes."""
    limited = tmp_path / qemu.NAMES[0]
    limited.write_text(f'#!/bin/sh\nulimit -v 500000\nexec {qemu.find()} "$@"\n')
    limited.chmod(0o755)
    with monkeypatch.context() as context:
        context.setenv("PATH", "{}:{}".format(tmp_path, os.environ["PATH"]))
        with pytest.raises(QemuError, match="QEMU ended .*emory"):
            Overlay(OVERLAY)
    assert serves(Overlay(OVERLAY))


def test_a_shell_that_allows_only_small_files():
    run = run_python(
        "import virtual_board; virtual_board.activate()",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert re.search(
        "OSError: .* the board's memory is a file of 1104 MB: `ulimit -f` shows the most",
        run.stderr,
    )


def test_qemu_cannot_be_executed(board, tmp_path, monkeypatch):
    broken = tmp_path / qemu.NAMES[0]
    broken.write_bytes(b"\x7fELF")  # as after an interrupted installation
    broken.chmod(0o755)
    with monkeypatch.context() as context:
        context.setenv("PATH", str(tmp_path))
        with pytest.raises(
            QemuError, match="qemu-system-[a-z]* cannot be started: Exec format error.$"
        ):
            Overlay(OVERLAY)
    assert serves(Overlay(OVERLAY))


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
                PROGRAM_THAT,
                timeout=300,
                output_hook=lambda message: said.append(message["content"].get("text", "")),
            )
            pids.append(int("".join(said)))
            assert state(pids[-1]) not in "ZX"
            client.stop_channels()
            end()
            assert soon(pids[-1], "ZX")
    finally:
        manager.shutdown_kernel(now=True)
    assert len(set(pids)) == 3


def test_workers_of_a_pool(overlay, iop, board):
    pool = multiprocessing.get_context("fork").Pool(2)
    try:
        assert pool.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
    finally:
        pool.terminate()
        pool.join()
    assert state(board.microblaze.pid) not in "ZX"
    assert serves(overlay, iop)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_root_is_needed(tmp_path):
    try:
        subprocess.run(
            [sys.executable, "-c", "import encodings"],
            preexec_fn=lambda: os.setuid(65534),
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python lies where nobody but root can read it")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM_THAT],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=300,
        env=dict(os.environ, HOME=str(tmp_path)),
        preexec_fn=lambda: os.setuid(65534),
    )
    assert run.returncode == 0 and soon(int(run.stdout), "ZX"), run.stderr
