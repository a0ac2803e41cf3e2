"""python3 -m deploy.doctor [IMAGE]: checks what the kit needs on this machine, a line each: ok, or
what is missing and the remedy.

On a board it checks the board; IMAGE is a folder that looks like a board's root. Changes nothing,
and needs only Python 3.6. Exits with 1 if something is missing that `make test` needs.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

from bitstream.derive import OverlayError, derive
from iop import firmware, pynq_state
from virtual_board import qemu as emulator

from . import image, tree
from .install import KIT, NAME

VENV = os.path.join(KIT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
AGAIN = "`make lab` and `make test`"
QEMU = {  # package manager: its command that installs QEMU
    "apt-get": "sudo apt-get install qemu-system-misc",
    "dnf": "sudo dnf install qemu-system-microblaze",
    "pacman": "sudo pacman -S qemu-system-microblaze",
    "brew": "brew install qemu",
}
CMA_MB = 40  # ten million words of 4 bytes
DISK_MB = 20  # two editions, of 4.5 MB each, and a reserve
EMIO = 54  # the IOP's reset is the first GPIO pin after those of the processing system's own


class Missing(Exception):
    """What is missing, and the remedy."""


class Optional(Exception):
    """What is missing, and not needed by `make test`."""


def last_line(text, otherwise):
    return (text.strip().splitlines() or [otherwise])[-1]


def run(*command):
    """Runs a command in the kit's folder; returns its exit status and its last line."""
    options = {"stderr": subprocess.STDOUT, "universal_newlines": True}
    finished = subprocess.run(command, cwd=KIT, stdout=subprocess.PIPE, **options)
    status = finished.returncode
    return status, last_line(finished.stdout, f"exit status {status}")


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
    with open(os.path.join(VENV, "pinned")) as file:  # by setup.sh
        pinned = file.read().splitlines()
    lost = [path for path in pinned if not os.path.exists(os.path.join(VENV, path))]
    if lost:
        names = ", ".join(os.path.basename(path)[: -len(".dist-info")] for path in lost)
        raise Missing(f"no longer has {names}, which is pinned: {AGAIN} put it back")
    try:
        status, said = run(VENV_PYTHON, "-I", "-c", "import pynq, nbval, jupyterlab")
    except OSError as error:
        raise Missing(
            f"its Python does not start ({error.strerror}): {AGAIN} make it again"
        ) from None
    if status:
        raise Missing(
            f"its packages do not work ({said}): rm -rf .venv, then {AGAIN} make it again"
        )
    return "has pynq, JupyterLab and nbval"


def qemu():
    found = emulator.find()
    try:
        version = emulator.version(found) if found else None
    except emulator.QemuError as error:
        raise Missing(error) from None
    if version and version[:2] >= emulator.OLDEST:
        return "version {}.{}.{}".format(*version)
    remedies = [QEMU[manager] for manager in QEMU if shutil.which(manager)]
    what = "older than {}.{}".format(*emulator.OLDEST) if version else "not installed"
    raise Missing(f"{what}: {(remedies or ['install QEMU with its MicroBlaze'])[0]}")


def virtual_board():
    source = "import virtual_board as v; board = v.activate(); board.download(); board.close()"
    try:
        status, said = run(VENV_PYTHON, "-c", source)
    except OSError:
        raise Missing("cannot be tried without .venv") from None
    if status:
        raise Missing(f"does not start: {said}")
    return "its MicroBlaze starts"


def links():
    for name in ("iop", "bitstream", "mb_src"):
        if not os.path.isdir(os.path.join(KIT, "notebooks", name)):
            raise Missing(
                f"notebooks/{name} is not the link to ../{name} that it should be: {AGAIN} make it"
                " one, where the file system has links"
            )
    return "iop, bitstream and mb_src are where a notebook looks for them"


def program():
    path = os.path.join(KIT, "iop", "pynq_tutorial.bin")
    if not os.path.isfile(path) or not os.path.getsize(path):
        raise Missing("missing: git checkout iop")
    return f"{os.path.getsize(path)} bytes"


def compiler():
    found = firmware.compiler()
    if found:
        return os.path.join(found, "mb-gcc")
    raise Optional(
        "none; only notebooks 4, 7 and 8, cells of C and `make firmware` need one: `make compiler`"
        " builds it (about six minutes)"
    )


