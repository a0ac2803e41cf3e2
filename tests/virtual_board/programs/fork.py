"""A child gets a board of its own, and the parent's goes on. Prints both QEMUs' process numbers."""

import os
import sys

import virtual_board

board = virtual_board.activate()

from pynq import Overlay, allocate

from iop.pynq_tutorial import Pynq_Tutorial


def ask(iop, buffer, data):
    iop.write_to_buffer(buffer, 10, data)
    assert buffer[9] == data + 9
    print(virtual_board.activate().microblaze.pid, flush=True)


iop, buffer = Pynq_Tutorial(Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info), allocate((10,))
child = os.fork()
if child == 0:
    assert virtual_board.activate() is not board
    assert buffer.freed  # on the child's board this is no buffer
    iop = Pynq_Tutorial(Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info)
    ask(iop, allocate((10,)), 5)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
ask(iop, buffer, 2)
