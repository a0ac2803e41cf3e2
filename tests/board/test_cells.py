"""Cells of C on pynq's own board classes, with the compiler where an image has it, and beside
another kernel."""

import json
import re

import pytest

from conftest import NAME
from iop import firmware

pytestmark = pytest.mark.skipif(firmware.compiler() is None, reason=firmware.NO_COMPILER)

SETUP = """
import asyncio, json, os, random, sys, time; sys.path.insert(0, ".")
os.environ["PATH"] += ":/opt/microblazeel-xilinx-elf/bin"
from pynq import Overlay, allocate
from pynq.lib import MicroblazeRPC
from iop.pynq_tutorial import Pynq_Tutorial
overlay = Overlay("./bitstream/pynq_tutorial.bit")
"""
LANGUAGE = (
    SETUP
    + '''
buffer = allocate((100,), "i4")
buffer[:] = 0
c = MicroblazeRPC(overlay.iop1, """
    #include <i2c.h>
    #include <pyprintf.h>
    int add(int a, int b) { pyprintf("adding\\\\n"); return a + b; }
    void twice(int *numbers, int length) { while (length--) *numbers++ *= 2; }
    int fill(void *buffer, int length) { int *words = (int *)buffer; for (int i = 0; i < length; i++) words[i] = i + 1; return length; }
    int sixteenths(void) {
        i2c bus = i2c_open(3, 2);
        unsigned char bytes[2] = {0};
        i2c_write(bus, 0x4B, bytes, 1);
        i2c_read(bus, 0x4B, bytes, 2);
        return (short)(bytes[0] << 8 | bytes[1]) >> 3;
    }
""")
numbers = [1, 2, 3]
c.twice(numbers, 3)
print(c.add(40, 2), numbers, c.fill(buffer, 50), buffer[48:52].tolist(), c.sixteenths() / 16)
print(asyncio.get_event_loop().run_until_complete(c.add.call_async(1, 2)))
try:
    Pynq_Tutorial(overlay.iop1.mb_info)
except RuntimeError as error:
    print(str(error).split(":")[-1])
iop = Pynq_Tutorial(Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info)
iop.write_to_buffer(buffer, 3, 7)
print(buffer[:4].tolist())
try:
    c.add(1, 2)
except RuntimeError as error:
    print(str(error)[:25])
'''
)


def test_a_cell(power_up):
    assert power_up().python(LANGUAGE, NAME).splitlines() == [
        "adding",
        "42 [2, 4, 6] 50 [49, 50, 0, 0] 21.5",
        "adding",
        "3",
        " to end that program, load the overlay again, with overlay = Overlay(...).",
        "[7, 8, 9, 4]",
        "An overlay was downloaded",
    ]


# Calls a function for a while, and runs its cell again where it is gone.
CALLS = (
    SETUP
    + """
called, errors, wrong = 0, {}, 0
c, end = None, time.monotonic() + 3
while time.monotonic() < end or called <= 10 and time.monotonic() < end + 240:
    try:
        if c is None:
            c = MicroblazeRPC(overlay.iop1, "int add(int a, int b) { return a + b; }")
        a = random.randrange(10**6)
        wrong += c.add(a, 1) != a + 1
        called += 1
    except RuntimeError as error:
        c = None
        if "is downloaded now" in str(error) or "downloaded since" in str(error) or "not currently loaded" in str(error):
            overlay = Overlay("./bitstream/pynq_tutorial.bit")
        errors[str(error)[:60]] = errors.get(str(error)[:60], 0) + 1
print(json.dumps([called, errors, wrong]))
"""
)
OTHERS = {
    "the kit's program": SETUP
    + """
iop, buffer = Pynq_Tutorial(overlay.iop1.mb_info), allocate((1000,), "u4")
for value in range(20):
    iop.reset()
    iop.write_to_buffer(buffer, 1000, value)
    assert buffer[999] == value + 999
    time.sleep(0.1)
""",
    "a cell": CALLS.replace("+ 3\n", "+ 1\n"),
    "an overlay": SETUP,
}
SENTENCES = re.compile(
    "The IOP runs another program now|An overlay was downloaded since|Overlay not currently loaded|"
    "The overlay that is downloaded now has no|"
    "The program of this function was stopped|iop1 runs /tmp/"
)


@pytest.mark.parametrize("other", OTHERS)
def test_two_kernels(power_up, other):
    """A call is answered as it should be or ends with a sentence; none waits for ever."""
    board = power_up()
    first = board.start_python(CALLS, NAME)
    results = []
    while first.poll() is None:
        done = board.kernel(OTHERS[other], NAME)
        assert done.returncode == 0 or re.search(
            "RuntimeError: The IOP runs|RuntimeError: An overlay|RuntimeError: iop1 runs|"
            r"OSError: \[Errno 22\]|FileNotFoundError",
            done.stderr,
        ), done.stderr
        if other == "a cell" and done.returncode == 0:
            results.append(json.loads(done.stdout))
    out, error = first.communicate(timeout=300)
    assert first.returncode == 0, error
    for called, errors, wrong in results + [json.loads(out)]:
        assert wrong == 0 and all(SENTENCES.match(said) for said in errors), (called, errors, wrong)
    assert json.loads(out)[0] > 10
