"""QEMU as a process: which one is here, how it is started, and how it ends with whoever started it."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from .gdb import Stub

# By either name: newer releases have one program for both byte orders.
NAMES = "qemu-system-microblazeel", "qemu-system-microblaze"
OLDEST = 6, 2
BOTH_BYTE_ORDERS = 10, 0
GET_QEMU = "`make doctor` in the kit's folder prints the command that installs it"

# The stock IOP's configuration, from xparameters.h in the pynq package: no caches, multiplier, divider, barrel shifter,
# FPU, MMU, msr or pcmp instructions. It is a version 11.0; QEMU's newest is 10.0, which differs in 64-bit mode alone.
# endianness=on is little-endian: since QEMU 10 it decides; before, the program's name did.
CPU = ("microblaze,version=10.0,endianness=on,use-barrel=off,use-hw-mul=0,use-div=off,use-fpu=0,use-mmu=off,"
       "use-msr-instr=off,use-pcmp-instr=off")

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class QemuError(RuntimeError):
    """QEMU is missing, too old, or gone: what happened and what to do, in one sentence."""

    def _render_traceback_(self):
        """What IPython prints, in place of a page of frames that are none of the student's."""
        return ["QemuError: {}".format(self)]


def find():
    """The path of QEMU's MicroBlaze, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def version(path):
    """(major, minor, patch) of the QEMU at `path`, all 0 if it does not tell."""
    try:
        said = subprocess.check_output([path, "--version"], stderr=subprocess.DEVNULL, timeout=20).decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        said = ""
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def command(program, memory_size, memory_path, reset_address, debug_fd):
    """The command line, as a list. It can be typed by hand too: with a file of memory_size bytes for memory_path, and `-s`
    in place of the last four words."""
    return [program, "-nodefaults", "-display", "none", "-S",
            "-M", "none,memory-backend=ram", "-m", str(memory_size >> 20),
            "-object", "memory-backend-file,id=ram,size={},mem-path={},share=on".format(memory_size, memory_path),
            "-cpu", CPU, "-device", "loader,cpu-num=0,addr={:#x}".format(reset_address),
            "-chardev", "socket,id=debug,fd={}".format(debug_fd), "-gdb", "chardev:debug"]


class Qemu:
    """A running QEMU, whose processor stands at its reset address. For one thread; kill() from any.

    Linux ends it when the thread that made it ends. Its control channel is a socket pair, which has no name, so nobody else
    can open it.

    stub: its GDB stub; connection: the socket to that, to wait on; complains: to wait on too, there is something in
    complaints(), and if nobody asked for them, QEMU would stop in the end; pid: its process number
    """

    STARTS_WITHIN = 20.0  # seconds, on a PC that has a whole class to serve
    ANSWERS_WITHIN = 2.0  # seconds that QEMU may take for a command before it counts as hung

    def __init__(self, memory_size, memory_fd, reset_address):
        """QemuError if it does not start."""
        program = find()
        if program is None:
            raise QemuError("The virtual board needs {}, which is not installed: {}.".format(NAMES[0], GET_QEMU))
        self.connection, far_end = socket.socketpair()
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with far_end:
            try:
                self._process = subprocess.Popen(
                    command(program, memory_size, "/dev/fd/{}".format(memory_fd), reset_address, far_end.fileno()),
                    pass_fds=[memory_fd, far_end.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, start_new_session=True,  # Ctrl-C in the terminal is for Python alone
                    preexec_fn=die_with_parent if libc else None)
            except (OSError, subprocess.SubprocessError) as error:
                self.connection.close()
                raise QemuError("{} cannot be started ({}): {}.".format(program, error, GET_QEMU)) from None
        self.pid = self._process.pid
        self.complains = self._process.stderr
        self._complaints = b""
        os.set_blocking(self._process.stderr.fileno(), False)
        self.stub = Stub(self.connection)
        self.connection.settimeout(self.STARTS_WITHIN)
        try:
            if self.stub.registers()[32] != reset_address:
                self.stub.byte_order = ">"
        except OSError as error:
            raise self._failed_to_start(program, self.end() or str(error)) from None
        if self.stub.byte_order == ">" and version(program) < BOTH_BYTE_ORDERS:
            self.end()
            raise QemuError("{} has a big-endian MicroBlaze only, and the virtual board needs {}, or QEMU 10 or newer: {}."
                            .format(program, NAMES[0], GET_QEMU))
        self.connection.settimeout(self.ANSWERS_WITHIN)

    @staticmethod
    def _failed_to_start(program, reason):
        found = version(program)
        if (0, 0) < found[:2] < OLDEST:
            return QemuError("{} is QEMU {}.{}.{}, and the virtual board needs {}.{} or newer: {}.".format(
                program, *(found + OLDEST + (GET_QEMU,))))
        return QemuError("QEMU ended ({}) when it was started, as {}: {}.".format(reason, program, GET_QEMU))

    def complaints(self):
        """What it said last on standard error."""
        self._complaints = (self._complaints + (self._process.stderr.read() or b""))[-4096:]
        return self._complaints.decode(errors="replace").strip()

    def kill(self):
        """Ends it at once; end() has to follow. From any thread."""
        self._process.kill()

    def end(self):
        """Ends it, waits for its end, and returns what it said last."""
        self._process.kill()
        self._process.wait()
        said = self.complaints()
        self._process.stderr.close()
        self.connection.close()
        return said
