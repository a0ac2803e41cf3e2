"""A temporary folder that goes with its process."""

import contextlib
import subprocess
import tempfile
from pathlib import Path


@contextlib.contextmanager
def temporary():
    """Removes the folder at the end, or when this process ends, even if that is killed: a shell
    waits for the end of a pipe, of which only this process has the other one."""
    folder = tempfile.mkdtemp(prefix="pynq-tutorial-")
    remove = ["sh", "-c", 'cat; rm -rf "$0"', folder]
    with subprocess.Popen(remove, stdin=subprocess.PIPE, start_new_session=True):
        yield Path(folder)
