"""A copy of a checkout for tests: what belongs to it, changed or not yet committed, and nothing
that git ignores."""

import os
import shutil
import subprocess


def copy(checkout, to):
    """Copies a checkout's files to a folder, which need not be there yet."""
    names = subprocess.check_output(
        ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    )
    for name in names.decode().split("\0"):
        path, there = os.path.join(str(checkout), name), os.path.join(str(to), name)
        # git lists a file that was removed until that is committed
        if name and os.path.lexists(path):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy2(path, there, follow_symlinks=False)


def copy_with_environment(checkout, to):
    """As `copy`; the copy has the checkout's .venv, so its commands set nothing up."""
    copy(checkout, to)
    os.symlink(os.path.join(str(checkout), ".venv"), os.path.join(str(to), ".venv"))
    with open(os.path.join(str(to), "setup.sh"), "w"):
        pass
