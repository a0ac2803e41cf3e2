"""The I/O processor: a MicroBlaze in QEMU, with the memory it shares with Python and its reset pin."""

import ctypes
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading

from .memory import SIZE

QEMU = "qemu-system-microblazeel"
GET_QEMU = "`make doctor` in the kit's folder prints the command that installs it"

# The stock IOP's configuration, from xparameters.h in the pynq package: no caches, multiplier, divider, barrel shifter,
# FPU, MMU, msr or pcmp instructions. It is a version 11.0; QEMU's newest is 10.0, which differs in 64-bit mode alone.
CPU = ("microblaze,version=10.0,endianness=on,use-barrel=off,use-hw-mul=0,use-div=off,use-fpu=0,use-mmu=off,"
       "use-msr-instr=off,use-pcmp-instr=off")

# QEMU's bare machine never resets its CPU unless a loader device gives it a reset address, and that may not be 0. So it
# resets to this, in a place that answers to nothing on the board, and that jumps to 0. First it writes each word of
# program memory back: QEMU keeps translations of what it ran, does not see Python load another program over it, but
# drops them for what the processor itself writes.
RESET_STUB = 0x1FFF0000
RESET_CODE = (0xB0000000, 0x3060EFFC,  # imm 0; addik r3, r0, 0xEFFC   the last word before the mailbox
              0xE8830000,              # lwi   r4, r3, 0
              0xF8830000,              # swi   r4, r3, 0
              0xBE23FFF8,              # bneid r3, -8
              0x3063FFFC,              # addik r3, r3, -4
              0xB8080000)              # brai  0

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class QemuError(RuntimeError):
    """QEMU is missing, too old, or gone: what happened and what to do, in one sentence."""


def qemu_command(memory_path, control_fd):
    """The command line, as a list. It can be typed by hand too: with a file of 1 GB for memory_path, and `-qmp stdio`
    in place of the last four words."""
    return [QEMU, "-nodefaults", "-display", "none", "-S",
            "-M", "none,memory-backend=ram", "-m", str(SIZE >> 20),
            "-object", "memory-backend-file,id=ram,size={},mem-path={},share=on".format(SIZE, memory_path),
            "-cpu", CPU, "-device", "loader,cpu-num=0,addr={:#x}".format(RESET_STUB),
            "-chardev", "socket,id=control,fd={}".format(control_fd), "-mon", "chardev=control,mode=control"]


class MicroBlaze:
    """Starts in reset. Its control channel (QMP) is a socket pair: it has no name, so nobody else can open it."""

    def __init__(self, memory):
        self._memory = memory
        self._start()

    def _start(self):
        if not shutil.which(QEMU):
            raise QemuError("The virtual board needs {}, which is not installed: {}.".format(QEMU, GET_QEMU))
        ours, theirs = socket.socketpair()
        with theirs:
            started = threading.Event()
            # Linux ends QEMU when the thread that started it ends, which this thread does only with its process.
            self._life = threading.Thread(target=self._live, args=(theirs.fileno(), started), name="QEMU", daemon=True)
            self._life.start()
            started.wait()
        self._control = ours
        self._control.settimeout(10)
        self._replies = ours.makefile("r")
        self._receive()
        self._execute("qmp_capabilities")

    def _live(self, control_fd, started):
        """Runs QEMU for as long as it lives, and keeps what it says."""
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        memory = self._memory.file
        self._process = subprocess.Popen(
            qemu_command("/dev/fd/{}".format(memory), control_fd), pass_fds=[memory, control_fd],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for Python alone
            preexec_fn=die_with_parent if libc else None)
        started.set()
        self._stderr = self._process.communicate()[1].decode(errors="replace").strip()

    def _receive(self):
        """The next reply to a command; QMP's events between them are of no interest here."""
        while True:
            try:
                line = self._replies.readline()
            except OSError:
                raise QemuError("QEMU (process {}) does not answer: download the overlay again, which starts another."
                                .format(self.pid)) from None
            if not line:
                self._life.join()
                raise QemuError("QEMU ended with code {}{}; download the overlay again, which starts another. If it "
                                "does not start at all it may be older than 6.2: {}.".format(
                                    self._process.returncode, " ({})".format(self._stderr) if self._stderr else "",
                                    GET_QEMU))
            reply = json.loads(line)
            if "event" not in reply:
                return reply

    def _execute(self, command):
        try:
            self._control.sendall(json.dumps({"execute": command}).encode())
        except OSError:
            pass  # it has ended: receiving says so
        reply = self._receive()
        if "error" in reply:
            raise QemuError("QEMU refused {}: {}.".format(command, reply["error"]["desc"]))

    @property
    def pid(self):
        """The process number of QEMU."""
        return self._process.pid

    def reset(self, active):
        """The reset pin: while it is active the processor stands still; then it starts from address 0."""
        if active:
            try:
                self._execute("stop")
            except QemuError:  # it was killed, or hangs: the pin revives a processor in any state
                self.close()
                self._start()
            self._memory.words[RESET_STUB // 4:RESET_STUB // 4 + len(RESET_CODE)] = RESET_CODE
            self._execute("system_reset")
        else:
            self._execute("cont")

    def close(self):
        """Ends QEMU and waits for its end."""
        self._process.kill()
        self._life.join()
        self._replies.close()
        self._control.close()
