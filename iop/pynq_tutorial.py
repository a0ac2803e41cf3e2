"""Pynq_Tutorial: has the program on an I/O processor (IOP) write into a buffer that Python allocated."""

import os
import threading
import time

import numpy as np
from pynq import PL
from pynq.lib import PynqMicroblaze

from .buffers import integer, room_in

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pynq_tutorial.bin")

# The mailbox, as mb_src/mailbox.h defines it: byte offsets in the IOP's memory of its 32-bit words.
MAILBOX = 0xF000
BUFFER_ADDR = MAILBOX + 0
ARRAY_LENGTH = MAILBOX + 4
INIT_DATA = MAILBOX + 8
STATUS = MAILBOX + 12
MAILBOX_WORDS = "BUFFER_ADDR", "ARRAY_LENGTH", "INIT_DATA", "STATUS"  # their names, in order
STATUS_READY = 1
STATUS_REFUSED = 2

# The program's own header, as mb_src/crt0.S writes it: where it is in the file, and how it begins.
HEADER = 4
MAGIC = b"PYNQ"

START_TIMEOUT = 2.0  # seconds; the program needs a few microseconds
SECONDS_A_WORD = 1e-6  # 100 cycles at 100 MHz; how many a board's DDR takes is to be measured on one
LOOK_WITHOUT_PAUSE = 3e-5  # seconds of a wait: less than half of what the shortest sleep takes under Linux
LONGEST_PAUSE = 1e-3  # seconds; the pauses before it are a quarter of the wait so far

_one_request_at_a_time = threading.Lock()
_loaded_last = {}  # for each IOP, by its name: the program that one of us loaded last


