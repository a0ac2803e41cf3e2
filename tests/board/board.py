"""A stand-in for a PYNQ-Z1 with a stock image, on which pynq's own, unmodified board classes run.
Needs root and /dev/fuse.

    with Board(release, environment, base, library) as board:
        board.power_up()
        board.output("make", "install")
        board.python("base.py")
"""

import ctypes.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.waiting import soon
from iop import firmware

HERE = Path(__file__).resolve().parent
KIT = HERE.parent.parent
# of every board: each has a mount namespace to itself, and the folder stays empty
MOUNT_POINT = KIT / ".images" / "board"
NOTEBOOKS = "/home/xilinx/jupyter_notebooks"
NAME = NOTEBOOKS + "/pynq_tutorial"
HOME_KIT = "/home/xilinx/kit"  # a checkout on the board, for `make install` and the like
# what the image's start_pl_server.py does
PL_SERVER = "from pynq.pl_server.server import _start_server; _start_server()"
# the stock boot.py's example, without its LEDs
BOOT = "from pynq import Overlay; Overlay('base.bit')"
# what an image's build does: pynq 3 keeps what base.hwh says
CACHED = "from pynq import Overlay; Overlay('base.bit', download=False, gen_cache=True)"
PIPES = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "universal_newlines": True,
}


def missing():
    """What this machine lacks to stand in for a board, in a sentence; None if it lacks nothing."""
    if os.geteuid() != 0:
        return "the board stand-in needs root, for its mounts: sudo make test-board"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "the board stand-in needs /dev/fuse: load the kernel's module fuse"
    if not (ctypes.util.find_library("fuse3") or ctypes.util.find_library("fuse")):
        return "the board stand-in needs libfuse: sudo apt-get install fuse3"
    if not shutil.which("cc"):
        return "the board stand-in needs cc: sudo apt-get install gcc libc6-dev"
    if subprocess.call(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "x", "/mnt"]
    ):
        return "the board stand-in needs to mount file systems, and may not here"
    return None


def build_library(cc="cc"):
    """Compiles board.c with this compiler and returns the library's path."""
    MOUNT_POINT.mkdir(parents=True, exist_ok=True)
    library = MOUNT_POINT.with_name(f"board-{cc}.so")
    part = f"{library}.{os.getpid()}"  # another process may be compiling it, too
    options = "-Wall -Wextra -Werror -O1 -shared -fPIC -pthread -D_FILE_OFFSET_BITS=64".split()
    subprocess.check_call([cc, *options, "-o", part, str(HERE / "board.c")])
    os.replace(part, str(library))
    return str(library)


