"""Waits that have an end. Needs nothing of the kit: the tests in folders of their own use it,
too."""

import time


def soon(condition, seconds=60, pause=0.05):
    """Calls a function again and again, until what it returns is true or for so many seconds;
    returns its last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(pause)
