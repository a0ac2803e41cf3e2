"""A board that answers over SSH, for tests that type commands there."""

import contextlib
import shlex
import socket
import subprocess
from pathlib import Path

import pexpect

from helpers.kit import ROOT

HERE = Path(__file__).resolve().parent / "programs"
HOST = "xilinx@127.0.0.1"
OWN = "# what a student wrote"
LIMIT = 1800  # seconds for a command on a board whose PC is busy
NOTEBOOKS = "/home/xilinx/jupyter_notebooks/pynq_tutorial"
KIT = "/home/xilinx/kit"  # a checkout on the board, for its own `make install` and the like
OF_THE_STAND_IN = KIT + "/tests/board/programs"
# what a login has, which sudo drops
LOGIN = (
    "set -a; . /etc/environment; for file in /etc/profile.d/*.sh; do . $file; done;"
    " export HOME=/root PYTHONDONTWRITEBYTECODE=1; "
)
OPTIONS = """
Host *
    Port {port}
    User xilinx
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    IdentitiesOnly yes
    IdentityFile {folder}/key
    ServerAliveInterval 30
    ServerAliveCountMax 10
"""


class Remote:
    """Args:
    port: Where its SSH server answers on 127.0.0.1.
    folder: A Path, for a key and ssh's settings."""

    def __init__(self, port, folder):
        self.port, self.folder, self.config = port, folder, folder / "ssh_config"
        self.config.write_text(OPTIONS.format(port=port, folder=folder))
        self.ssh = ["ssh", "-F", str(self.config)]
        self.option = "SSH=" + shlex.join(self.ssh)  # for make

    def allow_key(self):
        """Makes a key and gives it to the board, by password."""
        if not (self.folder / "key").exists():
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key"]
            subprocess.run(make_key, check=True)
        key = (self.folder / "key.pub").read_text().strip()
        write = f"mkdir -p -m 700 .ssh && echo {shlex.quote(key)} > .ssh/authorized_keys"
        answered(self.ssh + [HOST, write])

    def run(self, command, timeout=LIMIT):
        """Runs a command as user xilinx, and returns it finished, with its output as text."""
        return subprocess.run(
            [*self.ssh, "-o", "BatchMode=yes", "127.0.0.1", command],
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def output(self, command, **options):
        """What a command says. AssertionError with that if it fails."""
        done = self.run(command, **options)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def as_root(self, command, folder=NOTEBOOKS, **options):
        """What a command says that root types in a folder, with the settings of a login."""
        inside = f"{LOGIN} cd {folder} && {command}"
        return self.output(f"echo xilinx | sudo -S -p '' bash -c {shlex.quote(inside)}", **options)

    def python(self, name, *arguments):
        """What a program prints, run as a notebook's kernel is: one of programs/ here, or else of
        the stand-in's."""
        ours = (HERE / name).exists()
        folder = KIT + "/tests/arm/programs" if ours else OF_THE_STAND_IN
        words = shlex.join(["python3", f"{folder}/{name}", *arguments])
        return self.as_root(f"PYTHONPATH=. {words}")

    def bring_kit(self):
        """Copies this checkout to the board, as `git clone` would."""
        command = f"mkdir -p {KIT} && tar -x -z -m -C {KIT} -f -"
        files = subprocess.run(
            ["git", "ls-files", "-z"], cwd=str(ROOT), check=True, stdout=subprocess.PIPE
        ).stdout
        pack = ["tar", "-c", "-z", "-f", "-", "--null", "-T", "-"]
        packed = subprocess.run(
            pack, cwd=str(ROOT), input=files, check=True, stdout=subprocess.PIPE
        )
        into = [*self.ssh, "127.0.0.1", command]
        subprocess.run(into, input=packed.stdout, check=True, timeout=LIMIT)

    def answers(self):
        """Whether its SSH server greets, within a minute."""
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
                return line.recv(4) == b"SSH-"
        return False


def answered(command, limit=LIMIT):
    """What a command says in a terminal, where xilinx is typed whenever it asks for a password.
    AssertionError with that if it fails."""
    child = pexpect.spawn(command[0], command[1:], cwd=str(ROOT), timeout=limit, encoding="utf-8")
    said = ""
    while child.expect([r"(?i)password[^\n]*:", pexpect.EOF]) == 0:
        said += child.before + child.after
        child.sendline("xilinx")
    child.close()
    said += child.before
    assert child.exitstatus == 0, said
    return said
