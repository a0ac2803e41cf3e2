"""Cells of C that begin with %%microblaze: pynq's own means, the real compiler, the real
MicroBlaze."""

import os
import signal
import struct
import threading
import time

import numpy as np
import pytest
from pynq import PL, Overlay, allocate
from pynq.lib import MicroblazeRPC
from pynq.lib.pynqmicroblaze.rpc import MicroblazeError

from helpers.kit import OVERLAY, run_python
from helpers.programs import path_without, programs
from iop import firmware
from iop.pynq_tutorial import Pynq_Tutorial
from iop.sharing import iop_lock
from virtual_board.pmods import Als, Tmp2

pytestmark = pytest.mark.slow

ONE = "int one(void) { return 1; } "
NEVER = ONE + "int never(int *p) { for (;;) ; return 1; } void stuck(void) { for (;;) ; }"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    """A cell puts the compiler on it."""
    monkeypatch.setenv("PATH", os.environ["PATH"])


@pytest.fixture
def cell(overlay):
    """A function that compiles and loads a cell's C, and returns what has its functions."""
    return lambda source: MicroblazeRPC(overlay.iop1, '#line 1 "cell_magic"\n\n' + source)


# The language


def test_numbers_arrays_and_handles(cell):
    c = cell("""
        #include <string.h>
        #ifdef __cplusplus  // for the compiler, and not for pynq, which reads C
        #include <cstring>  // as PYNQ_Peripherals' OLED does
        #endif
        typedef int counter;
        enum { NONE, FIRST = 7, SECOND };
        static int counts[4];
        counter counter_open(int which) { return which; }
        void counter_add(counter c, int by) { counts[c] += by; }
        int counter_get_value(counter c) { return counts[c]; }
        void counter_set_value(counter c, int value) { counts[c] = value; }
        char c8(char a) { return a; } unsigned char u8(unsigned char a) { return a; }
        short s16(short a) { return a; } unsigned short u16(unsigned short a) { return a; }
        int s32(int a) { return a; } unsigned int u32(unsigned int a) { return a; }
        long long s64(long long a) { return a; } float real(float a) { return a; }
        void twice(int *words, int length) { for (int i = 0; i < length; i++) words[i] *= 2; }
        long long sum(const short *a, int n) { long long s = 0; while (n--) s += *a++; return s; }
        int swap(char *a) { char c = a[0]; a[0] = a[2]; a[2] = c; return strlen(a); }
    """)
    for function, value in (
        *((c.c8, -128), (c.u8, 255), (c.s16, -(2**15)), (c.u16, 2**16 - 1), (c.s32, -(2**31))),
        *((c.u32, 2**32 - 1), (c.s64, -(2**63)), (c.real, -1.5), (c.real, 2.0**100)),
    ):
        assert function(value) == value
    one, two = c.counter_open(1), c.counter_open(2)
    assert one.add(5) is None
    one.add(6)
    two.value = 3
    assert (one.value, two.value, int(two)) == (11, 3, 2)
    assert (c.NONE, c.FIRST, c.SECOND) == (0, 7, 8)
    numbers, array, text = [1, -2, 3], np.arange(240, dtype="i4"), bytearray(b"abc\0")
    c.twice(numbers, 3)
    c.twice(array, 240)
    assert numbers == [2, -4, 6] and (array == 2 * np.arange(240)).all()
    assert c.sum([30000, 30000, -7], 3) == 59993
    assert c.swap(text) == 3 and text == b"cba\0"


def test_it_leaves_nothing_for_others_in_tmp(cell):
    """pynq would leave a copy of the C there, by a name that on a shared machine is another
    user's."""
    left = ["/tmp/last.c", "/tmp/last.elf"]
    before = [os.path.exists(path) and os.stat(path).st_mtime_ns for path in left]
    assert cell("int secret(void) { return 42; }").secret() == 42
    assert [os.path.exists(path) and os.stat(path).st_mtime_ns for path in left] == before


