"""The stop button at every line: KeyboardInterrupt is raised at each line that a piece of code
executes."""

import collections
import dis
import linecache
import os
import sys

# How the end of a `with` begins. Python's trace stops there before the lock is given back, and a
# signal does not.
LEAVES_WITH = "LOAD_CONST", "SWAP", "ROT_TWO", "POP_BLOCK"


def at_each_line(action, files):
    """Runs action() again and again, interrupted once each time: at each line that it executes,
    when it comes there first and in the middle of the times that it comes there.

    Yields where that was, "file:line", after each run that was interrupted. files: only lines of
    files whose path has one of these parts in it count, in the thread that calls this. The reader
    of descriptions is left out: it changes nothing, and has many lines."""
    times = _run(action, files)
    for place in sorted(times):
        for occurrence in sorted({1, times[place] // 2 + 1}):
            if _run(action, files, place, occurrence) is None:
                yield "{}:{}".format(*place)


def _run(action, files, place=None, occurrence=0):
    """Runs it, interrupted the n-th time that it comes to a place. {place: how often it came
    there}; None if it was interrupted."""
    times = collections.Counter()

    def local(frame, event, _):
        if event == "line" and not _leaves_with(frame):
            here = os.path.basename(frame.f_code.co_filename), frame.f_lineno
            times[here] += 1
            if here == place and times[here] == occurrence:
                raise KeyboardInterrupt
        return local

    def calls(frame, event, _):
        file = frame.f_code.co_filename
        counts = any(part in file for part in files) and not file.endswith("description.py")
        return local if counts else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        action()
        return times
    except KeyboardInterrupt:
        return None
    finally:
        sys.settrace(before)


def _leaves_with(frame):
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return line.startswith("with ") and dis.opname[code.co_code[frame.f_lasti]] in LEAVES_WITH