def browser():
    found = shutil.which("chromium")
    if found:
        return found
    raise Optional("none; only `make test-browser` needs it, and installs it on Debian")


# On a board. Each takes the root of the board's files, and imports no package of the board's.


def root_user(root):
    if os.geteuid() != 0:
        raise Missing("no, and pynq needs it on a board: sudo make doctor")
    return "yes"


def board(root):
    found = image.setting("BOARD", root)
    if found in ("Pynq-Z1", "Pynq-Z2"):
        return found
    raise Missing(
        f"{found or 'not set'}, and the tutorial is for Pynq-Z1 and Pynq-Z2: is this another"
        " board's image?"
    )


def release(root):
    for path in ("home/xilinx/REVISION", "etc/xilinx/REVISION"):
        if os.path.isfile(os.path.join(root, path)):
            with open(os.path.join(root, path)) as file:
                return " ".join(file.read().split())
    raise Optional("has no REVISION file, so it may not be a stock image")


def version(package, root):
    """A package's version in the image's Python, or None. Nothing is imported: pynq would look for
    devices."""
    source = "import sys, pkg_resources as p; print(p.get_distribution(sys.argv[1]).version)"
    found = image.output(image.python(root), "-W", "ignore", "-c", source, package)
    return last_line(found or "", None)


def numbers(text):
    return [int(number) for number in re.findall("[0-9]+", text)[:2]]


def pynq(root):
    found = version("pynq", root)
    if found and [2, 3] <= numbers(found) < [4]:
        return f"{found}, in {image.python(root)}"
    raise Missing(
        f"{found or 'none'} in {image.python(root)}: the tutorial needs one from 2.3 to 3.1; write"
        " the SD card with an image up to v3.1"
    )


def pycparser(root):
    found = version("pycparser", root)
    if found and numbers(found) < [3]:
        return found
    remedy = f"sudo {image.python(root)} -m pip install 'pycparser<3'"
    raise Missing(f"{found or 'none'}, and pynq needs one below 3: {remedy}")


def xrt(root):
    found, release_of_pynq = image.setting("XILINX_XRT", root), version("pynq", root)
    if found or release_of_pynq and numbers(release_of_pynq) < [2, 7]:
        return found or "not needed before pynq 2.7"
    raise Missing("not set, and without it pynq finds no device: export XILINX_XRT=/usr")


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


def mb_gcc(root):
    found = shutil.which("mb-gcc") if root == "/" else None
    found = found or os.path.join(root, "opt/microblazeel-xilinx-elf/bin/mb-gcc")
    if os.path.exists(found):
        return found
    raise Optional("none; notebooks 4, 7 and 8 need it, and a stock image has it")


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


def disk(root):
    folder = image.notebooks_folder(root)
    if not os.path.isdir(folder):
        raise Missing(f"{folder} is missing: is this a PYNQ image?")
    target = os.path.join(folder, NAME)  # which may be a file system of its own
    free = shutil.disk_usage(target if os.path.isdir(target) else folder).free // 1000000
    found = f"{free} MB free in {folder}"
    if free < DISK_MB:
        raise Missing(f"{found}, and an installation needs {DISK_MB}: remove something")
    return found


def iop(root):
    """Looks at the IOP's reset pin, which pynq leaves exported in sysfs. The IOP itself is not
    asked: reading its memory while no overlay with an IOP is loaded would hang the board."""
    for chip in glob.glob(os.path.join(root, "sys/class/gpio/gpiochip*")):
        with open(os.path.join(chip, "label")) as label, open(os.path.join(chip, "base")) as base:
            if label.read().strip() != "zynq_gpio":
                continue
            value = os.path.join(root, f"sys/class/gpio/gpio{int(base.read()) + EMIO}/value")
        if os.path.exists(value):
            with open(value) as file:
                if file.read().strip() == "0":
                    raise Optional("a program may run in it still; loading an overlay ends that")
    return "in reset"


def nbval(root):
    found = version("nbval", root)
    if found:
        return found
    raise Missing("none, and `make test` needs it: sudo make install gets it")


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
    ("notebooks/", links),
    ("pynq_tutorial.bin", program),
    ("mb-gcc", compiler),
    ("Chromium", browser),
]
ON_A_BOARD = [
    ("root", root_user),
    ("BOARD", board),
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
