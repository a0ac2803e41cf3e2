"""Pynq_Tutorial: the program on an I/O processor (IOP) writes into a buffer that Python
allocated."""

import numbers
import os
import threading
import time
import zlib

import numpy as np
import pynq
from pynq import PL, Device
from pynq.lib import PynqMicroblaze

from . import (
    cells,  # noqa: F401 (for cells of C beside this class)
    pynq_state,
)
from .buffers import from_memory, integer, is_allocated, locate, to_memory
from .sharing import board_lock, downloads

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "pynq_tutorial.bin")
PYNQ = os.path.dirname(pynq.__file__)

pynq_state.use(PYNQ)  # now, because every notebook downloads the overlay next

# The mailbox, as mb_src/mailbox.h defines it: byte offsets in the IOP's memory of its 32-bit words.
MAILBOX = 0xF000
BUFFER_ADDR = MAILBOX + 0
ARRAY_LENGTH = MAILBOX + 4
INIT_DATA = MAILBOX + 8
STATUS = MAILBOX + 12
MAILBOX_WORDS = "BUFFER_ADDR", "ARRAY_LENGTH", "INIT_DATA", "STATUS"  # their names, in order
# the last word of the page: says which program was loaded into which overlay
LOADED = MAILBOX + 0xFFC
STATUS_READY = 1
STATUS_REFUSED = 2

# The program's own header, as mb_src/crt0.S writes it: where it is in the file, and how it begins.
HEADER = 4
MAGIC = b"PYNQ"

START_TIMEOUT = 2.0  # seconds; the program needs a few microseconds
SECONDS_A_WORD = 1e-6  # 100 cycles at 100 MHz; not yet measured on a board
# seconds to poll before the first sleep: less than half of the shortest sleep under Linux
LOOK_WITHOUT_PAUSE = 3e-5
LONGEST_PAUSE = 1e-3  # seconds; the pauses before it are a quarter of the wait so far
# Words in one request to the IOP, at most. If a process is killed, the IOP writes on into memory
# that may be another's by then. So it writes no more than this, which takes a board 8 ms by the
# count of the program's instructions.
AT_ONCE = 1 << 18


