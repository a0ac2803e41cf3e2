"""What the board's kernel starts from: Debian's kernel and modules as they are, fabric.ko, and the
initrd that mounts the card."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import BoardError
from .machine import RAM_SIZE, RAM_START

HERE = Path(__file__).resolve().parent
CROSS = "arm-linux-gnueabihf-"
DTB = "imx6q-sabrelite.dtb"
# what mounts the card, and what it needs that no module names
FOR_CARD = "gpio_mxc", "gpio_regulator", "sdhci_esdhc_imx", "crc32c_generic", "ext4"
FOR_BOARD = "fec", "micrel", "uio"  # network, and what fabric.ko needs


def build(unpacked, folder, work, busybox):
    """Writes all that the machine starts from: vmlinuz, board.dtb, initrd, offset.so.

    Args:
        unpacked: A folder with Debian's packages of a kernel for ARM, its headers, and this
            machine's linux-kbuild of the same version.
        folder: Where it is written.
        work: A folder for what it takes in between.
        busybox: The path of ARM's, linked statically.
    Raises:
        BoardError: A program is missing, or ends with an error."""
    (headers,) = unpacked.glob("usr/src/linux-headers-*[0-9]-armmp")
    release = headers.name[len("linux-headers-") :]
    shutil.copy(unpacked / f"boot/vmlinuz-{release}", folder / "vmlinuz")
    shutil.copy(unpacked / f"usr/lib/linux-image-{release}" / DTB, folder / "board.dtb")
    ours = module(headers, work / "module")
    theirs = modules(unpacked / f"lib/modules/{release}", [*FOR_CARD, *FOR_BOARD])
    files = {
        "init": (0o755, (HERE / "initrd_init").read_bytes()),
        "bin/busybox": (0o755, busybox.read_bytes()),
        "modules/order": (0o644, "".join(f"{p.name}\n" for p in [*theirs, ours]).encode()),
        **{f"modules/{p.name}": (0o644, p.read_bytes()) for p in [*theirs, ours]},
    }
    for name in "sh", "mount", "umount", "insmod", "sleep", "switch_root", "poweroff":
        files[f"bin/{name}"] = 0o120777, b"busybox"
    (folder / "initrd").write_bytes(archive(("dev", "proc", "card"), files))
    sizes = f"-DRAM_START={RAM_START:#x}L", f"-DRAM_SIZE={RAM_SIZE:#x}UL"
    shared = "cc", "-O1", "-shared", "-fPIC", *sizes, "-o", "offset.so", HERE / "offset.c"
    run("compiling offset.c", shared, folder)


def module(headers, folder):
    """Compiles fabric.ko against Debian's headers; returns its path."""
    shutil.copytree(HERE / "module", folder)
    # it names the place where the package would be installed
    makefile = headers / "Makefile"
    common = headers.parent / headers.name.replace("-armmp", "-common")
    makefile.write_text(f"include {common}/Makefile\n")
    words = ("make", "-C", headers, f"M={folder}", "modules", "ARCH=arm")
    words += (f"CROSS_COMPILE={CROSS}", f"CC={CROSS}gcc")
    run("compiling fabric.ko", words, folder)
    run("making fabric.ko small", (CROSS + "strip", "--strip-debug", "fabric.ko"), folder)
    return folder / "fabric.ko"


def modules(folder, names):
    """The paths of modules and of those that they need, in the order in which they are loaded."""
    there = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
    found = []

    def add(name):
        path = there[name.replace("-", "_")]
        if path not in found:
            needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes()).group(1).decode()
            for other in filter(None, needs.split(",")):
                add(other)
            found.append(path)

    for name in names:
        add(name)
    return found


def archive(folders, files):
    """An initrd: a cpio archive in the format "newc" (the kernel's buffer-format.rst).

    Args:
        files: {path: (mode, contents)}"""
    inside = sorted({*folders, *(name.rpartition("/")[0] for name in files)} - {""})
    entries = [(name, 0o40755, b"") for name in inside]
    for name, (mode, data) in files.items():
        entries.append((name, mode if mode >> 12 else mode | 0o100000, data))
    written = b""
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        head = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        part = (
            b"070701" + "".join(f"{value:08x}" for value in head).encode() + name.encode() + b"\0"
        )
        written += part + bytes(-len(part) % 4) + data + bytes(-len(data) % 4)
    return written


def run(step, command, folder):
    """What a command says. BoardError, with the last lines of it, if the command fails."""
    options = dict(cwd=folder, stdin=subprocess.DEVNULL, text=True, errors="replace")
    # what a build of packages sets would choose other programs; mke2fs is in /usr/sbin
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("DEB_", "MAKE"))}
    environment.update(LC_ALL="C.UTF-8", PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    try:
        done = subprocess.run(list(map(str, command)), **options, **pipes)
    except FileNotFoundError:
        raise BoardError(
            f"{command[0]} is not here, which the board is built with: type `sh setup.sh arm`."
        ) from None
    if done.returncode:
        said = "\n  ".join(done.stdout.splitlines()[-8:])
        raise BoardError(f"{step} failed:\n  {said}")
    return done.stdout