class Pynq_Tutorial:
    """An IOP that fills buffers: word i of a buffer becomes data + i.

    iop = Pynq_Tutorial(overlay.iop1.mb_info)
    iop.write_to_buffer(buffer, length=10, data=1)
    """

    def __init__(self, mb_info, program=None):
        """Loads the program into the IOP and waits until it takes requests.

        mb_info: which IOP, as its overlay describes it: overlay.iop1.mb_info
        program: one that iop.firmware.build() made; the kit's own, if not given
        Raises RuntimeError if there is no such IOP or the program file is not whole, TimeoutError if the program does
        not start.
        """
        program = os.path.abspath(program or PROGRAM)
        _check_program(program)
        _check_iop(mb_info)
        with _one_request_at_a_time:
            self._overlay = PL.timestamp
            self._microblaze = PynqMicroblaze(mb_info, program, force=True)
            self._wait_until_ready()

    def write_to_buffer(self, buffer, length, data, timeout=None):
        """Has the IOP write data, data + 1, data + 2, ... into the buffer's first `length` words, and returns when it
        has.

        buffer:  a buffer of 32-bit words, or a view of one in one piece, or a physical address within one
        length:  how many 32-bit words; 0 writes nothing
        data:    the first word's value, from -2**31 to 2**32 - 1; after the largest 32-bit value comes the smallest
        timeout: seconds to wait; when not given, 2 s and 1 microsecond a word

        Everything is checked before the IOP is told anything. TypeError or ValueError says what is wrong with a
        request. TimeoutError: the IOP did not answer; it is then stopped, and the next call starts it again, as it does
        after Ctrl-C or the stop button. RuntimeError: the overlay or the program is no longer the one it was.
        """
        length, data = integer("length", length), integer("data", data)
        address, room, owner = room_in(buffer)
        if not 0 <= length <= room // 4:
            raise ValueError("length is {}, and there is room for 0 to {} words.".format(length, room // 4))
        if not -2**31 <= data < 2**32:
            raise ValueError("data is {}, which does not fit into 32 bits: give a value from {} to {}.".format(
                data, -2**31, 2**32 - 1))
        if timeout is None:
            timeout = START_TIMEOUT + length * SECONDS_A_WORD
        if length:
            with _one_request_at_a_time:
                # A cacheable buffer's cache: what Python wrote goes to DDR before the IOP writes, and what the IOP
                # wrote is fetched before Python reads.
                owner.flush()
                self._request(address, length, data % 2**32, timeout)
                owner.invalidate()

    def read_mailbox(self, word):
        """A word of the mailbox, by its number. From 4 on they are free for results of a program of your own."""
        return self._microblaze.read(MAILBOX + 4 * word)

    def reset(self):
        """Starts the program afresh, whatever state the IOP is in. TimeoutError if it does not start."""
        with _one_request_at_a_time:
            self._start()

    def _start(self):
        self._check_overlay()
        self._microblaze.program()
        self._wait_until_ready()

    def _wait_until_ready(self):
        _loaded_last[self._microblaze.ip_name] = self._microblaze.mb_program
        if not _wait(lambda: self._microblaze.read(STATUS) == STATUS_READY, START_TIMEOUT):
            self._microblaze.reset()
            raise TimeoutError("The IOP's program did not start within {} s: download the overlay again, then make a "
                               "new Pynq_Tutorial; a program of your own must set STATUS to STATUS_READY."
                               .format(START_TIMEOUT))

    def _check_overlay(self):
        """RuntimeError if another overlay was downloaded since: who knows what is at the IOP's address now."""
        if PL.timestamp != self._overlay:
            raise RuntimeError("An overlay was downloaded since this Pynq_Tutorial was made, and its IOP is gone: make "
                               "a new one, with Pynq_Tutorial(overlay.iop1.mb_info).")

    def _request(self, address, length, data, timeout):
        self._check_overlay()
        microblaze = self._microblaze
        if microblaze.state != "RUNNING":
            self._start()
        elif (microblaze.read(STATUS) not in (STATUS_READY, STATUS_REFUSED)
              or _loaded_last[microblaze.ip_name] != microblaze.mb_program):
            raise RuntimeError("The IOP runs another program now: start this one's with reset().")
        try:
            microblaze.write(ARRAY_LENGTH, length)
            microblaze.write(INIT_DATA, data)
            microblaze.write(BUFFER_ADDR, address)  # last, for it starts the request
            answered = _wait(lambda: microblaze.read(BUFFER_ADDR) == 0, timeout)
        except BaseException:  # also the stop button: an IOP that nobody waits for must not go on writing
            microblaze.reset()
            raise
        if not answered:
            microblaze.reset()
            raise TimeoutError("The IOP did not answer within {} s and was stopped; the next call starts it again. Give "
                               "a long request a longer timeout.".format(timeout))
        if microblaze.read(STATUS) == STATUS_REFUSED:
            raise ValueError("The IOP refused to write {} words at {:#x}, which are not all in DDR memory.".format(
                length, address))


def _wait(condition, timeout):
    """Waits until condition() is true, at most `timeout` seconds; returns whether it is. Most answers come within
    microseconds, when even the shortest sleep would be the longest part of the wait; a long wait leaves the core to
    others."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        if waited > timeout:
            return condition()
        if waited > LOOK_WITHOUT_PAUSE:
            time.sleep(min(waited / 4, LONGEST_PAUSE))
    return True


def _check_program(path):
    """RuntimeError if the program file is missing or not as long as its header says."""
    remedy = ("get it again with `git checkout iop` or `make install`" if path == PROGRAM else
              "build it with iop.firmware.build()")
    try:
        with open(path, "rb") as file:
            program = file.read()
    except OSError as error:
        raise RuntimeError("{} cannot be read ({}): {}.".format(path, error.strerror, remedy)) from None
    size = int.from_bytes(program[HEADER + 4:HEADER + 8], "little")
    if program[HEADER:HEADER + 4] != MAGIC or len(program) != size:
        raise RuntimeError("{} has {} bytes and is not a whole IOP program: {}.".format(path, len(program), remedy))


def _check_iop(mb_info):
    """RuntimeError if the overlay that is downloaded now has no such IOP, or it runs a program of another kind."""
    try:
        name = mb_info["ip_name"]
    except (TypeError, KeyError):
        raise TypeError("mb_info is {!r}: give overlay.iop1.mb_info.".format(mb_info)) from None
    iop = (PL.mem_dict or {}).get(name) or (PL.ip_dict or {}).get(name)
    if iop is None:
        raise RuntimeError('The overlay that is downloaded now has no {}: download the tutorial\'s with '
                           'Overlay("./bitstream/pynq_tutorial.bit").'.format(name.split("/")[0]))
    try:
        if iop["state"] not in (None, PROGRAM):
            _check_program(iop["state"])
    except RuntimeError:
        raise RuntimeError("{} runs {}: to end that program, load the overlay again, with overlay = Overlay(...)."
                           .format(name.split("/")[0], iop["state"])) from None
