"""How a board starts and ends: killed, and with the power cut in the middle of an installation."""

import os
import signal
import subprocess

from launcher import Launcher
from remote import HOST, KIT, NOTEBOOKS, OWN, Remote

from arm_board import machine
from arm_board.board import Board
from arm_board.machine import SSH
from helpers import processes
from helpers.kit import run_python
from helpers.waiting import soon


def test_a_power_cut_in_an_installation(launcher, board, files, folder):
    """The file system is checked at the next start, no file of a student's is lost, and the same
    command completes the installation."""
    card = folder / "card.img"
    subprocess.run(["cp", "--sparse=always", files / "card.img", card], check=True)
    own = f"{NOTEBOOKS}/2_iop_example.ipynb", f"{NOTEBOOKS}/own.py"
    first = Board(files, card)
    try:
        assert first.ports[SSH] != launcher.wait()[0]
        there = Remote(first.ports[SSH], folder)
        assert soon(there.answers, 900, 1)
        there.allow_key()
        there.bring_kit()
        there.as_root("make install", KIT)
        for path in own:
            there.as_root(f"echo '{OWN}' > {path} && sync", KIT)
        there.as_root("rm -rf [013-9]* iop && sync")
        installing = subprocess.Popen(
            [*there.ssh, HOST, f"cd {KIT} && echo xilinx | sudo -S -p '' make install"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        manifest = f"grep -q coming {NOTEBOOKS}/.pynq_tutorial.json"
        soon(lambda: there.run(manifest).returncode == 0 or installing.poll() is not None, 600)
    finally:
        os.kill(first.machine.pid, signal.SIGKILL)
        first.close()
    installing.wait(900)
    lines = []
    second = Board(files, card, show=lines.append)
    try:
        there = Remote(second.ports[SSH], folder)
        assert soon(there.answers, 900, 1)
        assert [line for line in lines if line.startswith("e2fsck: ")], lines
        for path in own:
            assert there.output(f"cat {path}") == OWN
        there.as_root("make install", KIT)
        assert "nothing to change" in there.as_root("make install", KIT)
        there.python("example.py")
    finally:
        second.close()
        card.unlink()


def test_nothing_is_left_of_a_killed_one(launcher, board):
    """Of a board whose launcher is killed, no process stays; another one goes on."""
    second = Launcher()
    try:
        second.wait_for_linux()
        started = processes.children(second.process.pid)
        assert any(map(is_the_arm, started))
    finally:
        second.end(signal.SIGKILL)
    assert all(processes.soon(pid, "XZ") for pid in started)
    assert launcher.process.poll() is None


def test_nothing_is_left_of_a_killed_run():
    """The tests' folder goes with their process."""
    killed = (
        "import os; from helpers.temporary import temporary; made = temporary();"
        " print(made.__enter__(), flush=True); os.kill(os.getpid(), 9)"
    )
    folder = run_python(killed, env=dict(os.environ, PYTHONPATH="tests")).stdout.strip()
    assert folder.startswith("/") and soon(lambda: not os.path.exists(folder))


def test_a_machine_that_ends_is_told(files):
    """As when Linux kills QEMU because memory runs out."""
    launcher = Launcher()
    try:
        launcher.wait_for_linux()
        (pid,) = [pid for pid in processes.children(launcher.process.pid) if is_the_arm(pid)]
        os.kill(pid, signal.SIGKILL)
        assert launcher.process.wait(60) == 1
        assert "arm board: The board is ended, and not ready" in launcher.said
    finally:
        launcher.end()


def is_the_arm(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return machine.NAME in file.read()
