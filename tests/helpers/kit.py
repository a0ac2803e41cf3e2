"""Where the kit is, and Python in a process of its own."""

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
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **options,
    )


def make(*words, cwd=str(ROOT), **environment):
    """Runs a make command in the kit; returns the process, with all its output as text."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ("make",) + words,
        cwd=cwd,
        env=dict(clean, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        universal_newlines=True,
        timeout=600,
    )
