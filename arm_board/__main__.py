"""Builds the board if it is not there, starts it, and prints where it answers (`make board`)."""

import signal
import sys

from . import BoardError, debian
from .board import Board
from .build import files
from .machine import JUPYTER, SSH

TEXT = """
The board is ready. User and password are those of a board with the stock image: xilinx.

  ssh      ssh -p {ssh} xilinx@127.0.0.1
  Jupyter  http://127.0.0.1:{jupyter}
  install  make install HOST=xilinx@127.0.0.1 SSH="ssh -p {ssh}"

Whatever is written on it is gone when it is switched off: Ctrl-C, or `sudo poweroff` on it.
"""


def main():
    # Python ends in order, as after Ctrl-C, when the terminal is closed, too.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.default_int_handler)
    board = Board(files(), show=debian.say)
    try:
        board.wait_for("ready")
        print(TEXT.format(ssh=board.ports[SSH], jupyter=board.ports[JUPYTER]), flush=True)
        board.wait_for_end()
    finally:
        board.close()


if __name__ == "__main__":
    try:
        main()
    except BoardError as error:
        sys.exit(f"arm board: {error}")
    except KeyboardInterrupt:
        debian.say("switched off")
