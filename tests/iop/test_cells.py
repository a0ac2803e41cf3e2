"""Cells of C that begin with %%microblaze: pynq's own means, the real compiler, the real
MicroBlaze."""

import os
import signal
import struct
import threading
import time

import numpy as np
import pytest
from pynq import Overlay, allocate
from pynq.lib import MicroblazeLibrary, MicroblazeRPC, PynqMicroblaze
from pynq.lib.pmod.constants import BIN_LOCATION
from pynq.lib.pynqmicroblaze.rpc import MicroblazeError

from helpers.drivers import in_a_loop
from helpers.kit import OVERLAY, run_python
from helpers.processes import sleeps_within
from iop import cells, firmware
from iop.pynq_tutorial import PROGRAM, Pynq_Tutorial
from iop.sharing import board_lock
from virtual_board.pmods import Als, Led8, Tmp2

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def path(monkeypatch):
    """A cell puts the compiler on it."""
    monkeypatch.setenv("PATH", os.environ["PATH"])


@pytest.fixture
def cell(overlay):
    """A function that compiles and loads a cell's C, and returns what has its functions."""
    return lambda source: MicroblazeRPC(overlay.iop1, '#line 1 "cell_magic"\n\n' + source)


# The language


def test_integers_of_every_size_and_floats(cell):
    same = "{0} same_{1}({0} value) {{ return value; }}\n"
    sizes = [("char", "b"), ("short", "h"), ("int", "i"), ("long", "i"), ("long long", "q")]
    sizes += [("unsigned " + name, code.upper()) for name, code in sizes] + [("float", "f")]
    c = cell(
        "".join(same.format(name, name.replace(" ", "_")) for name, _ in sizes)
        + "int sum(char a, short b, unsigned int c) { return a + b + c; } void nothing(void) {}"
    )
    for name, code in sizes:
        function = getattr(c, "same_" + name.replace(" ", "_"))
        bits = 8 * struct.calcsize(code)
        for value in (
            (0.0, -1.5, 2.0**100)
            if code == "f"
            else (0, 2**bits - 1)
            if code.isupper()
            else (-(2 ** (bits - 1)), -1, 7)
        ):
            assert function(value) == value, name
    assert c.sum(-1, 300, 2**31 - 400) == 2**31 - 101
    assert c.nothing() is None


def test_it_leaves_nothing_for_others_in_tmp(cell):
    """pynq would leave a copy of the C there, by a name that on a shared machine is another
    user's."""
    left = ["/tmp/last.c", "/tmp/last.elf"]
    before = [os.path.exists(path) and os.stat(path).st_mtime_ns for path in left]
    assert cell("int secret(void) { return 42; }").secret() == 42
    assert [os.path.exists(path) and os.stat(path).st_mtime_ns for path in left] == before


def test_arrays_and_strings(cell):
    c = cell("""
        #include <string.h>
        #ifdef __cplusplus  // for the compiler, and not for pynq, which reads C
        #include <cstring>  // as PYNQ_Peripherals' OLED does
        #endif
        void twice(int *numbers, int length) { for (int i = 0; i < length; i++) numbers[i] *= 2; }
        long long sum(const short *numbers, int length) { long long s = 0; while (length--) s += *numbers++; return s; }
        float mean(const float *a, unsigned int length) { float s = 0; for (unsigned i = 0; i < length; i++) s += a[i]; return s / length; }
        int reverse(unsigned char *text, int length) {
            for (int i = 0; i < length / 2; i++) { char c = text[i]; text[i] = text[length - 1 - i]; text[length - 1 - i] = c; }
            return strlen((char *)text);
        }
        int spaces(const char *text) { int n = 0; for (; *text; text++) n += *text == ' '; return n; }
    """)
    numbers, array = [1, -2, 3], np.arange(240, dtype="i4")
    c.twice(numbers, 3)
    c.twice(array, 240)
    assert numbers == [2, -4, 6] and (array == 2 * np.arange(240)).all()
    assert c.sum([30000, 30000, -7], 3) == 59993
    assert c.mean([1.0, 2.0, 4.5], 3) == 2.5
    text = bytearray(b"abc\0")
    assert c.reverse(text, 3) == 3 and text == b"cba\0"
    assert c.spaces("a b c") == 2


