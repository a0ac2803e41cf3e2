"""The checks that `make doctor` does on a board, in the order of its lines.

Each check takes the root of the board's files. It returns whether all is well (None for something
optional), and a line about it with the remedy, if there is one. The checks change nothing and
import no package of the board's."""

import glob
import os
import re
import shutil

from . import image, tree
from .install import NAME, OverlayError, derive, pynq_state

CMA_MB = 40  # ten million words of 4 bytes
DISK_MB = 20  # two editions, of 4.5 MB each, and a reserve
EMIO = 54  # the IOP's reset is the first GPIO pin after those of the processing system's own


def root_user(root):
    return os.geteuid() == 0, (
        "yes" if os.geteuid() == 0 else "no, and pynq needs it on a board: sudo make doctor"
    )


def name(root):
    found = image.setting("BOARD", root)
    if found in ("Pynq-Z1", "Pynq-Z2"):
        return True, found
    return (
        False,
        "{}, and the tutorial is for Pynq-Z1 and Pynq-Z2: is this another board's image?".format(
            found or "not set"
        ),
    )


def release(root):
    for path in ("home/xilinx/REVISION", "etc/xilinx/REVISION"):
        if os.path.isfile(os.path.join(root, path)):
            with open(os.path.join(root, path)) as file:
                return True, " ".join(file.read().split())
    return None, "has no REVISION file, so it may not be a stock image"


def version(package, root):
    """A package's version in the image's Python, or None. Nothing is imported: pynq would look for
    devices."""
    found = image.output(
        image.python(root),
        "-W",
        "ignore",
        "-c",
        "import sys, pkg_resources as p; print(p.get_distribution(sys.argv[1]).version)",
        package,
    )
    return found.splitlines()[-1] if found else None


def numbers(text):
    return [int(number) for number in re.findall("[0-9]+", text)[:2]]


def pynq(root):
    found = version("pynq", root)
    if found and [2, 3] <= numbers(found) < [4]:
        return True, f"{found}, in {image.python(root)}"
    return (
        False,
        "{} in {}: the tutorial needs one from 2.3 to 3.1; write the SD card with an image up to"
        " v3.1".format(found or "none", image.python(root)),
    )


def pycparser(root):
    found = version("pycparser", root)
    if found and numbers(found) < [3]:
        return True, found
    return False, "{}, and pynq needs one below 3: sudo {} -m pip install 'pycparser<3'".format(
        found or "none", image.python(root)
    )


def xrt(root):
    found, release_of_pynq = image.setting("XILINX_XRT", root), version("pynq", root)
    if found or release_of_pynq and numbers(release_of_pynq) < [2, 7]:
        return True, found or "not needed before pynq 2.7"
    return False, "not set, and without it pynq finds no device: export XILINX_XRT=/usr"


def base_overlay(root):
    bit = image.base_overlay(root)
    try:
        derive(bit or os.path.join(root, image.PACKAGES[0], "pynq/overlays/base/base.bit"))
    except OverlayError as error:
        return False, str(error)
    return True, bit


def state(root):
    package = image.pynq_package(root)
    for path in pynq_state.files(package) if package else ():
        problem = pynq_state.problem(path, root)
        if problem:
            return (
                False,
                f"{path} {problem}, and then pynq 3.0 downloads no overlay: sudo rm {path}",
            )
    return True, "fine"


def mb_gcc(root):
    found = shutil.which("mb-gcc", path=os.environ["PATH"] if root == "/" else "") or next(
        iter(glob.glob(os.path.join(root, "opt/microblazeel-xilinx-elf/bin/mb-gcc"))), None
    )
    return (
        (True, found)
        if found
        else (None, "none; notebooks 4, 7 and 8 need it, and a stock image has it")
    )


def memory(root):
    try:
        with open(os.path.join(root, "proc/meminfo")) as file:
            free = re.search(r"CmaFree:\s*(\d+) kB", file.read())
    except FileNotFoundError:
        return None, "unknown, because this board is not running"
    free = int(free.group(1)) // 1024 if free else 0
    if free >= CMA_MB:
        return True, f"{free} MB free"
    return (
        False,
        (
            f"{free} MB free, and the largest buffer needs {CMA_MB}: shut down other notebooks'"
            " kernels"
        ),
    )


def disk(root):
    folder = image.notebooks_folder(root)
    if not os.path.isdir(folder):
        return False, f"{folder} is missing: is this a PYNQ image?"
    target = os.path.join(folder, NAME)  # which may be a file system of its own
    free = shutil.disk_usage(target if os.path.isdir(target) else folder).free // 1000000
    return free >= DISK_MB, "{} MB free in {}{}".format(
        free,
        folder,
        "" if free >= DISK_MB else f", and an installation needs {DISK_MB}: remove something",
    )


def iop(root):
    """Whether the IOP runs, as its reset pin says: pynq leaves the pin exported in sysfs. The IOP
    itself is not asked: reading its memory while no overlay with an IOP is loaded would hang the
    board."""
    for chip in glob.glob(os.path.join(root, "sys/class/gpio/gpiochip*")):
        with open(os.path.join(chip, "label")) as label, open(os.path.join(chip, "base")) as base:
            pin = int(base.read()) + EMIO if label.read().strip() == "zynq_gpio" else None
        value = os.path.join(root, f"sys/class/gpio/gpio{pin}/value")
        if pin is not None and os.path.exists(value):
            with open(value) as file:
                if file.read().strip() == "0":
                    return (
                        None,
                        "a program may be running in it still; loading an overlay ends that",
                    )
    return True, "in reset"


def nbval(root):
    found = version("nbval", root)
    return (
        (True, found)
        if found
        else (False, "none, and `make test` needs it: sudo make install gets it")
    )


def installation(root):
    target = os.path.join(image.notebooks_folder(root), NAME)
    if tree.interrupted(target):
        return (
            False,
            f"{target} is not complete, because an installation was cut off: sudo make install",
        )
    return (
        (True, target)
        if os.path.exists(os.path.join(target, tree.MANIFEST))
        else (False, "not installed yet: sudo make install")
    )


CHECKS = [
    ("root", root_user),
    ("BOARD", name),
    ("image", release),
    ("pynq", pynq),
    ("pycparser", pycparser),
    ("XILINX_XRT", xrt),
    ("base overlay", base_overlay),
    ("pynq's state", state),
    ("mb-gcc", mb_gcc),
    ("CMA", memory),
    ("disk", disk),
    ("IOP", iop),
    ("tutorial", installation),
    ("nbval", nbval),
]
