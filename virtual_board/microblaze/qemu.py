"""QEMU as a process: which one is installed, how it is started, and how it ends with the process
that started it."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from .gdb import PC, Stub

# By either name: newer releases have one program for both byte orders.
NAMES = "qemu-system-microblazeel", "qemu-system-microblaze"
OLDEST = 6, 2
BOTH_BYTE_ORDERS = 10, 0
GET_QEMU = "`make doctor` in the kit's folder prints the command that installs it"

# The stock IOP's configuration, from xparameters.h in the pynq package: no caches, multiplier,
# divider, barrel shifter, FPU, MMU, msr or pcmp instructions. Its version is 11.0; QEMU's newest is
# 10.0, which differs only in 64-bit mode. endianness=on means little-endian. It decides since QEMU
# 10; before, the program's name did.
CPU = (
    "microblaze,version=10.0,endianness=on,use-barrel=off,use-hw-mul=0,use-div=off,use-fpu=0,"
    "use-msr-instr=off,use-pcmp-instr=off,"
)  # the MMU's options follow

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class QemuError(RuntimeError):
    """QEMU is missing, too old, or gone: what happened and what to do, in one sentence."""

    def _render_traceback_(self):
        """What IPython prints, instead of a page of frames from the kit's own code."""
        return [f"QemuError: {self}"]


def find():
    """The path of QEMU's MicroBlaze, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def environment(path):
    """The variables that the QEMU at `path` is started with.

    The system's own gets no LD_LIBRARY_PATH: tools such as Vivado set that for their libraries,
    which need not be QEMU's. A QEMU that lies elsewhere may need it."""
    variables = dict(os.environ)
    if os.path.realpath(path).startswith(("/usr/", "/bin/")):
        variables.pop("LD_LIBRARY_PATH", None)
    return variables


def version(path):
    """(major, minor, patch) of the QEMU at `path`. QemuError, with the reason, if it does not
    start."""
    try:
        run = subprocess.run(
            [path, "--version"],
            env=environment(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _cannot_be_started(path, error) from None
    said = run.stdout.decode(errors="replace").strip()
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    if not found:
        raise _ended(path, said.split("\n")[0] or f"status {run.returncode}")
    return tuple(map(int, found.groups()))


def _cannot_be_started(path, error):
    return QemuError(f"{path} cannot be started: {getattr(error, 'strerror', error)}.")


def _ended(path, said):
    """The error for a QEMU that ended when it was started. said: its own, in one line"""
    remedy = ""
    if "LD_LIBRARY_PATH" in environment(path) and re.search("librar|symbol|version `", said):
        remedy = (
            " LD_LIBRARY_PATH is set, and may lead it to another program's libraries: try again"
            " without it."
        )
    return QemuError(
        f"QEMU ended when it was started, as {path}, and said: {said.rstrip('.')}.{remedy}"
    )


def _why(path, said):
    """The error for a QEMU that does not answer, and perhaps said why."""
    try:
        found = version(path)
    except QemuError as error:
        return error
    if found[:2] >= OLDEST:
        return _ended(path, " ".join(said.split("\n")))
    has, needs = (".".join(map(str, numbers)) for numbers in (found, OLDEST))
    return QemuError(
        f"{path} is QEMU {has}, and the virtual board needs {needs} or newer: {GET_QEMU}."
    )


def command(program, memory, path, debug_fd):
    """The command line, as a list. One can type it too, with a file of memory.size bytes for path,
    and `-s` in place of the last four words.

    Args:
        memory: An IopMemory (mmu.py).
        path: Its file's."""
    size, reset_address = memory.size, memory.reset_address
    backend = f"memory-backend-file,id=ram,size={size},mem-path={path},share=on"
    return [
        *(program, "-nodefaults", "-no-user-config", "-display", "none", "-S"),
        *("-M", "none,memory-backend=ram", "-m", str(size >> 20), "-object", backend),
        *("-cpu", CPU + memory.cpu, "-device", f"loader,cpu-num=0,addr={reset_address:#x}"),
        *("-chardev", f"socket,id=debug,fd={debug_fd}", "-gdb", "chardev:debug"),
    ]


def cpu_seconds(pid):
    """What Linux has charged to a process so far, to the nanosecond: /proc counts in hundredths of
    a second. OSError if there is no such process."""
    # how Linux numbers the clock of a process: clock_getcpuclockid(3)
    return time.clock_gettime(~pid << 3 | 2)


def start(words, variables, descriptors, said):
    """Starts a QEMU; returns its subprocess.Popen. Linux ends it when the thread that calls this
    ends.

    Args:
        words: The command line, as a list.
        variables: As of environment().
        descriptors: Those that it inherits.
        said: Where its standard error goes, as for Popen.

    Raises:
        OSError, subprocess.SubprocessError: It cannot be started."""
    libc = ctypes.CDLL(None)  # loaded before the fork

    def die_with_parent():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return subprocess.Popen(
        words,
        env=variables,
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,  # Ctrl-C in the terminal is for Python alone
        preexec_fn=die_with_parent,
    )


class Qemu:
    """A running QEMU, whose processor stands at its reset address. QemuError if it does not start.
    memory: an IopMemory (mmu.py).

    For one thread; any thread may call kill(). Linux ends it when the thread that made it ends. Its
    control channel is a socket pair, which has no name, so nobody else can open it.

    stub: its GDB stub
    connection: the socket to the stub, to wait on
    pid: its process number"""

    STARTS_WITHIN = 20.0  # seconds, on a PC that has a whole class to serve
    ANSWERS_WITHIN = 2.0  # seconds that QEMU may take for a command before it counts as hung

    def __init__(self, memory):
        program = find()
        if program is None:
            raise QemuError(
                f"The virtual board needs {NAMES[0]}, which is not installed: {GET_QEMU}."
            )
        self.connection, far_end = socket.socketpair()
        self._said = os.memfd_create("qemu-says")  # unlike a pipe, it never gets full

        with far_end:
            path, debug = f"/dev/fd/{memory.file}", far_end.fileno()
            try:
                words = command(program, memory, path, debug)
                descriptors = [memory.file, debug]
                self._process = start(words, environment(program), descriptors, self._said)
            except (OSError, subprocess.SubprocessError) as error:
                self.connection.close()
                os.close(self._said)
                raise _cannot_be_started(program, error) from None
        self.pid = self._process.pid
        self.stub = Stub(self.connection)
        self.connection.settimeout(self.STARTS_WITHIN)
        try:
            if self.stub.registers()[PC] != memory.reset_address:
                self.stub.byte_order = ">"
        except OSError as error:
            raise _why(program, self.end() or str(error)) from None
        if self.stub.byte_order == ">" and version(program) < BOTH_BYTE_ORDERS:
            self.end()
            raise QemuError(
                f"{program} has a big-endian MicroBlaze only, and the virtual board needs"
                f" {NAMES[0]}, or QEMU 10 or newer: {GET_QEMU}."
            )
        self.connection.settimeout(self.ANSWERS_WITHIN)

    def time_used(self):
        """Seconds of the PC's processor that it has used; 0 if it has ended."""
        try:
            return cpu_seconds(self.pid)
        except OSError:
            return 0.0

    def kill(self):
        """Ends it at once; end() has to follow. Any thread may call it."""
        self._process.kill()

    def end(self):
        """Ends it, waits for its end, and returns what it said on standard error."""
        self._process.kill()
        self._process.wait()
        said = os.pread(self._said, 4096, 0)
        os.close(self._said)
        self.connection.close()
        return said.decode(errors="replace").strip()
