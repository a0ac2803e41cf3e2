"""Gives pynq what it lacks for a cell that begins with %%microblaze overlay.iop1. Importing this
module is enough.

pynq compiles the cell's C, loads the program, and calls its functions. This module adds:

- A BSP, which means headers and drivers. pynq looks for one by the IOP's name, and iop1 is a Pmod
  IOP.
- A compiler: on a board the image's, otherwise the kit's own.
- The IOP's lock, and a mark in its memory, as for Pynq_Tutorial. Without them pynq would wait for
  ever for the answer of a program that another notebook has replaced.
- Nothing in /tmp. pynq would copy each cell's C and program to last.c and last.elf there, for
  everyone to read. On a machine that a class shares, cells would work only for the student who came
  first, because nobody else may replace these files.

It replaces names of the imported package; pynq's files stay as they are.
"""

import asyncio
import functools
import os
import shutil
import time
import types
from contextlib import contextmanager

import numpy as np
import pynq.lib.pmod  # noqa: F401 (brings the BSP)
from pynq import PL
from pynq.lib.pynqmicroblaze import BSPs, PynqMicroblaze, compile as compiling, rpc
from pynq.lib.pynqmicroblaze.compile import MicroblazeProgram
from pynq.lib.pynqmicroblaze.streams import InterruptMBStream

from . import firmware
from .sharing import board_lock, downloads

# The address of a word that says which program is loaded. pynq's linker script leaves it free,
# between the vectors and the program. Loading another program or overlay clears it.
MARK = 0x4C
LOOK_WITHOUT_PAUSE = 3e-5  # seconds of a wait; as in pynq_tutorial.py
LONGEST_PAUSE = 1e-3
OF_A_CELL = "cell_magic"  # the file name that pynq gives to a cell's C
RUN_AGAIN = "run the cell that begins with %%microblaze again."


def pynqs_own(name):
    """A class as pynq's rpc.py defines it, even if %autoreload has loaded this module again."""
    return next(own for own in getattr(rpc, name).__mro__ if own.__module__ == rpc.__name__)


