"""Cells that begin with %%microblaze: real pynq, the real compiler, the real MicroBlaze."""

import asyncio
import os
import struct
import subprocess
import threading
import time

import numpy as np
import pytest
from pynq import Overlay, allocate
from pynq.lib import MicroblazeLibrary, MicroblazeRPC
from pynq.lib.pmod import Pmod_LED8

import iop.cells
from conftest import OVERLAY, run_python
from iop import firmware
from iop.pynq_tutorial import Pynq_Tutorial
from test_drivers import until
from test_idle import sleeps_within
from virtual_board.pmods import Als, Led8, Tmp2


@pytest.fixture
def cell(overlay):
    """A function that compiles and loads C as a cell is, and returns an object with its functions."""
    def run(source):
        return MicroblazeRPC(overlay.iop1, '#line 1 "cell_magic"\n\n' + source)
    return run


SAME = """
{0} same_{1}({0} value) {{ return value; }}
"""
INTEGERS = {"char": 8, "short": 16, "int": 32, "long": 32, "long long": 64}


def test_integers_of_every_size_and_floats(cell):
    signs = "", "unsigned "
    c = cell("".join(SAME.format(sign + name, (sign + name).replace(" ", "_")) for name in INTEGERS for sign in signs) +
             SAME.format("float", "float") + "void nothing(void) {} int sum(char a, short b, unsigned c) { return a + b + c; }")
    for name, bits in INTEGERS.items():
        name = name.replace(" ", "_")
        for value in -2**(bits - 1), -1, 0, 2**(bits - 1) - 1:
            assert getattr(c, "same_" + name)(value) == value
        for value in 0, 2**bits - 1:
            assert getattr(c, "same_unsigned_" + name)(value) == value
    for value in 0.0, -1.5, 3.0e38:
        assert c.same_float(value) == struct.unpack("f", struct.pack("f", value))[0]
    assert c.nothing() is None
    assert c.sum(-1, 300, 2**31 - 400) == 2**31 - 101