def test_buffers(board, cell):
    c = cell("""
        void fill(void *buffer, int length, int first) { int *words = (int *)buffer; while (length--) *words++ = first++; }
        long long sum(void *buffer, int length) { short *s = (short *)buffer; long long n = 0; while (length--) n += *s++; return n; }
        void anywhere(unsigned int address) { *(volatile int *)address = 0x5EA; }
    """)
    buffer, shorts = allocate((1000,), "i4"), allocate((1000,), "i2")
    c.fill(buffer, 1000, -5)
    assert c.sum(shorts, 1) == 0  # which also waits until the first is done: it has no result
    assert buffer.tolist() == list(range(-5, 995))
    shorts[:] = range(1000)
    assert c.sum(shorts, 1000) == sum(range(1000))
    assert board.stray_writes() == []
    # Nobody checks what a function does with an address.
    c.fill(buffer, 1001, 1)
    c.anywhere(0x20000000 | 0x123450)
    c.sum(shorts, 1)
    assert set(board.stray_writes()) >= {(0x123450, 4)} and len(board.stray_writes()) <= 2


def test_handles_with_methods_and_constants(board, cell):
    c = cell("""
        typedef int counter;
        enum { NONE, FIRST = 7, SECOND };
        static int counts[4];
        counter counter_open(int which) { return which; }
        void counter_add(counter c, int by) { counts[c] += by; }
        int counter_get_value(counter c) { return counts[c]; }
        void counter_set_value(counter c, int value) { counts[c] = value; }
        typedef struct { int x, y; } point;
        static int area(point *p) { return p->x * p->y; }
        int rectangle(int x, int y) { point p = {x, y}; return area(&p); }
        int first(void) { return 40; }
        int next(void) { static int n = first(); return ++n; }
    """)
    one, two = c.counter_open(1), c.counter_open(2)
    one.add(5)
    one.add(6)
    two.value = 3
    assert (one.value, two.value, int(two)) == (11, 3, 2)
    assert (c.NONE, c.FIRST, c.SECOND) == (0, 7, 8)
    assert c.rectangle(6, 7) == 42
    assert [c.next(), c.next()] == [41, 42]


def test_headers_of_the_c_library(cell):
    """pynq's parser of C gets through them, and none of their functions counts as the cell's."""
    headers = "ctype errno limits math stdbool stdint stdio stdlib string time unistd".split()
    c = cell(
        "".join(f"#include <{name}.h>\n" for name in headers)
        + """
        float root(float x) { return sqrtf(x); }
        int kept(int x) { int *p = (int *)malloc(4); *p = x; x = *p; free(p); return x; }
    """
    )
    assert c.root(6.25) == 2.5 and c.kept(7) == 7
    assert set(c.visitor.functions) == {"root", "kept"}


def test_prints_and_errors(cell, capsys):
    c = cell("""
        #include <pyprintf.h>
        #include <pytypes.h>
        int show(int n) { pyprintf("%d %u %x %s|%c %f\\n", n, -1, 255, "text", 'c', 2.5); return n; }
        int lines(int n) { for (int i = 0; i < n; i++) pyprintf("line %d of many, each of which is long\\n", i); return n; }
        py_int refuse(int n) { return n; }
    """)
    assert c.show(-3) == -3
    assert capsys.readouterr().out == "-3 4294967295 ff text|c 2.500000\n"
    assert c.lines(100) == 100  # more than the mailbox has room for
    assert capsys.readouterr().out.splitlines()[-1].startswith("line 99 ")
    assert c.refuse(3) == 3
    with pytest.raises(MicroblazeError, match="No such file"):
        c.refuse(-2)
    assert c.refuse(4) == 4


def test_asynchronous_functions(cell):
    c = cell("""
        #include <yield.h>
        #include <timer.h>
        static int n;
        int get(void) { return n; }
        int count(int to) { for (n = 0; n < to; n++) { delay_ms(2); yield(); } return n; }
        void twice(int *number) { *number *= 2; }
    """)
    import asyncio

    async def both():
        counting = asyncio.ensure_future(c.count.call_async(50))
        seen = []
        while len(seen) < 4:
            await asyncio.sleep(0.005)
            seen.append(c.get())
        number = [21]
        assert await counting == 50
        await c.twice.call_async(number)
        return seen, number[0]

    seen, number = in_a_loop(both())
    assert seen == sorted(seen) and 0 < seen[-1] < 50
    assert number == 42


