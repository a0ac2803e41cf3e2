"""start_in_parts OVERLAY: starts the IOP example, and prints the seconds of each part as JSON."""

import json
import sys
import time
from importlib import import_module

taken = {}


def part(name, function, *arguments):
    began = time.perf_counter()
    result = function(*arguments)
    taken[name] = time.perf_counter() - began
    return result


pynq = part("import pynq", import_module, "pynq")
part("import pynq.lib", import_module, "pynq.lib")
board = part("activate", lambda: import_module("virtual_board").activate())
overlay = part("Overlay", pynq.Overlay, sys.argv[1])
tutorial = import_module("iop.pynq_tutorial")
part("Pynq_Tutorial", tutorial.Pynq_Tutorial, overlay.iop1.mb_info)
print(json.dumps(taken))
if board is not None:
    board.close()
