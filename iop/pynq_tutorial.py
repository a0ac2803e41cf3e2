"""Pynq_Tutorial: the program on an I/O processor (IOP) writes into a buffer that Python
allocated."""

import numbers
import os
import threading
import time
import zlib
from contextlib import contextmanager

import pynq
from pynq import PL, Device
from pynq.lib import PynqMicroblaze

from . import cells, pynq_state
from .buffers import FREED, flush, integer, invalidate, is_allocated, locate
from .firmware import PROGRAM, read_program
from .sharing import Session, check_iop, iop_lock, loading_lock, wait

PYNQ = os.path.dirname(pynq.__file__)
# Now, because every notebook downloads the overlay next, and may begin a cell with %%microblaze.
pynq_state.use(PYNQ)
cells.install()

# The mailbox, as mb_src/mailbox.h defines it: byte offsets in the IOP's memory of its 32-bit words.
MAILBOX = 0xF000
BUFFER_ADDR = MAILBOX + 0
ARRAY_LENGTH = MAILBOX + 4
INIT_DATA = MAILBOX + 8
STATUS = MAILBOX + 12
MAILBOX_WORDS = "BUFFER_ADDR", "ARRAY_LENGTH", "INIT_DATA", "STATUS"  # their names, in order
# The word before the mailbox takes the mark: the stack begins below it (mb_src/iop.ld), and pynq,
# which loads a program word by word, clears it before any word of the mailbox.
LOADED = MAILBOX - 4
STATUS_READY = 1
STATUS_REFUSED = 2

START_TIMEOUT = 2.0  # seconds; the program needs a few microseconds
SECONDS_A_WORD = 1e-6  # 100 cycles at 100 MHz; not yet measured on a board
# Words in one request to the IOP, at most. If a process is killed, the IOP writes on into memory
# that may be another's by then. So it writes no more than this. That is 2.375 instructions a word,
# so 6 ms at least on a board, at 100 MHz.
AT_ONCE = 1 << 18