# The peripherals


def test_gpio_and_timer(board, cell):
    led8 = board.plug(Led8())
    c = cell("""
        #include <gpio.h>
        #include <timer.h>
        #include <pmod_grove.h>
        gpio led(unsigned int pin) { gpio l = gpio_open(pin); gpio_set_direction(l, GPIO_OUT); return l; }
        int blink(gpio led, int times) { while (times--) { gpio_write(led, 1); delay_ms(5); gpio_write(led, 0); delay_us(5000); } return 1; }
        int grove(void) { return PMOD_G1_B; }
    """)
    led = c.led(3)
    led.write(1)
    c.grove()
    assert led8.leds == 0b1000
    seen, started = set(), time.monotonic()
    led8.pins = lambda levels, driven: seen.add(levels & driven)
    assert c.blink(led, 10) == 1
    assert time.monotonic() - started >= 0.09
    assert seen == {0, 0b1000}
    assert c.grove() == 4


def test_i2c(board, cell):
    tmp2 = board.plug(Tmp2(21.5))
    c = cell("""
        #include <i2c.h>
        int sixteenths(void) {
            static i2c bus = i2c_open(3, 2);
            unsigned char bytes[2] = {0};
            if (i2c_write(bus, 0x4B, bytes, 1) < 0) return -9999;
            i2c_read(bus, 0x4B, bytes, 2);
            return (short)(bytes[0] << 8 | bytes[1]) >> 3;
        }
    """)
    assert c.sixteenths() == 16 * 21.5
    tmp2.celsius = -10.5
    assert c.sixteenths() == 16 * -10.5


def test_spi(board, cell):
    als = board.plug(Als())
    c = cell("""
        #include <spi.h>
        int light(void) {
            static spi bus = spi_configure(spi_open(3, 2, 1, 0), 0, 0);
            char sent[2] = {0}, got[2] = {0};
            spi_transfer(bus, sent, got, 2);
            return (unsigned char)got[0] << 4 | (unsigned char)got[1] >> 4;
        }
    """)
    assert c.light() == 77
    als.light = 200
    assert c.light() == 200


def test_a_library_without_c_of_ones_own(board, overlay):
    led8 = board.plug(Led8())
    library = MicroblazeLibrary(overlay.iop1, ["gpio", "timer"])
    led = library.gpio_open(5)
    led.set_direction(library.GPIO_OUT)
    led.write(1)
    library.delay_ms(1)
    assert library.gpio_get_num_devices() >= 1
    assert led8.leds == 1 << 5


# Beside the kit's own program, and others


def test_it_ends_the_kits_program_and_is_ended_by_it(
    board, overlay, iop, buffer, cell, monkeypatch
):
    iop.write_to_buffer(buffer, 10, 1)
    for _ in range(2):  # another cell may come before, which pynq knows by its folder
        c = cell("int two(void) { return 2; }")
        assert c.two() == 2
        with pytest.raises(
            RuntimeError, match=r"runs another program now: start this one's with reset\(\)"
        ):
            iop.write_to_buffer(buffer, 10, 1)
    with pytest.raises(RuntimeError, match="to end that program, load the overlay again"):
        Pynq_Tutorial(overlay.iop1.mb_info)
    iop.reset()
    iop.write_to_buffer(buffer, 10, 5)
    assert buffer[:10].tolist() == list(range(5, 15))
    with pytest.raises(RuntimeError, match="runs another program now.*run the cell"):
        c.two()
    new = Pynq_Tutorial(Overlay(OVERLAY).iop1.mb_info)
    new.write_to_buffer(buffer, 10, 7)
    assert buffer[9] == 16


def test_it_ends_a_program_of_the_kit_in_any_folder_and_no_driver(board, mb_info, cell):
    """pynq itself ends whatever lies in /tmp, where this checkout may be; a path that begins with
    // is another one."""
    Pynq_Tutorial(mb_info, "/" + PROGRAM)
    assert cell("int one(void) { return 1; }").one() == 1
    overlay = Overlay(OVERLAY)
    PynqMicroblaze(overlay.iop1.mb_info, "/" + os.path.join(BIN_LOCATION, "pmod_timer.bin"))
    with pytest.raises(RuntimeError, match=r"iop1 runs .*\.bin: to end that program"):
        MicroblazeRPC(overlay.iop1, "int one(void) { return 1; }")