def test_buffers(board, cell):
    c = cell("""
        void fill(void *buffer, int n, int i) { int *a = (int *)buffer; while (n--) *a++ = i++; }
        int last(void *buffer, int n) { return ((short *)buffer)[n - 1]; }
        void anywhere(unsigned int address) { *(volatile int *)address = 0x5EA; }
    """)
    buffer, shorts = allocate((1000,), "i4"), allocate((1000,), "i2")
    shorts[:] = range(-1000, 0)
    c.fill(buffer, 1000, -5)
    assert c.last(shorts, 1000) == -1  # which also waits until the first is done: it has no result
    assert buffer.tolist() == list(range(-5, 995))
    assert board.stray_writes() == []
    # Nobody checks what a function does with an address.
    c.fill(buffer, 1001, 1)
    c.anywhere(0x20000000 | 0x123450)
    c.last(shorts, 1)
    assert set(board.stray_writes()) >= {(0x123450, 4)} and len(board.stray_writes()) <= 2


def test_headers_of_the_c_library(cell):
    """pynq's parser of C gets through them, and none of their functions counts as the cell's."""
    headers = "ctype errno limits math stdbool stdint stdio stdlib string time unistd".split()
    source = "float root(float x) { return sqrtf(x); } int absolute(int x) { return abs(x); }"
    c = cell("".join(f"#include <{name}.h>\n" for name in headers) + source)
    assert c.root(6.25) == 2.5 and c.absolute(-7) == 7
    assert set(c.visitor.functions) == {"root", "absolute"}


def test_prints_and_errors(cell, capsys):
    c = cell("""
        #include <pyprintf.h>
        #include <pytypes.h>
        int lines(int n) { for (int i = 0; i < n;) pyprintf("line %d of many\\n", i++); return n; }
        py_int refuse(int n) { return n; }
    """)
    assert c.lines(200) == 200  # more than the mailbox has room for
    assert capsys.readouterr().out.splitlines()[-1] == "line 199 of many"
    with pytest.raises(MicroblazeError, match="No such file"):
        c.refuse(-2)
    assert c.refuse(4) == 4


# The peripherals


def test_i2c_and_spi(board, cell):
    c = cell("""
        #include <i2c.h>
        #include <spi.h>
        int sixteenths(void) {
            static i2c bus = i2c_open(3, 2);
            unsigned char bytes[2] = {0};
            if (i2c_write(bus, 0x4B, bytes, 1) < 0) return -9999;
            i2c_read(bus, 0x4B, bytes, 2);
            return (short)(bytes[0] << 8 | bytes[1]) >> 3;
        }
        int light(void) {
            spi bus = spi_configure(spi_open(3, 2, 1, 0), 0, 0);
            char sent[2] = {0}, got[2] = {0};
            spi_transfer(bus, sent, got, 2);
            return (unsigned char)got[0] << 4 | (unsigned char)got[1] >> 4;
        }
    """)
    tmp2 = board.plug(Tmp2(21.5))
    assert c.sixteenths() == 16 * 21.5
    tmp2.celsius = -10.5
    assert c.sixteenths() == 16 * -10.5
    board.unplug(tmp2)
    als = board.plug(Als())
    als.light = 200
    assert c.light() == 200


# Beside the kit's own program, and others


def test_it_ends_the_kits_program_and_is_ended_by_it(overlay, iop, buffer, cell):
    for _ in range(2):  # another cell may come before, which pynq knows by its folder
        c = cell(ONE)
        assert c.one() == 1
        with pytest.raises(RuntimeError, match=r"another program now: call reset"):
            iop.write_to_buffer(buffer, 10, 1)
    with pytest.raises(RuntimeError, match="to end that program, load the overlay again"):
        Pynq_Tutorial(overlay.iop1.mb_info)
    iop.reset()
    iop.write_to_buffer(buffer, 10, 5)
    assert buffer[:10].tolist() == list(range(5, 15))
    with pytest.raises(RuntimeError, match="runs another program now.*run the cell"):
        c.one()
    new = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
    new.write_to_buffer(buffer, 10, 7)
    assert buffer[9] == 16
    with pytest.raises(RuntimeError, match="downloaded since this function was comp.*run the cell"):
        c.one()


