"""The I/O processor: a MicroBlaze in QEMU, with the memory it shares with Python and its reset pin."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from .idle import FIRST_LOOK, LONGEST_LOOK, Debugger, find_wait
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

    def _render_traceback_(self):
        """What IPython prints, in place of a page of frames that are none of the student's."""
        return ["QemuError: {}".format(self)]


def qemu_command(memory_path, control_fd, debug_fd):
    """The command line, as a list. It can be typed by hand too: with a file of 1 GB for memory_path, and `-qmp stdio -s`
    in place of the last eight words."""
    return [QEMU, "-nodefaults", "-display", "none", "-S",
            "-M", "none,memory-backend=ram", "-m", str(SIZE >> 20),
            "-object", "memory-backend-file,id=ram,size={},mem-path={},share=on".format(SIZE, memory_path),
            "-cpu", CPU, "-device", "loader,cpu-num=0,addr={:#x}".format(RESET_STUB),
            "-chardev", "socket,id=control,fd={}".format(control_fd), "-mon", "chardev=control,mode=control",
            "-chardev", "socket,id=debug,fd={}".format(debug_fd), "-gdb", "chardev:debug"]


class MicroBlaze:
    """Starts in reset. Its control channels (QMP, and GDB's protocol) are socket pairs: they have no names, so nobody
    else can open them.

    A program that does nothing but wait is put to sleep (idle.py): its processor stands still until Python writes to
    its memory through written(), or a word that it waits for changes in another way.

    debugger: QEMU's GDB stub, to be used by others only until the processor has left reset for the first time; from there
    on it is what puts programs to sleep
    """

    STARTS_WITHIN = 20.0  # seconds, on a PC that has a whole class to serve
    ANSWERS_WITHIN = 2.0  # seconds that QEMU may take for a command before it counts as hung
    QUIET = 0.1  # seconds without a write before a program is looked at, so that requests in a row are never delayed
    WATCH = 0.003  # seconds between two looks at the words that a sleeping program waits for

    def __init__(self, memory):
        self._memory = memory
        self._owner = os.getpid()
        self._lock = threading.RLock()  # one of us at a time speaks with QEMU
        self._closed = threading.Event()
        self._running = False
        self._waits_for = None  # asleep: (indices of the words it waits for, their values)
        self._last_write = 0.0  # time.monotonic()
        self._start()
        threading.Thread(target=self._watch, name="idle watch", daemon=True).start()

    def _start(self):
        if not shutil.which(QEMU):
            raise QemuError("The virtual board needs {}, which is not installed: {}.".format(QEMU, GET_QEMU))
        self._control, control = socket.socketpair()
        self._debug, debug = socket.socketpair()
        self._process = None
        self._problem = ""
        with control, debug:
            started = threading.Event()
            # Linux ends QEMU when the thread that started it ends, which this thread does only with its process.
            self._life = threading.Thread(target=self._live, args=(control.fileno(), debug.fileno(), started),
                                          name="QEMU", daemon=True)
            self._life.start()
            started.wait()
        self._control.settimeout(self.STARTS_WITHIN)
        self._debug.settimeout(self.ANSWERS_WITHIN)
        self._replies = self._control.makefile("r")
        self.debugger = Debugger(self._debug)
        try:
            self._receive()
            self._control.settimeout(self.ANSWERS_WITHIN)
            self._execute("qmp_capabilities")
        except QemuError:
            self._end()
            raise

    def _live(self, control_fd, debug_fd, started):
        """Runs QEMU for as long as it lives, and keeps what it says."""
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        memory = self._memory.file
        try:
            self._process = subprocess.Popen(
                qemu_command("/dev/fd/{}".format(memory), control_fd, debug_fd), pass_fds=[memory, control_fd, debug_fd],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the terminal is for Python alone
                preexec_fn=die_with_parent if libc else None)
        except (OSError, subprocess.SubprocessError) as error:
            self._problem = str(error)
            return
        finally:
            started.set()
        self._problem = self._process.communicate()[1].decode(errors="replace").strip()

    def _receive(self):
        """The next reply to a command; QMP's events between them are of no interest here."""
        while True:
            try:
                line = self._replies.readline()
            except OSError:
                raise QemuError("QEMU (process {}) does not answer: a new Pynq_Tutorial starts another."
                                .format(self.pid)) from None
            if not line:
                self._life.join()
                raise QemuError("QEMU ended{}: a new Pynq_Tutorial starts another; if it ends at once it may be older "
                                "than 6.2, and {}.".format(" ({})".format(self._problem) if self._problem else "",
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

    def _stop(self):
        if self._running:
            self._execute("stop")
            self._running = False
            self.debugger.reply()  # the stub says so too

    def _continue(self):
        self._waits_for = None
        self._execute("cont")
        self._running = True

    @property
    def pid(self):
        """The process number of QEMU."""
        return self._process.pid

    @property
    def is_asleep(self):
        """Whether it stands still because its program only waits."""
        return self._waits_for is not None

    def reset(self, active):
        """The reset pin: while it is active the processor stands still; then it starts from address 0."""
        with self._lock:
            if not active:
                self._last_write = time.monotonic()
                self._continue()
                return
            self._waits_for = None
            try:
                self._stop()
                self._execute("query-status")
            except (QemuError, OSError):  # it was killed, or hangs: the pin revives a processor in any state
                self._end()
                self._start()
            self._memory.words[RESET_STUB // 4:RESET_STUB // 4 + len(RESET_CODE)] = RESET_CODE
            self._execute("system_reset")

    def written(self):
        """Python wrote to the processor's memory: a sleeping program wakes."""
        self._last_write = time.monotonic()
        if self._waits_for is not None and os.getpid() == self._owner:
            self._wake()

    def _wake(self):
        with self._lock:
            if self._waits_for is not None:
                try:
                    self._continue()
                except QemuError:
                    pass  # whoever waits for an answer gets a timeout, and the pin revives it

    def _watch(self):
        """Puts the processor to sleep when its program waits, and wakes it when that has an end."""
        steps, next_look = FIRST_LOOK, 0.0
        while not self._closed.wait(self.WATCH if self.is_asleep else self.QUIET / 2):
            waits_for = self._waits_for
            if waits_for is not None:
                if (self._memory.words[waits_for[0]] != waits_for[1]).any():
                    self._last_write = time.monotonic()
                    self._wake()
                continue
            started = time.monotonic()
            if started - self._last_write < self.QUIET:
                steps, next_look = FIRST_LOOK, 0.0
            elif self._running and started >= next_look:
                self._look(steps)
                # What is not proven is looked at longer, and less often: it keeps nine tenths of its time.
                steps = min(4 * steps, LONGEST_LOOK)
                next_look = time.monotonic() + 9 * (time.monotonic() - started)

    def _look(self, steps):
        with self._lock:
            if not self._running:
                return
            last_write = self._last_write
            try:
                self._stop()
                words = self._memory.words
                found = find_wait(self.debugger, words, steps, lambda: self._last_write != last_write)
                if found is not None:
                    self._waits_for = found, words[found]
                if found is None or self._last_write != last_write:
                    self._continue()
            except (QemuError, OSError):
                self._running = False  # killed or hung: nothing to be done before the next reset

    def _end(self):
        self._running = False
        if self._process is not None:
            self._process.kill()
        self._life.join()
        for end in (self._replies, self._control, self._debug):
            end.close()

    def close(self):
        """Ends QEMU and waits for its end."""
        self._closed.set()
        if self._process is not None:
            self._process.kill()  # also ends what another thread may wait for
        with self._lock:
            self._end()