class Loaded(PynqMicroblaze):
    """Loads a program while it has the IOP's lock, and marks it.

    lock: the IOP's; check(): raises RuntimeError unless the IOP runs this program
    """

    def __init__(self, mb_info, mb_program, force=False):
        from .pynq_tutorial import _check_iop  # which imports this module

        if not force:  # pynq forces it if the IOP runs the program of an earlier cell
            _check_iop(mb_info)
        self.lock = board_lock()
        with self.lock.threads, self.lock:
            self._downloads, self._timestamp = downloads(), PL.timestamp
            super().__init__(mb_info, mb_program, force=True)

    def run(self):
        self._mark = int.from_bytes(os.urandom(4), "little") | 1
        self._words = memoryview(self.mmio.array.view(np.ndarray))
        self.mmio.array[MARK // 4] = self._mark
        super().run()

    def stop(self):
        """Holds the IOP in reset, if it is still this program's."""
        if self._downloads == downloads() and self._words[MARK // 4] == self._mark:
            self.reset()

    def check(self):
        # A download clears the mark, too; but after another process's download something else may
        # be at the IOP's address.
        if self._downloads != downloads() or self._words[MARK // 4] != self._mark:
            if self._downloads != downloads() or PL.timestamp != self._timestamp:
                raise RuntimeError(
                    "An overlay was downloaded since this function was compiled, by this notebook"
                    " or another one, and its IOP is gone: run overlay = Overlay(...) again, and"
                    " then " + RUN_AGAIN
                )
            raise RuntimeError(
                "The IOP runs another program now: to have this function back, " + RUN_AGAIN
            )
        if self.state != "RUNNING":
            raise RuntimeError("The program of this function was stopped: " + RUN_AGAIN)


class Program(MicroblazeProgram, Loaded):
    """pynq's class compiles the C, and then calls its base class, which is Loaded here."""


class Stream(InterruptMBStream):
    """Carries calls and their results in a ring buffer for each direction, as pynq's own does. It
    waits for room or for data as long as the IOP runs the program.

    calls: how many were sent
    """

    def __init__(self, program, read_offset, write_offset):
        super().__init__(program, read_offset, write_offset)
        self.program = program
        self.calls = 0
        self._write_pointer = write_offset // 4

    def write(self, data):
        """Sends all of `data`, or nothing; pynq's own sends only what there is room for. ValueError
        if it is too long for a call."""
        channel = self.write_channel
        if len(data) >= channel.length:
            raise ValueError(
                f"The arguments of this call have {len(data)} bytes, and a call takes"
                f" {channel.length - 1} at most: put a large array into a buffer, and give that to"
                " a function with an argument of type void *."
            )
        self._wait(lambda: self.buffer_space() >= len(data))
        self.calls += 1
        written = int(channel.control_array[0])
        channel.data_array[np.arange(written, written + len(data)) % channel.length] = bytearray(
            data
        )
        # From here on the IOP takes it. mmio's array, unlike the channel's own, wakes a virtual
        # board.
        self.program.mmio.array[self._write_pointer] = (written + len(data)) % channel.length
        return len(data)

    def read(self, n):
        channel = self.read_channel
        data = b""
        while len(data) < n:
            self._wait(self.bytes_available)
            place, length = (
                int(channel.control_array[1]),
                min(self.bytes_available(), n - len(data)),
            )
            data += channel.data_array[np.arange(place, place + length) % channel.length].tobytes()
            channel.control_array[1] = (place + length) % channel.length
        return data

    # These two compute with Python's integers: pynq's own use numpy's, and numpy 2 warns that they
    # overflow.

    def bytes_available(self):
        written, read = self.read_channel.control_array.tolist()
        return (written - read) % self.read_channel.length

    def buffer_space(self):
        written, read = self.write_channel.control_array.tolist()
        return (read - written - 1) % self.write_channel.length

    async def wait_for_data_async(self):
        """pynq's own waits for an interrupt, but the program raises one only when it prints, and
        not for a result."""
        while not self.bytes_available():
            self.program.check()
            await asyncio.sleep(LONGEST_PAUSE)

    def _wait(self, ready):
        started = time.monotonic()
        while not ready():
            waited = time.monotonic() - started
            if waited > LOOK_WITHOUT_PAUSE:
                self.program.check()
                time.sleep(min(waited / 4, LONGEST_PAUSE))


class Function(pynqs_own("MicroblazeFunction")):
    """A function of a cell. A call raises RuntimeError if the program is gone. If Ctrl-C, the stop
    button or an error cuts a call off, the program is stopped: the rest of its answer would be
    taken for the next call's."""

    def call(self, *args):
        program = self.stream.program
        with program.lock.threads, program.lock, self._to_its_end():
            return super().call(*args)

    async def call_async(self, *args):
        """As pynq's own, which never returns from a function without a result."""
        with self._to_its_end():
            self._call_function(*args)
            value, done = None, not self.function.blocks
            while not done:
                await self.stream.wait_for_data_async()
                value, done = self._handle_stream(*args)
            return self.return_type(value) if self.return_type else value

    @contextmanager
    def _to_its_end(self):
        stream, program = self.stream, self.stream.program
        program.check()
        calls = stream.calls
        try:
            try:
                yield
            except Exception:
                program.check()
                raise
            # A download or another program clears the answer, too: what was read then means
            # nothing.
            program.check()
        except rpc.MicroblazeError:  # the function's own answer
            raise
        except BaseException:
            if stream.calls != calls:
                program.stop()
            raise


class Visitor(pynqs_own("FuncDefVisitor")):
    """Finds the functions to call, and the constants, except those of the C library. pynq knows the
    library's headers by the folder of the image's compiler, and the kit's own compiler is in
    another. It prints which functions of a cell cannot be called: pynq leaves them out silently."""

    def __init__(self):
        super().__init__()
        self._is_for_python = False
        self._compiler = (
            os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("mb-cpp")))) + os.sep
        )

    def visit_Decl(self, node):
        self._is_for_python = "static" not in node.storage and hasattr(node.type, "args")
        self.generic_visit(node)

    def visit_FuncDecl(self, node):
        if not self._in_c_library(node):
            super().visit_FuncDecl(node)
            if node.coord.file == OF_A_CELL and self._is_for_python:
                self._tell_if_left_out(node)

    def _tell_if_left_out(self, node):
        result, why = node.type, "it returns a pointer"
        while not hasattr(result, "declname"):
            result = result.type
        if result is node.type:
            try:
                rpc.FuncAdapter(node, self.typedefs)
            except RuntimeError as error:
                why = error
            else:
                return
        print(
            f"Python cannot call {result.declname} (line {node.coord.line}), because pynq does not"
            f" know all of its types ({why}). It knows int, unsigned int, char, short, long long,"
            " float, arrays of these as pointers, and void * for a buffer."
        )

    def visit_Enum(self, node):
        if not self._in_c_library(node):
            super().visit_Enum(node)

    def _in_c_library(self, node):
        return os.path.realpath(node.coord.file).startswith(self._compiler)


def with_compiler(find_bsp):
    @functools.wraps(find_bsp)
    def find(name):
        """pynq calls this first for each cell."""
        firmware.put_on_path()
        return find_bsp(name)

    return find


# otherwise pynq was installed without it, and answers a cell with "BSP not found"
if "bsp_iop_pmod" in BSPs:
    BSPs["bsp_iop1"] = BSPs["bsp_iop_pmod"]
compiling.shutil = types.SimpleNamespace(copy=lambda made, left: None)
compiling._find_bsp = with_compiler(
    getattr(compiling._find_bsp, "__wrapped__", compiling._find_bsp)
)
rpc.MicroblazeProgram, rpc.InterruptMBStream = Program, Stream
rpc.MicroblazeFunction, rpc.FuncDefVisitor = Function, Visitor