def test_it_waits_for_the_iop(overlay, iop, cell):
    """Whoever else in this process or another one has the IOP."""
    for wanted in cell(ONE).one, lambda: cell(ONE):
        thread = threading.Thread(target=wanted)
        with iop_lock(overlay.iop1.mb_info).threads:
            thread.start()
            thread.join(1.5)
            assert thread.is_alive()
        thread.join(60)
        assert not thread.is_alive()


# Bad input


def test_wrong_arguments_leave_the_program_as_it_was(cell):
    c = cell(
        "int add(int a, int b) { return a + b; } void fill(void *p) {} void put(const int *a) {}"
    )
    for function, arguments, error in (
        (c.add, ("a", 1), struct.error),
        (c.add, (1,), TypeError),
        (c.add, (2**40, 1), struct.error),
        (c.fill, ([1, 2],), AttributeError),
        (c.put, ([1.5],), struct.error),
    ):
        with pytest.raises(error):
            function(*arguments)
        assert c.add(1, 2) == 3


def test_an_array_that_is_too_long_and_a_full_mailbox(cell):
    """Calls without a result do not wait for their end, and the mailbox has room for 1015 bytes."""
    c = cell("""
        #include <timer.h>
        static int n;
        void add(int by) { n += by; delay_us(100); }
        int get(void) { return n; }
        void keep(char *a) { n += a[1008]; }
    """)
    for _ in range(300):
        c.add(2)
    assert c.get() == 600
    longest = bytearray(1008) + b"\x05"
    c.keep(longest)
    with pytest.raises(ValueError, match="1016 bytes, and a call takes 1015 at most: put a large"):
        c.keep(longest + b"x")
    assert c.get() == 605


def stop_after(*seconds):
    for delay in seconds:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_a_function_that_never_returns(cell):
    c = cell(NEVER)
    for blocked in lambda: c.never([1]), lambda: (c.stuck(), c.one()):
        stop_after(0.3)
        with pytest.raises(KeyboardInterrupt):
            blocked()
            time.sleep(10)
        with pytest.raises(RuntimeError, match="was stopped: run the cell"):
            c.one()
        c = cell(NEVER)
        assert c.one() == 1


def test_a_loop_that_calls_functions_until_it_is_stopped(cell):
    """As in the public notebooks: the call that runs at that moment comes to its end."""
    c = cell("""
        #include <timer.h>
        int next(int n) { delay_us(20000); return n + 1; }
    """)
    for _ in range(5):
        stop_after(0.15)
        with pytest.raises(KeyboardInterrupt):
            for n in range(1000):
                assert c.next(n) == n + 1
        assert c.next(7) == 8


def test_a_function_that_prints_for_ever(cell):
    c = cell("""
        #include <pyprintf.h>
        int chatter(void) { for (;;) pyprintf("."); }
    """)
    stop_after(0.3)
    with pytest.raises(KeyboardInterrupt):
        c.chatter()
    with pytest.raises(RuntimeError, match="was stopped: run the cell"):
        c.chatter()


def test_pressed_twice(cell, monkeypatch):
    c = cell(NEVER)
    monkeypatch.setattr("iop.cells.STOPS_WITHIN", 1000)
    stop_after(0.3, 0.6)
    with pytest.raises(KeyboardInterrupt):
        c.never([1])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_is_replaced_while_it_is_waited_for(board, cell):
    """By somebody who does not take the lock; loading another one clears the memory first."""
    c = cell(NEVER)
    timer = threading.Timer(0.3, board.iop.memory.bram.fill, (0,))
    timer.start()
    with pytest.raises(RuntimeError, match="runs another program now"):
        c.never([1])
    timer.join()


