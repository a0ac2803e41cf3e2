"""start_in_parts.py OVERLAY: starts the IOP example, and prints the seconds of each part as JSON.

The overlay's download, on a PC the start of QEMU, is within Overlay(). All else in there is pynq's.
"""

import json
import os
import sys
import time
from importlib import import_module

sys.path[0] = os.getcwd()
taken = {"download": 0.0}


def part(name, function, *arguments):
    began = time.perf_counter()
    result = function(*arguments)
    taken[name] = time.perf_counter() - began
    return result


pynq = part("import pynq", import_module, "pynq")
part("import pynq.lib", import_module, "pynq.lib")
board = part("activate", lambda: import_module("virtual_board").activate())
if board is not None:
    download = board.download
    board.download = lambda: part("download", download)
overlay = part("Overlay", pynq.Overlay, sys.argv[1])
tutorial = import_module("iop.pynq_tutorial")
part("Pynq_Tutorial", tutorial.Pynq_Tutorial, overlay.iop1.mb_info)
print(json.dumps(taken))
if board is not None:
    board.close()
