"""calls.py SEED SECONDS: calls a function of C, and runs its cell again where it is gone."""

import os
import random
import sys

os.environ["PATH"] += ":/opt/microblazeel-xilinx-elf/bin"

from kernels import again_and_again, load
from pynq.lib import MicroblazeRPC

overlays = []


def begin(before):
    if not overlays:
        overlays.append(load())
    try:
        return MicroblazeRPC(overlays[0].iop1, "int add(int a, int b) { return a + b; }")
    except RuntimeError:  # another one was downloaded since
        overlays.clear()
        raise


def attempt(c):
    number = random.randrange(10**6)
    return c.add(number, 1) == number + 1


again_and_again(float(sys.argv[2]), begin, attempt)
