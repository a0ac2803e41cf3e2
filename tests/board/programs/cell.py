"""A cell of C with pynq's own compiler and libraries, then pynq's own driver of a thermometer."""

import os

os.environ["PATH"] += ":/opt/microblazeel-xilinx-elf/bin"

from kernels import Pynq_Tutorial, load, start
from pynq import allocate
from pynq.lib import MicroblazeRPC

SOURCE = r"""
#include <i2c.h>
#include <pyprintf.h>
int add(int a, int b) { pyprintf("adding\n"); return a + b; }
void twice(int *numbers, int length) { while (length--) *numbers++ *= 2; }
int fill(void *buffer, int length) {
    int *words = (int *)buffer;
    for (int i = 0; i < length; i++) words[i] = i + 1;
    return length;
}
int sixteenths(void) {
    i2c bus = i2c_open(3, 2);
    unsigned char bytes[2] = {0};
    i2c_write(bus, 0x4B, bytes, 1);
    i2c_read(bus, 0x4B, bytes, 2);
    return (short)(bytes[0] << 8 | bytes[1]) >> 3;
}
"""
overlay, buffer = load(), allocate((100,), "i4")
buffer[:] = 0
c = MicroblazeRPC(overlay.iop1, SOURCE)
numbers = [1, 2, 3]
c.twice(numbers, 3)
print(c.add(40, 2), numbers, c.fill(buffer, 50), buffer[48:52].tolist(), c.sixteenths() / 16)
try:
    Pynq_Tutorial(overlay.iop1.mb_info)
except RuntimeError as error:
    print(str(error).split(":")[-1])
iop = start()
iop.write_to_buffer(buffer, 3, 7)
print(buffer[:4].tolist())
try:
    c.add(1, 2)
except RuntimeError as error:
    print(str(error)[:25])
