"""Runs cells as a kernel does, and ends with a sentence if one of them writes outside the buffers.

Standard input: folder, whether it seems to be a real board, and runs: (title, whether in a new
kernel, [(cell, source), ...]). No cell may fail in a run whose title ends with "in order". The
board stays the same when the kernel is restarted, as a real one does."""

import json
import os
import sys

from IPython.core.interactiveshell import InteractiveShell

import virtual_board

folder, is_real, runs = json.load(sys.stdin)
board = virtual_board.activate()
if is_real:
    sys.modules["virtual_board"] = None  # nothing to import; the board is the witness beneath
shell = InteractiveShell.instance(colors="NoColor")
folder = os.path.abspath(folder)
for title, new_kernel, cells in runs:
    if new_kernel:
        shell.reset()
        os.chdir(folder)
    for name, source in cells:
        failed = not shell.run_cell(source).success
        strays = board.stray_writes()
        if strays or failed and title.endswith("in order"):
            sys.exit(f"{title}, cell {name}: {strays or 'failed'}")
