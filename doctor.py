#!/usr/bin/env python3
"""doctor.py [IMAGE]: checks what the kit needs on this machine, a line each: ok, or what is missing
and the remedy.

On a board it checks the board; IMAGE is a folder that looks like a board's root. Changes nothing,
and needs only Python 3.6. Exits with 1 if something is missing that `make test` needs."""

import os
import shutil
import subprocess
import sys

from deploy.doctor import CHECKS as BOARD_CHECKS
from deploy.image import output
from iop import firmware
from virtual_board import qemu as emulator

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV_PYTHON = os.path.join(ROOT, ".venv", "bin", "python")
INSTALL = [  # package manager, and its command that installs QEMU
    ("apt-get", "sudo apt-get install qemu-system-misc"),
    ("dnf", "sudo dnf install qemu-system-microblaze"),
    ("pacman", "sudo pacman -S qemu-system-microblaze"),
    ("brew", "brew install qemu"),
]


def python():
    version = (
        "import sys; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(not (3, 10) <="
        " sys.version_info < (3, 15))"
    )
    for name in [VENV_PYTHON, "python3"] + [f"python3.{minor}" for minor in (14, 13, 12, 11, 10)]:
        found = output(name, "-I", "-c", version)
        if found:
            return True, found
    return (
        False,
        (
            "none from 3.10 to 3.14, and the kit works on no other: install one, and give its path"
            " with PYTHON=..."
        ),
    )


def packages():
    venv = os.path.join(ROOT, ".venv")
    if not os.path.exists(os.path.join(venv, "made-from")):
        return (
            False,
            "not made yet, or not whole: `make lab` and `make test` make it (about a minute)",
        )
    with open(os.path.join(venv, "pinned")) as file:  # by setup.sh
        pinned = file.read().splitlines()
    lost = [
        os.path.basename(path)[: -len(".dist-info")]
        for path in pinned
        if not os.path.exists(os.path.join(venv, path))
    ]
    if lost:
        return (
            False,
            (
                f"no longer has {', '.join(lost)}, which is pinned: `make lab` and `make test` put"
                " it back"
            ),
        )
    try:
        subprocess.run(
            [VENV_PYTHON, "-I", "-c", "import pynq, nbval, jupyterlab"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
    except OSError as error:
        return (
            False,
            (
                f"its Python does not start ({error.strerror}): `make lab` and `make test` make it"
                " again"
            ),
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
        return (
            False,
            (
                f"its packages do not work ({said}): rm -rf .venv, then `make lab` or `make test`"
                " makes it again"
            ),
        )
    return True, "has pynq, JupyterLab and nbval"


def qemu():
    found = emulator.find()
    try:
        version = emulator.version(found) if found else None
    except emulator.QemuError as error:
        return False, str(error)
    if version and version[:2] >= emulator.OLDEST:
        return True, "version {}.{}.{}".format(*version)
    remedy = next(
        (line for manager, line in INSTALL if shutil.which(manager)),
        "install QEMU with its MicroBlaze",
    )
    return False, "{}: {}".format(
        "older than {}.{}".format(*emulator.OLDEST) if version else "not installed", remedy
    )


def virtual_board():
    source = (
        "import virtual_board; board = virtual_board.activate(); board.download(); board.close()"
    )
    try:
        run = subprocess.run(
            [VENV_PYTHON, "-c", source],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
    except OSError:
        return False, "cannot be tried without .venv"
    if not run.returncode:
        return True, "its MicroBlaze starts"
    return False, "does not start: {}".format(
        (run.stdout.strip().splitlines() or ["it does not say why"])[-1]
    )


def links():
    wrong = [
        name
        for name in ("iop", "bitstream", "mb_src")
        if not os.path.isdir(os.path.join(ROOT, "notebooks", name))
    ]
    if not wrong:
        return True, "iop, bitstream and mb_src are where a notebook looks for them"
    return (
        False,
        (
            f"notebooks/{wrong[0]} is not the link to ../{wrong[0]} that it should be: `make lab`"
            " and `make test` make it one, where the file system has links"
        ),
    )


def program():
    size = (
        os.path.getsize(os.path.join(ROOT, "iop", "pynq_tutorial.bin"))
        if os.path.isfile(os.path.join(ROOT, "iop", "pynq_tutorial.bin"))
        else 0
    )
    return (True, f"{size} bytes") if size else (False, "missing: git checkout iop")


def compiler():
    found = firmware.compiler()
    return (
        (True, os.path.join(found, "mb-gcc"))
        if found
        else (
            None,
            (
                "none; only notebooks 4, 7 and 8, cells of C and `make firmware` "
                "need one: `make compiler` builds it (about six minutes)"
            ),
        )
    )


def browser():
    found = shutil.which("chromium")
    return (
        (True, found)
        if found
        else (None, "none; only `make test-browser` needs it, and installs it on Debian")
    )


CHECKS = [
    ("Python", python),
    (".venv", packages),
    ("QEMU", qemu),
    ("virtual board", virtual_board),
    ("notebooks/", links),
    ("pynq_tutorial.bin", program),
    ("mb-gcc", compiler),
    ("Chromium", browser),
]


def main(root=None):
    if root is None and os.path.isdir("/sys/class/fpga_manager/fpga0"):
        root = "/"
    missing = 0
    for name, check in BOARD_CHECKS if root else CHECKS:
        fine, text = check(root) if root else check()
        print(
            "{:8} {:18} {}".format(
                {True: "ok", None: "optional", False: "MISSING"}[fine], name, text
            )
        )
        missing += fine is False
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
