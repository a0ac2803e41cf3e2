"""Builds all that the board starts from, once, into the user's cache folder."""

import fcntl
import hashlib
import re
import shutil
from pathlib import Path

from . import debian, image, kernel
from .board import HWH, Board

HERE = Path(__file__).resolve().parent
NAME = "booted"
# what does not change what is built
START_IT = {HERE / name for name in ("__init__.py", "__main__.py", "board.py", "fabric.py")}


def files():
    """The folder with vmlinuz, board.dtb, initrd, offset.so and card.img. It is made if it is not
    there, in about five minutes on two cores; two calls at once make it once.

    Raises:
        BoardError: It cannot be made here; no part of it is taken for the whole."""
    made_from = hashlib.sha256()
    sources = [HWH, *(path for path in HERE.rglob("*") if "__pycache__" not in path.parts)]
    for path in sorted(filter(Path.is_file, set(sources) - START_IT)):
        made_from.update(f"{path.relative_to(HERE.parent)} {path.stat().st_mode}".encode())
        made_from.update(path.read_bytes())
    folder = debian.cache() / f"{NAME}-{made_from.hexdigest()[:12]}"
    if not folder.exists():
        debian.cache().mkdir(parents=True, exist_ok=True)
        with open(debian.cache() / f"{NAME}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                for old in debian.cache().glob(f"{NAME}-*"):
                    shutil.rmtree(old)
                _build(folder.with_name(folder.name + ".new")).rename(folder)
    return folder


def _build(folder):
    debian.say(f"building the board into {folder.parent}, once; about five minutes on two cores")
    work = folder / "work"
    work.mkdir(parents=True)
    root = image.build(folder, work)
    debian.say("compiling the kernel's module")
    kernel.build(_unpacked_kernel(work / "kernel"), folder, work, root / "usr/bin/busybox")
    debian.say("starting it for the first time")
    board = Board(folder, card=folder / "card.img", show=debian.say)
    try:
        board.wait_for("poweroff")
    finally:
        board.close()
    shutil.rmtree(work)
    return folder


def _unpacked_kernel(folder):
    """A folder with the newest kernel that the suite has, and what modules for it are built
    with."""
    folder.mkdir()
    (headers,) = _fetched(["linux-headers-armmp"], folder)
    (headers,) = _fetched(re.findall(r"linux-headers-[0-9][\w.-]+", headers), folder)
    common, kbuild = (
        re.search(r"linux-headers-\S+-common", headers),
        re.search(r"linux-kbuild-[\d.]+", headers),
    )
    (release,) = [path.name for path in folder.glob("usr/src/linux-headers-*-armmp")]
    _fetched([release.replace("headers", "image"), common.group()], folder)
    _fetched([kbuild.group()], folder, debian.native())
    return folder


def _fetched(packages, folder, architecture=debian.ARCHITECTURE):
    """Unpacks packages into a folder; returns what each says of those that it depends on."""
    depends = []
    for package in debian.fetch(packages, architecture):
        debian.unpack(package, folder)
        depends.append(kernel.run("dpkg-deb", ["dpkg-deb", "-f", package, "Depends"], folder))
        package.unlink()
    return depends
