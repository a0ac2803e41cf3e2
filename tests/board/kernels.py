"""kernels.py MACHINES_PROC: runs Python programs on boards, each in a process of its own that has
pynq imported already, to save the second that takes. It is started on a board of its own; a
program's process goes over to the board that is asked for.

A line of JSON on standard input, {"board": the machine's number of the board's first process,
"root": its root, "source": ..., "folder": ...}, is answered by one, {"code": exit code, "out": ...,
"err": ...}. MACHINES_PROC is a descriptor of the machine's own /proc, which has the boards'
namespaces."""

import ctypes
import gc
import json
import os
import sys
import tempfile
import traceback

import numpy
import pynq.lib

machines_proc = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)


def go_over(board, root):
    """This process's files become the board's, and so do the processes that it starts from now
    on."""
    for kind in "pid", "mnt":
        namespace = os.open(f"{board}/ns/{kind}", os.O_RDONLY, dir_fd=machines_proc)
        if libc.setns(namespace, 0):
            raise OSError(ctypes.get_errno(), "setns " + kind)
        os.close(namespace)
    os.chroot(root)


def run(source, folder):
    """Runs a program to its end, and this process with it, as a kernel ends: with what runs at a
    process's exit."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    sys.path[0] = ""
    code = 0
    try:
        exec(compile(source, "<kernel>", "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.exit(code)


if hasattr(gc, "freeze"):  # Python 3.7
    gc.freeze()  # what is imported here stays, and no program's collections need look through it
answers = os.fdopen(os.dup(1), "w", 1)
for line in sys.stdin:
    asked = json.loads(line)
    files = [tempfile.TemporaryFile("w+") for _ in range(2)]
    waiting = os.fork()
    if not waiting:
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        go_over(asked["board"], asked["root"])
        os.close(machines_proc)
        kernel = os.fork()
        if not kernel:
            run(asked["source"], asked["folder"])
        os._exit(1 if os.waitpid(kernel, 0)[1] else 0)
    code = os.waitpid(waiting, 0)[1]
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read())
        file.close()
    answers.write(json.dumps({"code": code, "out": texts[0], "err": texts[1]}) + "\n")
