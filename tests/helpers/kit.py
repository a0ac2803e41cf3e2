"""Where the kit is, and programs of it in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# on_board.py sets TUTORIAL
OVERLAY = os.path.join(os.environ.get("TUTORIAL", str(ROOT)), "bitstream", "pynq_tutorial.bit")


def run_python(source, **options):
    """Runs Python source in the kit's folder; returns the process, with its output as text."""
    options.setdefault("timeout", 300)
    options.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return subprocess.run([sys.executable, "-c", source], cwd=str(ROOT), **options)


def run_program(*words, cwd=str(ROOT), **environment):
    """Runs a program in the kit's folder, as typed into a new terminal; returns the process.

    Args:
        words: the command
        cwd: another folder
        environment: variables that it has beside this process's
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        words,
        cwd=cwd,
        env=dict(clean, **environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=600,
    )


def make(*words, **options):
    """Runs a make command in the kit, like run_program."""
    return run_program("make", *words, **options)
