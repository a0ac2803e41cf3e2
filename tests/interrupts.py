"""The stop button at every line: KeyboardInterrupt is raised in Python's own way at each line that a piece of code executes."""

import os
import sys
import threading


def at_each_line(action, files, prepare=lambda: None, step=1, first=1):
    """Runs action() again and again, interrupted at its first line, at its second, and so on, until it is not any more.

    files: only lines of files whose path has one of these parts in it count, in the thread that calls this
    prepare: called before each run; step: takes each, every second, ... of the lines
    Yields, after each run that was interrupted, where that was: "file:line".
    """
    number = first
    while True:
        prepare()
        where = _interrupted(action, files, number)
        if where is None:
            return
        yield where
        number += step


def _interrupted(action, files, number):
    count, where = 0, None

    def local(frame, event, _):
        nonlocal count, where
        if event == "line" and where is None:
            count += 1
            if count == number:
                where = "{}:{}".format(os.path.basename(frame.f_code.co_filename), frame.f_lineno)
                raise KeyboardInterrupt
        return local

    def calls(frame, event, _):
        return local if any(part in frame.f_code.co_filename for part in files) else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    assert threading.current_thread() is threading.main_thread()
    return where
