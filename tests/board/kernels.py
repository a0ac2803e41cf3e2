"""kernels.py: runs Python programs, each in a process of its own that has pynq imported already, to save the second that takes.

A line of JSON on standard input, {"source": ..., "folder": ...}, is answered by one, {"code": exit code, "out": ..., "err": ...}.
"""

import gc
import json
import os
import sys
import traceback

import numpy  # noqa: F401
import pynq.lib  # noqa: F401

if hasattr(gc, "freeze"):  # Python 3.7
    gc.freeze()  # what is imported here stays, and no program's collections need look through it
answers = os.fdopen(os.dup(1), "w", 1)
for line in sys.stdin:
    asked = json.loads(line)
    files = [open("/tmp/kernel.{}".format(name), "w+") for name in ("out", "err")]
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        os.chdir(asked["folder"])
        sys.path[0] = ""
        code = 0
        try:
            exec(compile(asked["source"], "<kernel>", "exec"), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.exit(code)  # as a kernel ends: with what runs at a process's exit
    status = os.waitpid(child, 0)[1]
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read())
        file.close()
    answers.write(json.dumps({"code": status, "out": texts[0], "err": texts[1]}) + "\n")