class Board:
    """A board, switched off. Its processes, mounts and files end with close(), and with this
    process, whatever way it ends.

    Args:
        release: pynq's, as "3.0.1".
        environment: A virtual environment with that pynq, which becomes the image's Python.
        base: A folder with the image's base.bit and base.hwh.
        library: What build_library() returned.
        arm_root: The root of the environment's Python and its libraries, if they are ARM programs.
    """

    def __init__(self, release, environment, base, library, arm_root=None):
        self.release = release
        self._of_pynq_2 = release.startswith("2.")  # which has a server of the fabric's state
        self._has_xrt = not release.startswith("2.6")
        self._python = "/usr/local/share/pynq-venv" if self._has_xrt else "/opt/python"
        self.errors = tempfile.TemporaryFile("w+")
        self._linux = subprocess.Popen(
            "unshare --mount --pid --fork --kill-child --propagation private sh".split()
            + [str(HERE / "root.sh")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            universal_newlines=True,
            env=dict(
                os.environ,
                ARM_ROOT=str(arm_root or ""),
                AT=str(MOUNT_POINT),
                BASE=str(base),
                COMPILER=os.path.dirname(firmware.compiler() or ""),
                ENVIRONMENT=str(environment),
                KIT=str(KIT),
                LIBRARY=library,
                NOTEBOOKS=NOTEBOOKS,
                PYTHON=sys.executable,
                PYTHON_AT=self._python,
                PYTHONPATH=f"{KIT}:{KIT}/tests",
                RELEASE=release,
            ),
        )
        try:
            self.pid = int(self._answer())
            (self.pynq,) = self.path(self._python).glob("lib/python3*/site-packages/pynq")
        except BaseException:
            self.close()
            raise

    def _answer(self):
        line = self._linux.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"The board stand-in ended: {self.errors.read()[-2000:]}")
        return line

    def path(self, path):
        """Where the test finds a file of the board's."""
        return Path(f"/proc/{self.pid}/root{MOUNT_POINT}/root{path}")

    def state_files(self):
        """pynq 3's list of what it knows of the fabric: no file for pynq 2."""
        return list((self.pynq / "pl_server").glob("global_pl_state*.json"))

    def power_up(self, state="unknown", boot=None):
        """Switches the board off, which ends its processes, and on again.

        Args:
            state: What the FPGA manager reports then, "unknown" or "operating".
            boot: A Python program, the image's boot.py.
        """
        self._linux.stdin.write(state + "\n")
        self._linux.stdin.flush()
        self._answer()
        if self._of_pynq_2:
            server = self.command("python3", "-c", PL_SERVER, folder="/")
            subprocess.Popen(
                server, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors
            )
            assert soon(lambda: list(self.path("/tmp").glob("pynq.*.socket")))
        if boot:
            self.output("python3", "-c", boot, folder=NOTEBOOKS)

    def command(self, *words, user="root", folder=HOME_KIT, **variables):
        """The command line that runs a command on the board, as an argument of subprocess.Popen."""
        environment = {
            "HOME": "/root" if user == "root" else "/home/xilinx",
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "USER": user,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "BOARD": "Pynq-Z1",
            "PYNQ_JUPYTER_NOTEBOOKS": NOTEBOOKS,
        }
        if self._has_xrt:
            environment.update(XILINX_XRT="/usr", VIRTUAL_ENV=self._python)
            environment["PATH"] = f"{self._python}/bin:{environment['PATH']}"
        environment.update(variables)
        return [
            *("nsenter", "--target", str(self.pid), "--mount", "--pid"),
            *("chroot", "--userspec", f"{user}:{user}", f"{MOUNT_POINT}/root"),
            *("env", "-i", "-C", folder),
            *(f"{name}={value}" for name, value in environment.items()),
            *words,
        ]

    def run(self, *words, timeout=300, **options):
        """Runs a command and returns it finished, with stdout and stderr as text."""
        return subprocess.run(self.command(*words, **options), timeout=timeout, **PIPES)

    def output(self, *words, **options):
        """What a command prints. AssertionError, with all that it said, if it fails."""
        done = self.run(*words, **options)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    @staticmethod
    def program(name, *arguments):
        """The words of a command that runs one of programs/ as a kernel does."""
        return ("python3", "-B", f"{HOME_KIT}/tests/board/programs/{name}", *map(str, arguments))

    def kernel(self, *program, folder=NAME, **options):
        """Runs one of programs/ in a notebook's folder; returns it finished."""
        return self.run(*self.program(*program), folder=folder, PYTHONPATH=".", **options)

    def python(self, *program, folder=NAME):
        """What one of programs/ prints. AssertionError, with all that it said, if it fails."""
        return self.output(*self.program(*program), folder=folder, PYTHONPATH=".")

    def start(self, *program, **variables):
        """Starts one of programs/, whose output and errors are pipes; the next power_up() or
        close() ends it."""
        return self.start_command(*self.program(*program), PYTHONPATH=".", **variables)

    def start_command(self, *words, folder=NAME, **variables):
        """Starts a command, as start() does."""
        return subprocess.Popen(self.command(*words, folder=folder, **variables), **PIPES)

    def close(self):
        """Switches the board off for good. May be called twice."""
        # unshare: the namespace's first process dies with it, and so does all of it
        self._linux.kill()
        self._linux.wait()
        self._linux.stdin.close()
        self._linux.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