class Pynq_Tutorial:
    """An IOP that fills buffers: word i of a buffer becomes data + i.

    iop = Pynq_Tutorial(overlay.iop1.mb_info)
    iop.write_to_buffer(buffer, length=10, data=1)

    Any thread may call any method. All notebooks of a board share the IOP: each call takes it,
    waits if another process has it, and checks that overlay and program are still this object's.
    Objects of different IOPs do not wait for each other."""

    def __init__(self, mb_info, program=None):
        """Loads the program into the IOP and waits until it takes requests.

        Args:
            mb_info: Which IOP, as its overlay describes it: overlay.iop1.mb_info.
            program: A file that iop.firmware.build() made; the kit's own, if not given.

        Raises:
            RuntimeError: There is no such IOP, another process has it, or the file is not whole.
            TimeoutError: The program does not start.
        """
        program = os.path.abspath(program or PROGRAM)
        self._mb_info, self._program = mb_info, read_program(program)
        check_iop(mb_info)
        self._lock = iop_lock(mb_info)
        with self._lock.threads, self._lock:
            anew = "make a new one with Pynq_Tutorial(overlay.iop1.mb_info)."
            again = "call reset() to load this object's program again."
            self._session = Session(LOADED, "this Pynq_Tutorial was made", anew, again)
            # before this process began to watch
            other = pynq_state.another(PYNQ, PL.bitfile_name)
            if other:
                raise RuntimeError(
                    f"Another notebook has downloaded {other} meanwhile: run overlay = Overlay(...)"
                    " again, and then this."
                )
            # Not the names of the interrupt: pynq would then wait for one in a thread of its own.
            names = {name: mb_info[name] for name in ("ip_name", "rst_name")}
            with loading_lock(), self._explaining_failures():
                self._microblaze = PynqMicroblaze(names, program, force=True)
            self._memory = self._microblaze.mmio.array
            self._loaded = zlib.crc32(f"{PL.timestamp} {self._program}".encode()) or 1
            self._start()
            pynq_state.leave(PYNQ, pynq_state.OVERLAY_FOLDER)

    def write_to_buffer(self, buffer, length, data, timeout=None):
        """Has the IOP write data, data + 1, data + 2, ... into a buffer's first words, and returns
        when it has.

        Everything is checked before the IOP is told anything.

        Args:
            buffer: A buffer of 32-bit words, a view of one in one piece, or a physical address in
                one.
            length: How many 32-bit words; 0 writes nothing.
            data: The first value, from -2**31 to 2**32 - 1. After the largest 32-bit value comes
                the smallest.
            timeout: Seconds to wait for the answer. If not given, 2 s and 1 microsecond a word.

        Raises:
            TypeError, ValueError: Something is wrong with the request, and nothing was written.
            TimeoutError: The IOP did not answer. It is stopped, as after Ctrl-C or the stop button,
                and the next call starts it again.
            RuntimeError: Another process has the IOP, or has changed its overlay or program. If
                that happened during the request, the buffer's words may be wrong.
        """
        length, data = integer("length", length), integer("data", data)
        address, room, owner = locate(buffer)
        if not 0 <= length <= room // 4:
            raise ValueError(f"length is {length}, and has to be 0 to {room // 4} words here.")
        if not -(2**31) <= data < 2**32:
            raise ValueError(
                f"data is {data}, which does not fit into 32 bits: give a value from {-(2**31)} to"
                f" {2**32 - 1}."
            )
        if timeout is None:
            timeout = START_TIMEOUT + length * SECONDS_A_WORD
        else:
            _check_timeout(timeout)
        if not length:
            return
        with self._lock.threads, self._lock:
            if not is_allocated(owner):  # another thread freed it while this one waited
                raise ValueError(FREED)
            # A cacheable buffer's cache: what Python wrote goes to DDR before the IOP writes,
            # and what the IOP wrote is fetched before Python reads.
            offset = address - owner.physical_address
            flush(owner, offset, 4 * length)
            end = time.monotonic() + timeout
            for done in range(0, length, AT_ONCE):
                words, first = min(AT_ONCE, length - done), (data + done) % 2**32
                self._request(address + 4 * done, words, first, timeout, end)
            invalidate(owner, offset, 4 * length)

    def read_mailbox(self, word):
        """A word of the mailbox, by its number. Words 4 to 1023 are free for results of a program
        of your own."""
        return self._session.words[MAILBOX // 4 + word]

    def reset(self):
        """Restarts the program, whatever state the IOP is in.

        Raises:
            RuntimeError: Another process has the IOP, or another overlay was downloaded.
            TimeoutError: The program does not start.
        """
        with self._lock.threads, self._lock:
            self._session.check_overlay()
            self._start()

    @contextmanager
    def _explaining_failures(self):
        try:
            yield
        except Exception:
            # any type: pynq does not expect another process to download an overlay at this moment
            _end_talk()
            self._session.check_overlay()
            check_iop(self._mb_info)
            raise

    def _start(self):
        """Does what pynq's program() does, and marks the memory while the IOP is in reset.

        Notebook 3 loads its program by hand, without the lock. A load after the mark erases the
        mark. A load before it leaves another program in memory, which the comparison finds. So a
        mailbox that a load has cleared is never taken for an answer. Such a notebook also ends the
        reset, and the IOP runs what is half loaded: so it is stopped again before it starts."""
        microblaze, size = self._microblaze, len(self._program)
        with loading_lock(), self._explaining_failures():
            microblaze.reset()
            # clears all of the mailbox, too
            PL.load_ip_data(microblaze.ip_name, microblaze.mb_program, zero=True)
            self._session.mark(self._memory, self._loaded)
            ours = self._memory[: -(-size // 4)].tobytes()[:size] == self._program
            self._stop()
            microblaze.run()
        words = self._session.words
        if not wait(lambda: words[STATUS // 4] == STATUS_READY, time.monotonic() + START_TIMEOUT):
            self._session.check_overlay()
            self._stop()
            raise TimeoutError(
                f"The IOP's program did not start within {START_TIMEOUT} s: download the overlay"
                " again, then make a new Pynq_Tutorial; a program of your own must set STATUS to"
                " STATUS_READY."
            )
        self._session.check_program(ours)

    def _stop(self):
        """Holds the IOP in reset, and clears the words by which it would seem to wait for
        requests."""
        if self._session.has_overlay():
            self._microblaze.reset()
            self._memory[STATUS // 4] = self._memory[BUFFER_ADDR // 4] = 0

    def _request(self, address, length, data, timeout, end=None):
        """One request, within the lock. timeout: the caller's, in seconds; end: when it is over, by
        time.monotonic()."""
        session, memory = self._session, self._memory
        session.check_overlay()
        words = session.words
        if self._microblaze.state != "RUNNING":
            self._start()
        else:
            session.check_program()
            # A process may have stopped the IOP, or was killed while it waited for an answer.
            if words[STATUS // 4] not in (STATUS_READY, STATUS_REFUSED) or words[BUFFER_ADDR // 4]:
                self._start()
        try:
            memory[ARRAY_LENGTH // 4] = length
            memory[INIT_DATA // 4] = data
            memory[BUFFER_ADDR // 4] = address  # last, because it starts the request
            answered = wait(lambda: not words[BUFFER_ADDR // 4], end or time.monotonic() + timeout)
        except BaseException:
            # also the stop button: an IOP that nobody waits for must not go on writing
            self._stop()
            raise
        # A BUFFER_ADDR of 0 is not an answer if somebody downloaded an overlay or loaded a program
        # meanwhile. Both clear the mailbox, and the mark before it.
        status = words[STATUS // 4]
        session.check_overlay()
        if not answered:
            self._stop()
            raise TimeoutError(
                f"The IOP did not answer within {timeout} s and was stopped; the next call starts"
                " it again. Give a long request a longer timeout."
            )
        session.check_program(status in (STATUS_READY, STATUS_REFUSED))
        if status == STATUS_REFUSED:
            raise ValueError(
                f"The IOP refused to write {length} words at {address:#x}, which are not all in DDR"
                " memory."
            )


def _end_talk():
    """Ends the conversation with the board's server that pynq 2.6 leaves open if another process
    has just downloaded an overlay without this IOP (load_ip_data() in pl_server/server.py).
    Otherwise the server would wait for its end, and answer nobody else."""
    client = getattr(Device.active_device, "_client", None)
    talk = getattr(client, "_remote", None)
    if talk is not None and not talk.closed:
        client.server_update()


def _check_timeout(timeout):
    wrong = f"timeout is {timeout!r}: give a number of seconds that is more than 0 and has an end."
    if not isinstance(timeout, numbers.Real) or isinstance(timeout, bool):
        raise TypeError(wrong)
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(wrong)
