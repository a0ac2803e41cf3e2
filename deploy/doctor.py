"""python3 -m deploy.doctor [IMAGE]: checks what the kit needs on this machine, a line each: ok, or
what is missing and the remedy.

On a board it checks the board; IMAGE is a folder that looks like a board's root. Changes nothing,
and needs only Python 3.6. Exits with 1 if something is missing that `make test` needs.
"""

import os
import re
import subprocess
import sys

from bitstream.derive import OverlayError, derive
from iop import firmware, pynq_state
from virtual_board.microblaze import qemu as emulator

from . import image, tree
from .install import KIT, NAME

VENV = os.path.join(KIT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
AGAIN = "`make lab` and `make test`"
QEMU = (
    "install it: on Debian and Ubuntu sudo apt-get install qemu-system-misc, on Fedora and Arch the"
    " package qemu-system-microblaze, on macOS qemu"
)
CMA_MB = 40  # ten million words of 4 bytes


class Missing(Exception):
    """What is missing, and the remedy."""


class Optional(Exception):
    """What is missing, and not needed by `make test`."""


# On a PC. Each check returns what is there, or raises Missing or Optional.


def python():
    version = (
        "import sys; print('%d.%d.%d' % sys.version_info[:3]);"
        " sys.exit(not (3, 10) <= sys.version_info < (3, 15))"
    )
    for name in [VENV_PYTHON, "python3", *map("python3.{}".format, (14, 13, 12, 11, 10))]:
        found = image.output(name, "-I", "-c", version)
        if found:
            return found
    raise Missing(
        "none from 3.10 to 3.14, and the kit works on no other: install one, and give its path"
        " with PYTHON=..."
    )


def packages():
    if not os.path.exists(os.path.join(VENV, "made-from")):
        raise Missing(f"not made yet, or not whole: {AGAIN} make it (about a minute)")
    return "made"


def qemu():
    found = emulator.find()
    try:
        version = emulator.version(found) if found else None
    except emulator.QemuError as error:
        raise Missing(error) from None
    if version and version[:2] >= emulator.OLDEST:
        return "version {}.{}.{}".format(*version)
    what = "older than {}.{}".format(*emulator.OLDEST) if version else "not installed"
    raise Missing(f"{what}: {QEMU}")


def virtual_board():
    source = (
        "import virtual_board; board = virtual_board.activate(); from pynq import Overlay;"
        " Overlay('bitstream/pynq_tutorial.bit'); board.close()"
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "universal_newlines": True}
    try:
        run = subprocess.run([VENV_PYTHON, "-c", source], cwd=KIT, **options)
    except OSError as error:
        raise Missing(f"cannot be tried, because .venv has no Python ({error.strerror})") from None
    if run.returncode:
        raise Missing(f"does not start: {(run.stdout.splitlines() or ['no reason'])[-1]}")
    return "its MicroBlaze starts"


def compiler():
    found = firmware.compiler()
    if found:
        return os.path.join(found, "mb-gcc")
    raise Optional(
        "none; only notebooks 4, 7, 8 and 9, cells of C and `make firmware` need one:"
        " `make compiler` builds it (about six minutes)"
    )


# On a board. Each takes the root of the board's files, and imports no package of the board's.


def board(root):
    found = image.setting("BOARD", root)
    if found in ("Pynq-Z1", "Pynq-Z2"):
        return found
    raise Missing(
        f"{found or 'not set'}, and the tutorial is for Pynq-Z1 and Pynq-Z2: is this another"
        " board's image?"
    )


def version(package, root):
    """A package's version in the image's Python, as text and as a list of its first two numbers.
    Nothing is imported, because pynq would look for devices."""
    source = "import sys, pkg_resources as p; print(p.get_distribution(sys.argv[1]).version)"
    said = image.output(image.python(root), "-W", "ignore", "-c", source, package) or "none"
    found = said.splitlines()[-1]
    return found, [int(number) for number in re.findall("[0-9]+", found)[:2]]


def pynq(root):
    found, numbers = version("pynq", root)
    if [2, 3] <= numbers < [4]:
        return f"{found}, in {image.python(root)}"
    raise Missing(
        f"{found} in {image.python(root)}: the tutorial needs one from 2.3 to 3.1; write the SD"
        " card with an image up to v3.1"
    )


def pycparser(root):
    found, numbers = version("pycparser", root)
    if [] < numbers < [3]:
        return found
    remedy = f"sudo {image.python(root)} -m pip install 'pycparser<3'"
    raise Missing(f"{found}, and pynq needs one below 3: {remedy}")


def nbval(root):
    found, numbers = version("nbval", root)
    if numbers:
        return found
    raise Missing("none, and `make test` needs it: sudo make install gets it")


def base_overlay(root):
    expected = os.path.join(root, image.PACKAGES[0], "pynq/overlays/base/base.bit")
    bit = image.base_overlay(root)
    try:
        derive(bit or expected)
    except OverlayError as error:
        raise Missing(error) from None
    return bit


def state(root):
    package = image.pynq_package(root)
    for path in pynq_state.files(package) if package else ():
        problem = pynq_state.problem(path, root)
        if problem:
            raise Missing(
                f"{path} {problem}, and then pynq 3.0 downloads no overlay: sudo rm {path}"
            )
    return "fine"


def memory(root):
    try:
        with open(os.path.join(root, "proc/meminfo")) as file:
            found = re.search(r"CmaFree:\s*(\d+) kB", file.read())
    except FileNotFoundError:
        raise Optional("unknown, because this board is not running") from None
    free = int(found.group(1)) // 1024 if found else 0
    if free >= CMA_MB:
        return f"{free} MB free"
    raise Missing(
        f"{free} MB free, and the largest buffer needs {CMA_MB}: shut down other notebooks' kernels"
    )


def installation(root):
    target = os.path.join(image.notebooks_folder(root), NAME)
    if tree.interrupted(target):
        raise Missing(f"{target}: an installation was cut off: sudo make install completes it")
    if not os.path.exists(os.path.join(target, tree.MANIFEST)):
        raise Missing("not installed yet: sudo make install")
    return target


ON_A_PC = [
    ("Python", python),
    (".venv", packages),
    ("QEMU", qemu),
    ("virtual board", virtual_board),
    ("mb-gcc", compiler),
]
ON_A_BOARD = [
    ("BOARD", board),
    ("pynq", pynq),
    ("pycparser", pycparser),
    ("base overlay", base_overlay),
    ("pynq's state", state),
    ("CMA", memory),
    ("tutorial", installation),
    ("nbval", nbval),
]


def main(*images):
    roots = images or ("/",) * os.path.isdir("/sys/class/fpga_manager/fpga0")
    missing = 0
    for name, check in ON_A_BOARD if roots else ON_A_PC:
        try:
            word, text = "ok", check(*roots)
        except Missing as error:
            word, text = "MISSING", error
            missing = 1
        except Optional as error:
            word, text = "optional", error
        print(f"{word:8} {name:18} {text}")
    return missing


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
