"""Python packages for the board, from this PC's own environment, which has them with pins and
hashes: what is pure Python runs on every processor. The board's numpy and cffi are Debian's."""

import shutil
from importlib import metadata
from pathlib import Path

# pynq, what Debian does not have of what it imports, and a pycparser that it works with: it cannot
# compile a cell of C with 2.21, which Debian 12 has
PYNQ = ["pynq", "pynqmetadata", "pynqutils", "pycparser"]


def copy(names, folder):
    """Copies installed packages into a folder of packages, as dist-packages is one.

    Args:
        names: As in requirements.txt, without those that they depend on.
        folder: A Path, of a folder that is made if it is not there.

    Raises:
        importlib.metadata.PackageNotFoundError: This environment lacks one.
        ValueError: One has compiled parts, which are this PC's processor's."""
    for name in names:
        for file in metadata.distribution(name).files:
            if file.suffix == ".so":
                raise ValueError(f"{name} must be pure Python to run on ARM, and has {file}.")
            # not the commands, which are links to this PC's Python
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            target = Path(folder) / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target)
