"""sleeps.py RELEASE ENVIRONMENT BASE LIBRARY SECONDS: on a PC, a board on which two commands
sleep."""

import sys

from board import Board

with Board(*sys.argv[1:5]) as board:
    board.power_up()
    board.start_command("sleep", sys.argv[5], folder="/")
    print(board.pid, flush=True)
    board.run("sleep", sys.argv[5])
