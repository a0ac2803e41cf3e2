"""For test_pins.py: a method of a device does not return. Ctrl-C ends the driver's wait,
board.close() works, and another board does."""

import os
import signal
import threading

import virtual_board

board = virtual_board.activate()

from pynq import Overlay
from pynq.lib.pmod import Pmod_ALS

from virtual_board.pmods import Als, SpiDevice


class Stuck(SpiDevice):
    def transfer(self, byte):
        while True:
            pass


board.plug(Stuck())
als = Pmod_ALS(Overlay("bitstream/pynq_tutorial.bit").iop1.mb_info)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    als.read()
except KeyboardInterrupt:
    print("interrupted")
board.close()
board = virtual_board.activate()
board.plug(Als())
print(Pmod_ALS(Overlay("bitstream/pynq_tutorial.bit").iop1.mb_info).read())
