"""Gives pynq what it lacks for a cell that begins with %%microblaze overlay.iop1.

pynq compiles the cell's C, loads the program, and calls its functions. install() adds:

- A BSP, which means headers and drivers. pynq looks for one by the IOP's name, and iop1 is a Pmod
  IOP.
- A compiler: on a board the image's, otherwise the kit's own.
- The IOP's lock, and a mark in its memory. Without them pynq would wait for ever for the answer of
  a program that another notebook has replaced.
- If a later run of a cell does not compile, its functions raise an error. Otherwise they would go
  on running the old C.
- Nothing in /tmp, where pynq would leave each cell's C and program. On a machine that a class
  shares, only the student who came first could replace these files.

It replaces names of the imported package; pynq's files stay as they are.
"""

import os
import re
import shutil
import signal
import threading
import time
import types
from contextlib import suppress

import numpy as np
from pynq.lib.pmod import BSP_LOCATION
from pynq.lib.pynqmicroblaze import BSPs, PynqMicroblaze, compile as compiling, rpc
from pynq.lib.pynqmicroblaze.bsp import BSPInstance
from pynq.lib.pynqmicroblaze.compile import MicroblazeProgram
from pynq.lib.pynqmicroblaze.rpc import FuncDefVisitor, MicroblazeFunction
from pynq.lib.pynqmicroblaze.streams import InterruptMBStream

from . import firmware
from .sharing import Session, check_iop, iop_lock, loading_lock, wait

# The address of the mark. pynq's linker script leaves it free, between vectors and program.
MARK = 0x4C
OF_A_CELL = "cell_magic"  # the file name that pynq gives to a cell's C
# The names of what a cell defines; its C may be wrong.
DEFINED = re.compile(r"(?m)^(?:\w[^\n(;=]*[\s*])?(\w+)[ \t]*\(")
STOPS_WITHIN = 0.3  # seconds that a call may take to end by itself after the stop button
RUN_AGAIN = "run the cell that begins with %%microblaze again."


def install():
    """Makes cells of C work in this process. A second call does nothing."""
    if rpc.MicroblazeProgram is not MicroblazeProgram:
        return
    if os.path.exists(BSP_LOCATION):  # else pynq was installed without, and says "BSP not found"
        BSPs["bsp_iop1"] = BSPInstance(BSP_LOCATION)
    compiling.shutil = types.SimpleNamespace(copy=lambda made, left: None)
    find_bsp = compiling._find_bsp

    def find(name):  # which pynq calls first for each cell
        firmware.put_on_path()
        return find_bsp(name)

    compiling._find_bsp = find
    compile_cell = rpc.MicroblazeRPC.__init__

    def compile_or_remember(self, iop, program_text):
        try:
            compile_cell(self, iop, program_text)
        except RuntimeError:
            if Loaded.last and Loaded.last.functions & set(DEFINED.findall(program_text)):
                Loaded.last.failed = True
            raise
        self._mb.functions = set(self.visitor.functions)

    rpc.MicroblazeRPC.__init__ = compile_or_remember
    rpc.MicroblazeProgram, rpc.InterruptMBStream = Program, Stream
    rpc.MicroblazeFunction, rpc.FuncDefVisitor = Function, Visitor


class Loaded(PynqMicroblaze):
    """Loads a program while it has the IOP's lock, and marks it.

    Attributes:
        last: the one that was loaded last, in this process.
        functions: the names of those that Python can call.
        failed: whether a later run of its cell failed.
    """

    last, functions, failed = None, frozenset(), False

    def __init__(self, mb_info, mb_program, force=False):
        if not force:  # pynq forces it if the IOP runs the program of an earlier cell
            check_iop(mb_info)
        self.lock = iop_lock(mb_info)
        with self.lock.threads, self.lock, loading_lock():
            back = "to have this function back, " + RUN_AGAIN
            self.session = Session(MARK, "this function was compiled", RUN_AGAIN, back)
            super().__init__(mb_info, mb_program, force=True)
        Loaded.last = self

    def run(self):
        self.reset()  # another notebook may have let it run, before its program was whole
        self.session.mark(self.mmio.array, int.from_bytes(os.urandom(4), "little") | 1)
        super().run()

    def check(self):
        """Raises RuntimeError unless the IOP runs this program, and it is what its cell says."""
        if self.failed:
            raise RuntimeError(
                "The last run of this function's cell failed and loaded nothing: correct its C, and"
                f" {RUN_AGAIN}"
            )
        self.session.check()
        if self.state != "RUNNING":
            raise RuntimeError("The program of this function was stopped: " + RUN_AGAIN)


class Program(MicroblazeProgram, Loaded):
    """pynq's class compiles the C, and then calls its base class, which is Loaded here."""


