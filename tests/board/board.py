"""A stand-in for a PYNQ-Z1 with a stock image, on which pynq's own, unmodified board classes run.
Needs root and /dev/fuse.

    with Board(release, environment, base) as board:
        board.power_up()
        board.run("python3", "-c", "from pynq import Overlay; Overlay('base.bit')")
"""

import contextlib
import ctypes.util
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers import checkout
from iop import firmware

HERE = Path(__file__).resolve().parent
KIT = HERE.parent.parent

# of every board: each has a mount namespace to itself, and the folder stays empty
MOUNT_POINT = KIT / ".images" / "board"
NOTEBOOKS = "/home/xilinx/jupyter_notebooks"
HOME_KIT = "/home/xilinx/kit"  # a checkout on the board, for `make install` and the like
# where pynq 3 keeps what it knows of the fabric
STATE_FILES = "global_pl_state*.json", "_current_metadata.pkl"
KERNEL_ENDS_WITHIN = 40  # seconds
# what the image's start_pl_server.py does
PL_SERVER = "from pynq.pl_server.server import _start_server; _start_server()"
# the stock boot.py's example, without its LEDs
BOOT = "from pynq import Overlay; Overlay('base.bit')"


def missing():
    """What this machine lacks to stand in for a board, in a sentence; None if it lacks nothing."""
    if os.geteuid() != 0:
        return "the board stand-in needs root, for its mounts: sudo make test-board"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return (
            "the board stand-in needs /dev/fuse: load the kernel's module fuse, or give the"
            " container that device"
        )
    if not (ctypes.util.find_library("fuse3") or ctypes.util.find_library("fuse")):
        return "the board stand-in needs libfuse: sudo apt-get install fuse3"
    for tool, package in (
        ("cc", "gcc and libc6-dev"),
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("git", "git"),
    ):
        if not shutil.which(tool):
            return f"the board stand-in needs {tool}: sudo apt-get install {package}"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "try", "/mnt"],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if tried.returncode:
        return (
            "the board stand-in needs to mount file systems, and may not here"
            f" ({tried.stderr.strip()})"
        )
    return None


def build_library():
    """Compiles board.c and returns the library's path."""
    MOUNT_POINT.mkdir(parents=True, exist_ok=True)
    library = MOUNT_POINT.with_name("board.so")
    part = f"{library}.{os.getpid()}"  # another process may be compiling it, too
    subprocess.check_call(
        [
            "cc",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-shared",
            "-fPIC",
            "-pthread",
            "-o",
            part,
            str(HERE / "board.c"),
        ]
    )
    os.replace(part, str(library))
    return str(library)


