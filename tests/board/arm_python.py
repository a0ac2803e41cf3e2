"""The board stand-in with a 32-bit ARM Python and the pynq of image v3.1. pynq, iop/ and board.c
run on the instructions and by the calling conventions of a board's processor, under qemu-user.

Shell, make and the like stay this machine's own. A root all of ARM would need binfmt_misc to start
its programs, and before Linux 6.7 that is one setting for the whole machine. Here `python3` is a
script that starts the ARM Python, and there is no other Python on the board (root.sh)."""

import fcntl
import os
import shutil
from importlib import metadata
from pathlib import Path

from arm_board import debian, python_packages
from systems.images import ENVIRONMENTS

RELEASE = "3.1.2-arm"
CC = "arm-linux-gnueabihf-gcc"
PACKAGES = """
    python3 python3-cffi python3-ipython python3-jsonschema python3-magic python3-nbformat
    python3-numpy python3-pydantic python3-setuptools python3-tqdm
""".split()


def missing():
    """What this machine lacks for it, in a sentence; None if it lacks nothing."""
    if not shutil.which("qemu-arm"):
        return (
            "the board stand-in with an ARM Python needs qemu-arm: sudo apt-get install qemu-user"
        )
    if not shutil.which(CC):
        return (
            f"the board stand-in with an ARM Python needs {CC}: sudo apt-get install"
            " gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
        )
    return None


def root():
    """The folder of Debian's packages for ARM, made first if it is not there.

    Raises:
        arm_board.debian.DebianError: It cannot be made."""
    return debian.root("python", PACKAGES)


def environment(root):
    """The folder of a virtual environment whose Python is the root's, made first if it is not
    there. Processes may ask at once."""
    folder = Path(ENVIRONMENTS, "pynq-" + RELEASE)
    versions = [metadata.version(name) for name in python_packages.PYNQ]
    made_from = f"{root}\n{versions}\n{Path(__file__).read_text()}"
    os.makedirs(ENVIRONMENTS, exist_ok=True)
    lock = os.open(ENVIRONMENTS, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "made-from"
        if not stamp.exists() or stamp.read_text() != made_from:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, root)
            stamp.write_text(made_from)
    finally:
        os.close(lock)
    return folder


def _make(folder, root):
    """Laid out as python3 -m venv does it."""
    (version,) = [path.name for path in (root / "usr/lib").glob("python3.*")]
    packages = folder / "lib" / version / "site-packages"
    python_packages.copy(python_packages.PYNQ, packages)
    (packages / "debian.pth").write_text(
        "import site; site.addsitedir('/usr/lib/python3/dist-packages')\n"
    )
    debian.compile_python(root, packages)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (folder / "bin").mkdir()
    for name in "python", "python3":
        (folder / "bin" / name).symlink_to("/usr/bin/python3")