def test_a_program_that_another_notebook_lets_run_before_it_is_whole(board, cell, monkeypatch):
    """As pynq's GPIO does when a PynqMicroblaze is made."""
    load = PL.load_ip_data

    def run_and_load(*program, **zero):
        board.microblaze.reset(active=False)
        load(*program, **zero)

    monkeypatch.setattr(PL, "load_ip_data", run_and_load)
    assert cell(ONE).one() == 1


WRONG = [
    ("int f(void) {\n  return no;\n}\n", r"cell_magic:3:\d+: error: 'no' was not declared"),
    ("int f(void) {\n  return 1\n}\n", "cell_magic:4:1: before: }"),
    ("#include <no_such.h>\n", r"cell_magic:2:\d+: fatal error: no_such.h"),
    ("static char a[70000];\nint f(int i) { a[i] = i; return a[1]; }\n", "_bram' overflowed"),
]


@pytest.mark.parametrize("source, said", WRONG)
def test_what_is_wrong_in_a_cell_is_said_with_its_own_line(cell, source, said):
    """As the magic has it: %%microblaze is line 1."""
    working = cell(ONE)
    with pytest.raises(RuntimeError, match=said):
        cell(source)
    assert working.one() == 1


def test_a_function_that_cannot_be_called_is_named(cell, capsys):
    c = cell(
        ONE
        + """
        unsigned int half(unsigned number) { return number / 2; }
        int *address(int number) { return 0; }
        typedef struct { int x, y; } point;
        static int area(point *p) { return p->x * p->y; }
        typedef double (*function)(double);
    """
    )
    half, address = capsys.readouterr().out.splitlines()
    assert half.startswith("Python cannot call half (line 3)") and "Unknown type unsigned" in half
    assert address.startswith("Python cannot call address (line 4)")
    assert "returns a pointer" in address
    assert c.one() == 1 and not hasattr(c, "half")


def test_without_a_compiler(cell, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{path_without('mb-gcc')}")
    with pytest.raises(RuntimeError, match="no mb-gcc here: type `make compiler`"):
        cell(ONE)
    programs(tmp_path, **{"mb-g++": ""})  # as on an image
    path = os.environ["PATH"]
    firmware.put_on_path()
    assert os.environ["PATH"] == path


MAGIC = rf"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def run(cell):
    result = shell.run_cell(cell)
    if result.error_in_exec:
        print(result.error_in_exec)
    return result.result
run("import virtual_board; virtual_board.activate()")
run("from iop.pynq_tutorial import Pynq_Tutorial")
run("from pynq import Overlay; overlay = Overlay({OVERLAY!r})")
run("%%microblaze overlay.iop1\nint add(int a, int b) {{ return a + b; }}\nint zero;\n")
print(run("add(20, 22)"))
print(run("%%microblaze overlay.iop1\nint add(int a, int b) {{\n    return a + c;\n}}").data)
run("add(20, 23)")
run("%%microblaze overlay.iop1\nint more(int a) {{ return c; }}\n")
run("%%microblaze overlay.iop1\nint add(int a, int b) {{ return a + b; }}\n")
run("%%microblaze overlay.iop1\nint more(int a) {{ return c; }}\n")
print(run("add(20, 24)"))
"""


def test_the_magic_of_a_notebook():
    done = run_python(MAGIC)
    lines = done.stdout.splitlines()
    begin = "42", "44", "<pre>Compile FAILED", "The last run of this function's cell failed"
    said = [line for line in lines if line.startswith(begin)]
    assert len(said) == 4 and said[0] == "42" and said[3] == "44", done.stdout + done.stderr
    assert said[2].startswith(begin[3]) and said[2].endswith("%%microblaze again.")
    assert "cell_magic:3:16: error: 'c' was not declared in this scope" in lines