class Pynq_Tutorial:
    """An IOP that fills buffers: word i of a buffer becomes data + i.

    iop = Pynq_Tutorial(overlay.iop1.mb_info)
    iop.write_to_buffer(buffer, length=10, data=1)

    Any thread may call any method. All notebooks of a board share this one IOP: each call takes it
    (sharing.py), waits if another process has it, and checks that overlay and program are still
    this object's."""

    def __init__(self, mb_info, program=None):
        """Loads the program into the IOP and waits until it takes requests.

        mb_info: which IOP, as its overlay describes it: overlay.iop1.mb_info program: one that
        iop.firmware.build() made; the kit's own, if not given Raises RuntimeError if there is no
        such IOP, the program file is not whole or another process has the IOP, TimeoutError if the
        program does not start."""
        program = os.path.abspath(program or PROGRAM)
        self._program = _read_program(program)
        _check_iop(mb_info)
        self._lock = board_lock()
        with self._lock.threads, self._lock:
            self._downloads, self._timestamp = downloads(), PL.timestamp
            # before this process began to watch
            other = self._downloads and pynq_state.another(PYNQ, PL.bitfile_name)
            if other:
                raise RuntimeError(
                    f"Another notebook has downloaded {other} meanwhile: run overlay = Overlay(...)"
                    " again, and then this."
                )
            self._microblaze = self._new_microblaze(mb_info, program)
            # The IOP's memory as 32-bit words: one to write, and one to read, which gives ints at a
            # tenth of numpy's time.
            self._memory = self._microblaze.mmio.array
            self._words = memoryview(self._memory.view(np.ndarray))
            self._loaded = zlib.crc32(f"{self._timestamp} {self._program}".encode()) or 1
            self._start()
            pynq_state.leave(PYNQ, pynq_state.OVERLAY_FOLDER)

    def _new_microblaze(self, mb_info, program):
        try:
            # Not the names of the interrupt: pynq would then wait for one in a thread of its own.
            return PynqMicroblaze(
                {name: mb_info[name] for name in ("ip_name", "rst_name")}, program, force=True
            )
        except Exception:
            # any type: pynq does not expect another process to download an overlay at this moment
            _end_talk()
            self._check_overlay()
            _check_iop(mb_info)
            raise

    def write_to_buffer(self, buffer, length, data, timeout=None):
        """Has the IOP write data, data + 1, data + 2, ... into the buffer's first `length` words,
        and returns when it has.

        buffer:  a buffer of 32-bit words, or a view of one in one piece, or a physical address
        within one length:  how many 32-bit words; 0 writes nothing data:    the first word's value,
        from -2**31 to 2**32 - 1; after the largest 32-bit value comes the smallest timeout: seconds
        to wait for the answer, more than 0; when not given, 2 s and 1 microsecond a word

        Everything is checked before the IOP is told anything. TypeError or ValueError says what is
        wrong with a request. TimeoutError: the IOP did not answer; it is then stopped, and the next
        call starts it again, as it does after Ctrl-C or the stop button. RuntimeError: another
        process has the IOP, or the overlay or the program is no longer the one it was; if that
        happened during the request, the buffer's words may be wrong."""
        length, data = integer("length", length), integer("data", data)
        address, room, owner = locate(buffer)
        if not 0 <= length <= room // 4:
            raise ValueError(f"length is {length}, and there is room for 0 to {room // 4} words.")
        if not -(2**31) <= data < 2**32:
            raise ValueError(
                f"data is {data}, which does not fit into 32 bits: give a value from {-(2**31)} to"
                f" {2**32 - 1}."
            )
        if timeout is None:
            timeout = START_TIMEOUT + length * SECONDS_A_WORD
        else:
            _check_timeout(timeout)
        if length:
            with self._lock.threads, self._lock:
                if not is_allocated(owner):  # another thread did that while this one waited
                    raise ValueError(
                        "buffer was freed, and its memory may belong to something else now:"
                        " allocate a new one."
                    )
                # A cacheable buffer's cache: what Python wrote goes to DDR before the IOP writes,
                # and what the IOP wrote is fetched before Python reads.
                offset = address - owner.physical_address
                to_memory(owner, offset, 4 * length)
                end = time.monotonic() + timeout
                for done in range(0, length, AT_ONCE):
                    self._request(
                        address + 4 * done,
                        min(AT_ONCE, length - done),
                        (data + done) % 2**32,
                        timeout,
                        end,
                    )
                from_memory(owner, offset, 4 * length)

    def read_mailbox(self, word):
        """A word of the mailbox, by its number. Words 4 to 1022 are free for results of a program
        of your own."""
        return self._words[MAILBOX // 4 + word]

    def reset(self):
        """Restarts the program, whatever state the IOP is in. TimeoutError if it does not start,
        RuntimeError if another process has the IOP or another overlay was downloaded."""
        with self._lock.threads, self._lock:
            self._check_overlay()
            self._start()

    def _start(self):
        """Does what pynq's program() does, and marks the IOP's memory with this program while the
        IOP is in reset.

        Notebook 3 loads its program by hand, without the lock. If it does so after the mark was
        made, the mark is gone; if before, the memory is not this program. Both are checked, so a
        mailbox that a load has cleared is never taken for an answer."""
        try:
            self._microblaze.reset()
            # clears all of the mailbox, too
            PL.load_ip_data(self._microblaze.ip_name, self._microblaze.mb_program, zero=True)
            self._memory[LOADED // 4] = self._loaded
            size = len(self._program)
            ours = self._memory[: -(-size // 4)].tobytes()[:size] == self._program
            self._microblaze.run()
        except Exception:
            _end_talk()
            self._check_overlay()
            raise
        self._wait_until_ready()
        self._check_program(ours)

    def _wait_until_ready(self):
        if not self._wait(
            lambda: self._words[STATUS // 4] == STATUS_READY, time.monotonic() + START_TIMEOUT
        ):
            self._check_overlay()
            self._stop()
            raise TimeoutError(
                f"The IOP's program did not start within {START_TIMEOUT} s: download the overlay"
                " again, then make a new Pynq_Tutorial; a program of your own must set STATUS to"
                " STATUS_READY."
            )

    def _stop(self):
        """Holds the IOP in reset, and clears the words by which it would seem to wait for
        requests."""
        if self._downloads == downloads():
            self._microblaze.reset()
            self._memory[STATUS // 4] = self._memory[BUFFER_ADDR // 4] = 0

    def _check_overlay(self):
        """RuntimeError if another overlay was downloaded since: something else may be at the IOP's
        address now."""
        if (
            self._downloads != downloads()
            or not self._downloads
            and PL.timestamp != self._timestamp
        ):
            raise RuntimeError(
                "An overlay was downloaded since this Pynq_Tutorial was made, by this notebook or"
                " another one, and its IOP is gone: run overlay = Overlay(...) again, and then make"
                " a new one with Pynq_Tutorial(overlay.iop1.mb_info)."
            )

    def _check_program(self, whole=True):
        """RuntimeError unless the IOP has this object's program, and the mailbox was whole when it
        answered."""
        if not whole or self._words[LOADED // 4] != self._loaded:
            raise RuntimeError("The IOP runs another program now: start this one's with reset().")

    def _request(self, address, length, data, timeout, end=None):
        """One request, within the lock. timeout: the caller's, in seconds; end: when it is over, by
        time.monotonic()."""
        self._check_overlay()
        words, microblaze = self._words, self._microblaze
        if microblaze.state != "RUNNING":
            self._start()
        else:
            self._check_program()
            # A process may have stopped the IOP, or was killed while it waited for an answer.
            if words[STATUS // 4] not in (STATUS_READY, STATUS_REFUSED) or words[BUFFER_ADDR // 4]:
                self._start()
        try:
            self._memory[ARRAY_LENGTH // 4] = length
            self._memory[INIT_DATA // 4] = data
            self._memory[BUFFER_ADDR // 4] = address  # last, because it starts the request
            answered = self._wait(
                lambda: not words[BUFFER_ADDR // 4], end or time.monotonic() + timeout
            )
        except BaseException:
            # also the stop button: an IOP that nobody waits for must not go on writing
            self._stop()
            raise
        # A BUFFER_ADDR of 0 is not an answer if somebody downloaded an overlay or loaded a program
        # meanwhile. Both clear the mailbox from its first word to its last.
        status = words[STATUS // 4]
        self._check_overlay()
        if not answered:
            self._stop()
            raise TimeoutError(
                f"The IOP did not answer within {timeout} s and was stopped; the next call starts"
                " it again. Give a long request a longer timeout."
            )
        self._check_program(status in (STATUS_READY, STATUS_REFUSED))
        if status == STATUS_REFUSED:
            raise ValueError(
                f"The IOP refused to write {length} words at {address:#x}, which are not all in DDR"
                " memory."
            )

    @staticmethod
    def _wait(condition, end):
        """Waits until condition() is true, at most until `end`; returns whether it is. Most answers
        come within microseconds, when even the shortest sleep would be the longest part of the
        wait; a long wait leaves the core to others."""
        started = time.monotonic()
        while not condition():
            now = time.monotonic()
            if now > end:
                return condition()
            if now - started > LOOK_WITHOUT_PAUSE:
                time.sleep(min((now - started) / 4, LONGEST_PAUSE))
        return True


def _end_talk():
    """Ends the conversation with the board's server that pynq 2.6 leaves open if another process
    has just downloaded an overlay without this IOP (load_ip_data() in pl_server/server.py).
    Otherwise the server would wait for its end, and answer nobody else."""
    client = getattr(Device.active_device, "_client", None)
    talk = getattr(client, "_remote", None)
    if talk is not None and not talk.closed:
        client.server_update()


def _check_timeout(timeout):
    """TypeError or ValueError unless `timeout` is a number of seconds that Python can wait."""
    if not isinstance(timeout, numbers.Real) or isinstance(timeout, bool):
        raise TypeError(
            f"timeout is {timeout!r}, a {type(timeout).__name__}: give a number of seconds."
        )
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(
            f"timeout is {timeout}: give a number of seconds that is more than 0 and has an end."
        )


def _read_program(path):
    """The contents of a program file. RuntimeError if it is missing or not as long as its header
    says."""
    remedy = (
        "get it again with `git checkout iop` or `make install`"
        if path == PROGRAM
        else "build it with iop.firmware.build()"
    )
    try:
        with open(path, "rb") as file:
            program = file.read()
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read ({error.strerror}): {remedy}.") from None
    size = int.from_bytes(program[HEADER + 4 : HEADER + 8], "little")
    if program[HEADER : HEADER + 4] != MAGIC or len(program) != size:
        raise RuntimeError(
            f"{path} has {len(program)} bytes and is not a whole IOP program: {remedy}."
        )
    return program


def _check_iop(mb_info):
    """RuntimeError if the overlay that is downloaded now has no such IOP, or it runs a program of
    another kind."""
    try:
        name = mb_info["ip_name"]
    except (TypeError, KeyError):
        raise TypeError(f"mb_info is {mb_info!r}: give overlay.iop1.mb_info.") from None
    iop = (PL.mem_dict or {}).get(name) or (PL.ip_dict or {}).get(name)
    if iop is None:
        raise RuntimeError(
            "The overlay that is downloaded now has no {}: download the tutorial's with "
            'Overlay("./bitstream/pynq_tutorial.bit").'.format(name.split("/")[0])
        )
    try:
        if iop["state"] not in (None, PROGRAM):
            _read_program(iop["state"])
    except RuntimeError:
        raise RuntimeError(
            "{} runs {}: to end that program, load the overlay again, with overlay = Overlay(...).".format(
                name.split("/")[0], iop["state"]
            )
        ) from None
