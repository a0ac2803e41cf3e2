#!/usr/bin/env python3
"""Builds the pinned MicroBlaze compiler, once, and prints the folder of its programs (mb-gcc, mb-objdump, ...).

Debian has no MicroBlaze compiler, but it has the sources of one: Debian 12 has binutils 2.40 and GCC 12.2.0, Debian 13 has
2.44 and 12.4.0. Both make the same bytes of the kit's program. They are fetched with `apt-get download`, which needs no root,
and built into the user's cache folder, outside this checkout. The only thing asked of the machine is a C++ compiler (which
root gets installed) and make. A built compiler is found again at once.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = "microblazeel-xilinx-elf"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pynq-tutorial"

# The upstream archives inside Debian's source packages, of Debian 12 and of 13. A Debian revision may change; the hashes say
# that these did not.
SOURCES = {
    "binutils-source": {
        "binutils-2.40.tar.xz": "797fbf86910eec8dec1e2815ab3e92b98b9cd8c9ab1a57b216cc97dd90b4df9f",
        "binutils-2.44.tar.xz": "2ffcb3d9861deeeffdd4553f0fdf16aa23b8f1fcd608afb565e8f26cfdfb63fb"},
    "gcc-12-source": {
        "gcc-12.2.0-dfsg.tar.xz": "50c63ff82919323c25fbbb4a9eae259edc974118a0fb30c905190cb782ec11c2",
        "gcc-12.4.0-dfsg.tar.xz": "c33d4a372b929f2fdc952978a6f1455aac60348d717d24ef71c2af8f788d0f08"},
}
PREFIXES = [CACHE / "mb-gcc-12.2.0", CACHE / "mb-gcc-12.4.0"]
PREFIX = next((prefix for prefix in PREFIXES if prefix.exists()), PREFIXES[0])  # the one that is built, or else the first
# What the build itself uses, unpacked beside it: archiver, lexer and parser generators, and the libraries GCC computes with.
HELPERS = ["xz-utils", "flex", "bison", "m4", "libsigsegv2", "libgmp-dev", "libmpfr-dev", "libmpc-dev"]
UNPINNED = ("The pinned compiler is made of Debian's packages binutils-source (2.40 or 2.44) and gcc-12-source (12.2.0 or "
            "12.4.0), which Debian 12 and 13 have, and this machine has not ({}): put any mb-gcc on the PATH, which will do "
            "for notebook 4 and `make firmware`, or build the firmware on Debian 12 or 13.")

# -O0: a compiler that is built in half the time. What it makes of our C does not depend on how it was built.
FAST = ["CFLAGS=-O0 -g0", "CXXFLAGS=-O0 -g0"]
COMMON = ["--target=" + TARGET, "--program-prefix=mb-", "--disable-nls"]
BINUTILS = ["--disable-gdb", "--disable-gprofng", "--disable-werror"]
GCC = ["--enable-languages=c", "--without-headers", "--with-newlib", "--disable-multilib", "--disable-bootstrap",
       "--disable-libssp", "--disable-libquadmath", "--disable-libgomp", "--disable-libatomic", "--disable-libcc1",
       "--disable-threads", "--disable-shared", "--disable-lto", "--disable-plugin", "--enable-checking=no"]
SILENCE = 20  # seconds at most from one percentage to the next


class BuildError(Exception):
    """What went wrong and what to do about it, in one sentence."""


def say(text):
    print("compiler: " + text, file=sys.stderr, flush=True)


def run(step, command, folder, environment, log, objects=0):
    """Runs a command to its end, its output in `log`; `objects`, how many object files it makes in all, gives the
    percentage that is printed meanwhile. BuildError with the log's last lines if the command fails."""
    start = told_at = time.time()
    told = 0
    with open(str(log), "ab") as out:
        process = subprocess.Popen(command, cwd=str(folder), env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(0.2 if not objects else 2)
                if objects:
                    done = min(99, 100 * sum(1 for _ in folder.rglob("*.o")) // objects)
                    if done >= told + 5 or time.time() > told_at + SILENCE:
                        say("{}: {} % ({:.0f} s)".format(step, done, time.time() - start))
                        told, told_at = done, time.time()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        tail = log.read_text(errors="replace").splitlines()[-15:]
        raise BuildError("{} failed:\n  {}".format(step, "\n  ".join(tail)))


def prepare(build):
    """Sees to a C++ compiler and, where this user may, to an up-to-date list of packages."""
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise BuildError(UNPINNED.format("there is no " + program + " here"))
    root = os.geteuid() == 0
    if root:
        run("apt-get update", ["apt-get", "update"], build, None, build / "download.log")
    if not shutil.which("g++"):
        if not root:
            raise BuildError("No C++ compiler here, with which to build the MicroBlaze's; type: sudo apt-get install g++")
        say("installing g++")
        run("apt-get install g++", ["apt-get", "install", "-y", "--no-install-recommends", "g++"], build,
            dict(os.environ, DEBIAN_FRONTEND="noninteractive"), build / "download.log")


def fetch(build):
    """Downloads and unpacks the source packages and the helpers. Returns the environment that the build needs, and the
    folders of binutils' and GCC's sources."""
    for package in list(SOURCES) + HELPERS:
        say("downloading " + package)
        try:
            run("apt-get download " + package, ["apt-get", "download", package], build, None, build / "download.log")
        except BuildError as error:
            raise BuildError(UNPINNED.format("apt-get finds no {}".format(package)) + "\n" + str(error)) from None
    for package in build.glob("*.deb"):
        run("unpacking", ["dpkg", "-x", str(package), str(build / "root")], build, None, build / "download.log")
    usr = build / "root/usr"
    library = next(usr.glob("lib/*/libgmp.a")).parent
    environment = dict(
        os.environ, PATH="{}:{}".format(usr / "bin", os.environ["PATH"]), M4=str(usr / "bin/m4"),
        BISON_PKGDATADIR=str(usr / "share/bison"), LD_LIBRARY_PATH=str(library),
        CPATH="{}:{}".format(usr / "include", usr / "include" / library.name), LIBRARY_PATH=str(library))
    folders = []
    for package, pins in SOURCES.items():
        there = [path for path in (build / "root/usr/src").glob("*/*.tar.*") if path.name in pins]
        if not there or hashlib.sha256(there[0].read_bytes()).hexdigest() != pins[there[0].name]:
            raise BuildError(UNPINNED.format("its {} is not one of these".format(package)))
        say("unpacking " + there[0].name)
        run("unpacking " + there[0].name, ["tar", "xf", str(there[0])], build, environment, build / "download.log")
        folders.append(build / re.match(r"\w+-[\d.]+\d", there[0].name).group())
    return environment, folders


def build_all(build):
    jobs = "-j{}".format(os.cpu_count() or 1)
    environment, (binutils_source, gcc_source) = fetch(build)
    installed = build / "installed"  # both find their parts by where they are, and so can be moved when all is done
    common = COMMON + ["--prefix=" + str(installed)]
    make = ["make", "MAKEINFO=true"]  # Debian strips the manuals from both, so nothing can be made of them

    def step(name, command, folder, objects=0):
        say("building {} with {}".format(name, jobs) if objects else name)
        run(name, command, folder, environment, build / "build.log", objects)

    binutils, gcc = build / "build-binutils", build / "build-gcc"
    binutils.mkdir()
    gcc.mkdir()
    step("configure binutils", [str(binutils_source / "configure")] + common + BINUTILS + FAST, binutils)
    step(binutils_source.name, make + [jobs, "all-gas", "all-ld", "all-binutils"], binutils, 270)
    step("install binutils", make + ["install-gas", "install-ld", "install-binutils"], binutils)
    step("configure gcc", [str(gcc_source / "configure")] + common + GCC + FAST, gcc)
    step(gcc_source.name, make + [jobs, "all-gcc"], gcc, 810)
    (gcc / "gcc/s-tm-texi").touch()  # else installing stops at a manual's chapter that Debian left out
    step("libgcc", make + [jobs, "all-target-libgcc"], gcc)
    step("install gcc", make + ["install-gcc", "install-target-libgcc"], gcc)
    whole = CACHE / "installed"  # on the file system of its place, which it comes to in one step
    shutil.rmtree(str(whole), ignore_errors=True)
    shutil.move(str(installed), str(whole))
    prefix = CACHE / "mb-{}".format(gcc_source.name)
    whole.rename(prefix)
    return prefix


def built():
    """The folder of the compiler that is there, or None."""
    return next((prefix for prefix in PREFIXES if prefix.exists()), None)


def compiler():
    """The folder with mb-gcc, built first if it is not there. Two calls at once build it once."""
    prefix = built()
    if prefix is None:
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(str(CACHE / "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            prefix = built() or build_here()
    return prefix / "bin"


def build_here():
    say("building the MicroBlaze compiler into {}, once; about four minutes on two cores".format(CACHE))
    start, build = time.time(), CACHE / "build"
    if re.search(r"[^\w./+-]", str(build)):  # a space, say, with which GCC cannot be built
        build = Path(tempfile.mkdtemp(prefix="mb-gcc-", dir="/var/tmp")) / "build"
    shutil.rmtree(str(build), ignore_errors=True)  # what a killed run may have left
    build.mkdir()
    try:
        prepare(build)
        prefix = build_all(build)
    finally:
        shutil.rmtree(str(build if build.parent == CACHE else build.parent), ignore_errors=True)
    say("done in {:.0f} s".format(time.time() - start))
    return prefix


if __name__ == "__main__":
    try:
        print(compiler())
    except BuildError as error:
        sys.exit("compiler: {}".format(error))