class Board:
    """A board, switched off.

    release:     pynq's, as "3.0.1" environment: a virtual environment with that pynq, which becomes
    the image's Python base:        a folder with the image's base.bit and base.hwh library:
    what build_library() made kit:         a checkout, which is copied to /home/xilinx/kit
    megabytes:   how large the CMA pool is leftover:    the byte that CMA memory is full of when it
    is handed out precached:   {file name: contents} of pynq's state files, as the image's build
    leaves them (cache_metadata()) kernels:     Kernels of the same release and base overlay;
    without them each program imports pynq itself

    Its processes, mounts and files end with close(), and with this process, whatever way it ends.
    """

    def __init__(
        self,
        release,
        environment,
        base,
        library,
        kit=KIT,
        megabytes=128,
        leftover=0,
        precached=None,
        kernels=None,
    ):
        self.release = release
        self._kernels = kernels
        self.folder = str(MOUNT_POINT)
        self.errors = tempfile.TemporaryFile("w+")
        self._linux = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "sh",
                str(HERE / "root.sh"),
                self.folder,
                str(environment),
                release,
                str(base),
                sys.executable,
                str(megabytes),
                str(leftover),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            universal_newlines=True,
            env=dict(
                os.environ,
                BOARD_LIBRARY=library,
                PYTHONPATH=str(KIT),
                COMPILER=os.path.dirname(firmware.compiler() or ""),
            ),
        )
        try:
            self.pid = self._answer()["ready"]
            self.copy(kit, HOME_KIT)
            for name, contents in (precached or {}).items():
                with open(os.path.join(self.pynq(), "pl_server", name), "wb") as file:
                    file.write(contents)
        except BaseException:
            self.close()
            raise

    def _answer(self):
        line = self._linux.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"The board stand-in ended: {self.errors.read()[-2000:]}")
        return json.loads(line)

    def path(self, path):
        """Where the test finds a file of the board's."""
        return f"/proc/{self.pid}/root{self.folder}/root{path}"

    def pynq(self):
        """Where the test finds the image's pynq package."""
        return self.path(
            self.output(
                "python3", "-c", "import importlib.util as u; print(u.find_spec('pynq').origin)"
            ).rpartition("/")[0]
        )

    def state_files(self):
        """{file name: contents} of pynq's state files."""
        return {
            path.name: path.read_bytes()
            for pattern in STATE_FILES
            for path in Path(self.pynq(), "pl_server").glob(pattern)
        }

    def copy(self, kit, to):
        """Copies what belongs to a checkout, changed or not yet committed files too, to a folder of
        the board's."""
        checkout.copy(kit, self.path(to))
        self.run("chown", "-R", "xilinx:xilinx", to)

    def power_up(self, state="unknown", boot=None):
        """Switches the board off, which ends its processes, and on again.

        state: what the FPGA manager reports then, "unknown" or "operating"
        boot:  a Python program, the image's boot.py
        """
        self._linux.stdin.write(json.dumps({"power": state}) + "\n")
        self._linux.stdin.flush()
        self._answer()
        if self.release.startswith("2."):
            self.start("python3", "-c", PL_SERVER)
            self.output(
                "sh",
                "-c",
                "for i in $(seq 400); do ls /tmp/pynq.*.socket 2>/dev/null && exit; sleep 0.05;"
                " done; exit 1",
            )
        if boot:
            self.python(boot)

    def command(self, *command, user="root", folder="/home/xilinx", **variables):
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
        if not self.release.startswith(("2.5", "2.6")):
            environment.update(
                XILINX_XRT="/usr",
                VIRTUAL_ENV="/usr/local/share/pynq-venv",
                PATH="/usr/local/share/pynq-venv/bin:" + environment["PATH"],
            )
        environment.update(variables)
        return (
            [
                "nsenter",
                "--target",
                str(self.pid),
                "--mount",
                "--pid",
                "chroot",
                "--userspec",
                user + ":" + user,
                self.folder + "/root",
                "env",
                "-i",
                "-C",
                folder,
            ]
            + ["{}={}".format(*pair) for pair in environment.items()]
            + list(command)
        )

    def start(self, *command, **options):
        """Starts a command in the background; the next power_up() or close() ends it."""
        return subprocess.Popen(
            self.command(*command, **options),
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
        )

    def start_python(self, source, folder, **variables):
        """Starts a Python program, whose output and errors are pipes; the next power_up() or
        close() ends it."""
        return subprocess.Popen(
            self.command("python3", "-B", "-c", source, folder=folder, **variables),
            universal_newlines=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *command, timeout=300, **options):
        """Runs a command and returns it finished, with stdout and stderr as text."""
        return subprocess.run(
            self.command(*command, **options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=timeout,
        )

    def output(self, *command, **options):
        """What a command prints. AssertionError, with all that it said, if it fails."""
        done = self.run(*command, **options)
        assert done.returncode == 0, (
            f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout.strip()

    def kernel(self, source, folder=NOTEBOOKS):
        """Runs a Python program in a process of its own, as root, as a notebook's kernel does;
        returns it finished, as run() does."""
        if self._kernels is None:
            return self.run("python3", "-B", "-c", source, folder=folder)
        return self._kernels.run(self, source, folder)

    def python(self, source, folder=NOTEBOOKS):
        """What such a program prints. AssertionError, with all that it said, if it fails."""
        done = self.kernel(source, folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

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


class Kernels:
    """Runs Python programs, with pynq imported already, on boards like the one given, which it
    keeps for itself (kernels.py)."""

    def __init__(self, board):
        self._board = board
        self._process = None

    def _start(self):
        machines_proc = os.open("/proc", os.O_RDONLY)
        try:
            command = self._board.command(
                "python3",
                "-B",
                "-c",
                (HERE / "kernels.py").read_text(),
                str(machines_proc),
                folder="/",
            )
            # from one board's PID namespace no process can go over into another's
            command.remove("--pid")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._board.errors,
                universal_newlines=True,
                pass_fds=[machines_proc],
            )
        finally:
            os.close(machines_proc)

    def run(self, board, source, folder):
        """Runs a program on a board, in a folder of it, and returns it finished, as Board.run()
        does."""
        if self._process is None:
            self._start()
        self._process.stdin.write(
            json.dumps(
                {
                    "board": board.pid,
                    "root": board.folder + "/root",
                    "source": source,
                    "folder": folder,
                }
            )
            + "\n"
        )
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], KERNEL_ENDS_WITHIN)[0]:
            self.close()
            raise RuntimeError(
                "A program on the board had no end within {} s:\n{}\nThe board's processes:\n{}".format(
                    KERNEL_ENDS_WITHIN,
                    source,
                    board.run("ps", "-e", "-o", "pid,ppid,etimes,stat,wchan:20,args").stdout,
                )
            )
        answer = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(source, answer["code"], answer["out"], answer["err"])

    def close(self):
        if self._process is not None:
            self._process.kill()  # and what it has started ends with its board
            self._process.wait()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def cache_metadata(*arguments, **options):
    """pynq's state files as an image's build leaves them: pynq 3 caches what base.hwh says.
    Arguments as for Board."""
    with Board(*arguments, **options) as board:
        if board.release.startswith("2."):
            return {}
        board.output(
            "python3",
            "-c",
            "from pynq import Overlay; Overlay('base.bit', download=False, gen_cache=True)",
        )
        return board.state_files()
