"""Buffers as each pynq hands them out and takes them back: a freed buffer is refused, and the
statistics are true."""

from conftest import NAME

FREED = """
import sys; sys.path.insert(0, ".")
import numpy as np
from pynq import Overlay, allocate
from iop.pynq_tutorial import Pynq_Tutorial
from iop.xlnk import Xlnk
iop = Pynq_Tutorial(Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info)
xlnk = Xlnk()

def told(buffer):
    try:
        iop.write_to_buffer(buffer, 1, 1)
    except (TypeError, ValueError) as error:
        return type(error).__name__
    return "served"

def available():
    return xlnk.cma_stats()["CMA Memory Available"]

before = available()
buffer = {allocate}
view, copy, address = buffer[10:], buffer.copy(), buffer.physical_address
print(told(buffer), told(view), told(address), told(copy))
taken = before - available()
buffer.freebuffer()
print(told(buffer), told(view), told(address), told(copy))
print({{"all": before == available()}}, taken)
buffer.freebuffer()
del view, copy
print({{"all": before == available()}})
del buffer
print({{"all": before == available()}}, xlnk.cma_stats()["Buffer Count"])
"""
SERVED = "served served served TypeError"
REFUSED = "ValueError ValueError ValueError TypeError"


def freed(board, allocate):
    return board.python(FREED.format(allocate=allocate), NAME).splitlines()


def test_a_freed_buffer_of_xlnk_is_refused_and_its_memory_comes_back(power_up, release):
    lines = freed(power_up(leftover=0xA5), "xlnk.cma_array((1000,), 'u4')")
    assert lines[:2] == [SERVED, REFUSED]
    # Up to 2.6 the last view gives the memory back, in 3.1 the last view or copy: these are gone
    # one by one.
    early = {
        "2.5.4": [False, False, True],
        "2.6.2": [False, False, True],
        "2.7.0": [True, True, True],
        "3.0.1": [True, True, True],
        "3.1.2": [False, True, True],
    }[release]
    assert lines[2:] == [
        "{{'all': {}}} {}".format(early[0], 8192 if release == "3.1.2" else 4096),
        f"{{'all': {early[1]}}}",
        f"{{'all': {early[2]}}} 0",
    ]


def test_a_freed_buffer_of_pynq_itself(power_up, release):
    lines = freed(power_up(), "allocate((1000,), 'u4')")
    # 2.7's freebuffer() frees nothing: the buffer stays this process's, so a request for it does no
    # harm.
    assert lines[:2] == [SERVED, SERVED if release == "2.7.0" else REFUSED]
    assert lines[4] == "{{'all': {}}} 0".format(release != "2.7.0")


def test_xlnk_reset(power_up):
    source = (
        FREED[: FREED.index("before =")].format()
        + """
buffers = [xlnk.cma_array((1000,), "u4") for _ in range(3)]
xlnk.xlnk_reset()
print([told(buffer) for buffer in buffers], [told(buffer.physical_address) for buffer in buffers])
"""
    )
    assert power_up().python(source, NAME) == str(3 * ["ValueError"]) + " " + str(
        3 * ["ValueError"]
    )


def test_a_request_leaves_the_rest_of_a_cacheable_buffer_alone(power_up):
    """What another thread writes beside the words of a request stays."""
    source = (
        FREED[: FREED.index("def told")].format()
        + """
import threading
sys.setswitchinterval(1e-4)  # a busy thread would have the other one wait 5 ms at each system call
buffer = xlnk.cma_array((2048,), "u4", cacheable=1)
buffer[:] = 0
stop, wrong = threading.Event(), []

def count():
    number = 0
    while not stop.is_set():
        number += 1
        buffer[1024 + number % 1024] = number
        if buffer[1024 + number % 1024] != number:
            wrong.append(number)

thread = threading.Thread(target=count)
thread.start()
for data in range(500):
    iop.write_to_buffer(buffer, 1024, data)
    if buffer[0] != data or buffer[1023] != data + 1023:
        wrong.append(("request", data))
stop.set()
thread.join(60)
print(len(wrong))
"""
    )
    assert power_up().python(source, NAME) == "0"