class Stream(InterruptMBStream):
    """Carries calls and their results in a ring buffer for each direction, as pynq's own does. It
    waits for room or for data as long as the IOP runs the program.

    It writes pointers by mmio's array, which wakes a virtual board, unlike the channel's own."""

    def __init__(self, program, read_offset, write_offset):
        super().__init__(program, read_offset, write_offset)
        self.program, self.stop_button = program, StopButton()
        self.calls = 0  # how many were sent
        self._write_pointer, self._read_pointer = write_offset // 4, read_offset // 4 + 1

    def write(self, data):
        """Sends all of `data`; pynq's own sends only what there is room for."""
        channel = self.write_channel
        if len(data) >= channel.length:
            raise ValueError(
                f"The arguments of this call have {len(data)} bytes, and a call takes"
                f" {channel.length - 1} at most: put a large array into a buffer, and give that to"
                " a function with an argument of type void *."
            )
        wait(lambda: self.buffer_space() >= len(data), meanwhile=self._check)
        self.calls += 1
        written = int(channel.control_array[0])
        places = np.arange(written, written + len(data)) % channel.length
        channel.data_array[places] = bytearray(data)
        # From here on the IOP takes it.
        self.program.mmio.array[self._write_pointer] = (written + len(data)) % channel.length
        return len(data)

    def read(self, n):
        channel, data = self.read_channel, b""
        while len(data) < n:
            self.stop_button.check()  # also if there is always something to read
            wait(self.bytes_available, meanwhile=self._check)
            start = int(channel.control_array[1])
            end = start + min(self.bytes_available(), n - len(data))
            data += channel.data_array[np.arange(start, end) % channel.length].tobytes()
            self.program.mmio.array[self._read_pointer] = end % channel.length
        return data

    def _check(self):
        self.stop_button.check()
        self.program.check()

    # These two compute with Python's integers: pynq's own use numpy's, and numpy 2 warns that they
    # overflow.

    def bytes_available(self):
        written, read = self.read_channel.control_array.tolist()
        return (written - read) % self.read_channel.length

    def buffer_space(self):
        written, read = self.write_channel.control_array.tolist()
        return (read - written - 1) % self.write_channel.length


class StopButton:
    """Within `with stop_button:` Ctrl-C and the stop button take effect at the end of a call, if
    that comes within STOPS_WITHIN; otherwise at the next check(), or at once when pressed again.

    So a loop that calls functions until somebody stops it, as public notebooks have it, leaves a
    program whose functions can still be called. Python tells only the main thread of the button."""

    _pressed = None  # or when, and what Python's handler is given

    def __enter__(self):
        self._take = signal.getsignal(signal.SIGINT)
        self._is_kept = callable(self._take) and (
            threading.current_thread() is threading.main_thread()
        )
        if self._is_kept:
            signal.signal(signal.SIGINT, self._keep)

    def _keep(self, number, frame):
        if self._pressed:
            self._take(number, frame)
        self._pressed = time.monotonic(), number, frame

    def check(self):
        if self._pressed and time.monotonic() - self._pressed[0] > STOPS_WITHIN:
            self._take(*self._pressed[1:])

    def __exit__(self, kind, *error):
        if self._is_kept:
            signal.signal(signal.SIGINT, self._take)
        pressed, self._pressed = self._pressed, None
        if pressed and kind is not KeyboardInterrupt:
            self._take(*pressed[1:])


class Function(MicroblazeFunction):
    """A function of a cell. A call raises RuntimeError if the program is gone. If Ctrl-C, the stop
    button or an error cuts a call off, the program is stopped: the rest of its answer would be
    taken for the next call's."""

    def call(self, *args):
        stream, program = self.stream, self.stream.program
        with program.lock.threads, program.lock, stream.stop_button:
            program.check()
            calls = stream.calls
            try:
                try:
                    answer = super().call(*args)
                except Exception:
                    program.check()
                    raise
                # A download or another program clears the answer, too: what was read means nothing.
                program.check()
                return answer
            except rpc.MicroblazeError:  # the function's own answer
                raise
            except BaseException:
                if stream.calls != calls:
                    with suppress(RuntimeError):
                        program.session.check()
                        program.reset()
                raise


class Visitor(FuncDefVisitor):
    """Finds the functions to call, and the constants, except those of the C library. pynq knows the
    library's headers by the folder of the image's compiler, and the kit's own compiler is in
    another. It prints which functions of a cell cannot be called: pynq leaves them out silently."""

    def __init__(self):
        super().__init__()
        self._is_for_python = False
        compiler = os.path.realpath(shutil.which("mb-cpp"))
        self._compiler = os.path.dirname(os.path.dirname(compiler)) + os.sep

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
                return
            except RuntimeError as error:
                why = error
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