def test_several_cells_one_after_the_other(cell):
    first = cell("static int n; int count(void) { return ++n; }")
    assert [first.count(), first.count()] == [1, 2]
    second = cell("static int n = 10; int count(void) { return ++n; }")
    assert second.count() == 11
    with pytest.raises(RuntimeError, match="runs another program now"):
        first.count()
    assert second.count() == 12


def test_a_second_overlay_in_between(cell):
    c = cell("int one(void) { return 1; }")
    Overlay(OVERLAY)
    with pytest.raises(
        RuntimeError,
        match="An overlay was downloaded since this function was compiled.*run the cell",
    ):
        c.one()


def test_an_answer_that_a_download_has_cleared_is_none(cell, monkeypatch):
    c = cell("int one(void) { return 1; }")
    read = cells.Stream.read

    def read_too_late(stream, length):
        data = read(stream, length)
        if length == 4:  # the value, after the byte that announces it
            Overlay(OVERLAY)
            data = bytes(length)
        return data

    monkeypatch.setattr(cells.Stream, "read", read_too_late)
    with pytest.raises(
        RuntimeError, match="An overlay was downloaded since this function was compiled"
    ):
        c.one()


def test_it_waits_for_the_iop(overlay, iop, cell):
    """Whoever else in this process or another one has the IOP."""
    c = cell("int one(void) { return 1; }")
    for wanted in c.one, lambda: cell("int one(void) { return 1; }"):
        thread = threading.Thread(target=wanted)
        with board_lock().threads:
            thread.start()
            thread.join(1.5)
            assert thread.is_alive()
        thread.join(10)
        assert not thread.is_alive()


# Idle


def test_a_program_that_waits_for_a_call_sleeps(board, cell):
    c = cell("int add(int a, int b) { return a + b; }")
    for value in range(3):
        assert sleeps_within(board)
        assert c.add(value, 1) == value + 1


# Bad input


def test_wrong_arguments_leave_the_program_as_it_was(cell):
    c = cell(
        "int add(int a, int b) { return a + b; } void fill(void *p) {} int sum(const int *a) {"
        " return a[0]; }"
    )
    for wrong, error in (
        (lambda: c.add("a", 1), struct.error),
        (lambda: c.add(1), TypeError),
        (lambda: c.add(2**40, 1), struct.error),
        (lambda: c.fill([1, 2]), AttributeError),
        (lambda: c.sum([1.5]), struct.error),
    ):
        with pytest.raises(error):
            wrong()
        assert c.add(1, 2) == 3


def test_an_array_that_is_too_long(cell):
    c = cell(
        "int last(const int *a, int length) { return a[length - 1]; } void keep(unsigned char"
        " *bytes) {}"
    )
    with pytest.raises(
        ValueError,
        match="have 1210 bytes, and a call takes 1015 at most: put a large array into a buffer",
    ):
        c.last(list(range(300)), 300)
    assert c.last(list(range(250)), 250) == 249
    longest = bytearray(range(256)) * 4
    del longest[1009:]
    c.keep(longest)
    with pytest.raises(ValueError, match="1016 bytes"):
        c.keep(longest + b"x")


def test_a_full_mailbox_is_waited_for(cell):
    """Calls without a result do not wait for their end, and the mailbox has room for 1015 bytes."""
    c = cell("""
        #include <timer.h>
        static int n;
        void add(int by) { n += by; delay_us(100); }
        int get(void) { return n; }
    """)
    for _ in range(300):
        c.add(2)
    assert c.get() == 600


def test_a_function_that_never_returns(cell):
    source = (
        "int one(void) { return 1; } int never(int *p) { for (;;) ; return 1; } void stuck(void) {"
        " for (;;) ; }"
    )
    c = cell(source)
    for blocked in lambda: c.never([1]), lambda: (c.stuck(), c.one()):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            blocked()
            time.sleep(10)
        with pytest.raises(RuntimeError, match="was stopped: run the cell"):
            c.one()
        c = cell(source)
        assert c.one() == 1


