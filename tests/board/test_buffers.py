"""Buffers as each pynq hands them out and takes them back: a freed buffer is refused, and the
statistics are true."""

import pytest

from helpers.freed import REFUSED, SERVED

# Whether the memory is back after freebuffer(), without the views and copies, without the buffer:
# in 2.6 the last view gives it back, in 3.1 the last view or copy. 3.1 takes two pages at least.
BACK = {
    "2.6.2": "4096 False False True 0",
    "2.7.0": "4096 True True True 0",
    "3.0.1": "4096 True True True 0",
    "3.1.2": "8192 False True True 0",
}


@pytest.mark.arm
def test_a_freed_buffer_of_xlnk_is_refused(board, release):
    assert board.python("freed.py", "xlnk").splitlines() == [
        SERVED,
        REFUSED,
        BACK[release.split("-")[0]],
    ]
    assert board.python("freed.py", "reset").splitlines()[:2] == [SERVED, REFUSED]


def test_a_freed_buffer_of_pynq_itself(board, release):
    """2.7's freebuffer() frees nothing: the buffer stays this process's, and a request for it does
    no harm."""
    old = release == "2.7.0"
    said = board.python("freed.py", "pynq").splitlines()
    assert said[:2] == [SERVED, SERVED if old else REFUSED]
    assert said[2].endswith(f"{not old} 0")