def test_an_asynchronous_call_that_is_given_up(cell):
    import asyncio

    c = cell("int one(void) { return 1; } int never(void) { for (;;) ; return 1; }")
    with pytest.raises(asyncio.TimeoutError):
        in_a_loop(asyncio.wait_for(c.never.call_async(), 0.2))
    with pytest.raises(RuntimeError, match="was stopped: run the cell"):
        c.one()


def test_a_program_that_is_replaced_while_it_is_waited_for(board, cell):
    """By somebody who does not take the lock; loading another one clears the memory first."""
    c = cell("int never(void) { for (;;) ; return 1; }")
    timer = threading.Timer(0.3, board.memory.bram.fill, (0,))
    timer.start()
    with pytest.raises(RuntimeError, match="runs another program now"):
        c.never()
    timer.join()


@pytest.mark.parametrize(
    "source, said",
    [
        (
            "int f(void) {\n  return unknown;\n}\n",
            r"cell_magic:3:\d+: error: 'unknown' was not declared",
        ),
        ("int f(void) {\n  return 1\n}\n", "cell_magic:4:1: before: }"),
        ("#include <no_such.h>\n", r"cell_magic:2:\d+: fatal error: no_such.h"),
        (
            "static char big[70000];\nint f(int i) { big[i] = i; return big[2 * i]; }\n",
            "region `microblaze_bram' overflowed",
        ),
    ],
)
def test_what_is_wrong_in_a_cell_is_said_with_its_own_line(cell, source, said):
    """As the magic has it: %%microblaze is line 1."""
    working = cell("int one(void) { return 1; }")
    with pytest.raises(RuntimeError, match=said):
        cell(source)
    assert working.one() == 1


def test_a_function_that_cannot_be_called_is_named(cell, capsys):
    c = cell("""
        unsigned int half(unsigned number) { return number / 2; }
        int *address(int number) { return 0; }
        float third(double number) { return number / 3; }
        typedef struct { int x, y; } point;
        static int area(point *p) { return p->x * p->y; }
        typedef double (*function)(double);
        int one(void) { return 1; }
    """)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(", because pynq")[0] for line in said] == [
        "Python cannot call half (line 3)",
        "Python cannot call address (line 4)",
        "Python cannot call third (line 5)",
    ]
    assert "Unknown type unsigned" in said[0] and "returns a pointer" in said[1]
    assert c.one() == 1 and not hasattr(c, "half")


def test_without_a_compiler(cell, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(
        "PATH",
        os.pathsep.join(
            folder
            for folder in os.environ["PATH"].split(os.pathsep)
            if not os.path.exists(os.path.join(folder, "mb-gcc"))
        ),
    )
    with pytest.raises(RuntimeError, match="no mb-gcc here: type `make compiler`"):
        cell("int one(void) { return 1; }")
    (tmp_path / "mb-gcc").write_text("#!/bin/sh\n")
    (tmp_path / "mb-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(
        RuntimeError, match="mb-gcc in .* has no mb-g[+][+] beside it.*type `make compiler`"
    ):
        cell("int one(void) { return 1; }")


def test_the_compiler_of_an_image_comes_first(tmp_path, monkeypatch):
    (tmp_path / "mb-g++").write_text("#!/bin/sh\n")
    (tmp_path / "mb-g++").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    firmware.put_on_path()
    assert os.environ["PATH"] == str(tmp_path)


# As in a notebook

MAGIC = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def run(cell):
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result
run("import virtual_board; virtual_board.activate()")
run("from pynq import Overlay; from iop.pynq_tutorial import Pynq_Tutorial; overlay = Overlay({!r})")
run("%%microblaze overlay.iop1\\nint add(int a, int b) {{ return a + b; }}\\nint zero;\\n")
print(run("add(20, 22)"))
print(run("%%microblaze overlay.iop1\\nint add(int a, int b) {{\\n    return a + c;\\n}}").data)
print(run("add(20, 23)"))
"""


def test_the_magic_of_a_notebook():
    done = run_python(MAGIC.format(OVERLAY))
    lines = [
        line
        for line in done.stdout.splitlines()
        if line.startswith(("4", "<pre>Compile FAILED", "cell_magic:"))
    ]
    assert lines[:2] == ["42", "<pre>Compile FAILED"] and lines[-1] == "43", (
        done.stdout + done.stderr
    )
    assert "cell_magic:3:16: error: 'c' was not declared in this scope" in lines
