#!/usr/bin/env python3
"""Builds the pinned MicroBlaze compiler, once, and prints the folder of its programs (mb-gcc, mb-objdump, ...).

Debian has no MicroBlaze compiler, but it has the sources of one: binutils 2.40 and GCC 12.2.0. They are fetched with
`apt-get download`, which needs no root, and built into the user's cache folder, outside this checkout. The only thing
asked of the machine is a C++ compiler (which root gets installed) and make. A built compiler is found again at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TARGET = "microblazeel-xilinx-elf"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pynq-tutorial"
PREFIX = CACHE / "mb-gcc-12.2.0"

# The upstream archives inside Debian's source packages. A Debian revision may change; the hashes say that these did not.
SOURCES = {
    "binutils-source": ("binutils-2.40.tar.xz",
                        "797fbf86910eec8dec1e2815ab3e92b98b9cd8c9ab1a57b216cc97dd90b4df9f"),
    "gcc-12-source": ("gcc-12.2.0-dfsg.tar.xz",
                      "50c63ff82919323c25fbbb4a9eae259edc974118a0fb30c905190cb782ec11c2"),
}
# What the build itself uses, unpacked beside it: archiver, lexer and parser generators, and the libraries GCC computes with.
HELPERS = ["xz-utils", "flex", "bison", "m4", "libsigsegv2", "libgmp-dev", "libmpfr-dev", "libmpc-dev"]
UNPINNED = ("This machine's packages are not those of Debian 12, whose binutils 2.40 and GCC 12.2.0 are the pinned "
            "compiler ({}); build the firmware on Debian 12, or put an mb-gcc on the PATH and use `make firmware`.")

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
    """Downloads and unpacks the source packages and the helpers; returns the environment the build needs."""
    for package in list(SOURCES) + HELPERS:
        say("downloading " + package)
        run("apt-get download " + package, ["apt-get", "download", package], build, None, build / "download.log")
    for package in build.glob("*.deb"):
        run("unpacking", ["dpkg", "-x", str(package), str(build / "root")], build, None, build / "download.log")
    usr = build / "root/usr"
    library = next(usr.glob("lib/*/libgmp.a")).parent
    environment = dict(
        os.environ, PATH="{}:{}".format(usr / "bin", os.environ["PATH"]), M4=str(usr / "bin/m4"),
        BISON_PKGDATADIR=str(usr / "share/bison"), LD_LIBRARY_PATH=str(library),
        CPATH="{}:{}".format(usr / "include", usr / "include" / library.name), LIBRARY_PATH=str(library))
    for name, sha256 in SOURCES.values():
        found = next((build / "root/usr/src").glob("*/" + name), None)
        if not found or hashlib.sha256(found.read_bytes()).hexdigest() != sha256:
            raise BuildError(UNPINNED.format("no {} with the expected content".format(name)))
        say("unpacking " + name)
        run("unpacking " + name, ["tar", "xf", str(found)], build, environment, build / "download.log")
    return environment


def build_all(build):
    jobs = "-j{}".format(os.cpu_count() or 1)
    environment = fetch(build)
    installed = build / "installed"  # both find their parts by where they are, and so can be moved when all is done
    common = COMMON + ["--prefix=" + str(installed)]
    make = ["make", "MAKEINFO=true"]  # Debian strips the manuals from both, so nothing can be made of them

    def step(name, command, folder, objects=0):
        say("building {} with {}".format(name, jobs) if objects else name)
        run(name, command, folder, environment, build / "build.log", objects)

    binutils, gcc = build / "build-binutils", build / "build-gcc"
    binutils.mkdir()
    gcc.mkdir()
    step("configure binutils", [str(build / "binutils-2.40/configure")] + common + BINUTILS + FAST, binutils)
    step("binutils 2.40", make + [jobs, "all-gas", "all-ld", "all-binutils"], binutils, 270)
    step("install binutils", make + ["install-gas", "install-ld", "install-binutils"], binutils)
    step("configure gcc", [str(build / "gcc-12.2.0/configure")] + common + GCC + FAST, gcc)
    step("gcc 12.2.0", make + [jobs, "all-gcc"], gcc, 810)
    (gcc / "gcc/s-tm-texi").touch()  # else installing stops at a manual's chapter that Debian left out
    step("libgcc", make + [jobs, "all-target-libgcc"], gcc)
    step("install gcc", make + ["install-gcc", "install-target-libgcc"], gcc)
    installed.rename(PREFIX)  # from nothing to all of it, in one step


def compiler():
    """The folder with mb-gcc, built first if it is not there. Two calls at once build it once."""
    if not PREFIX.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(str(CACHE / "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not PREFIX.exists():
                say("building the MicroBlaze compiler into {}, once; about four minutes on two cores".format(PREFIX))
                start, build = time.time(), CACHE / "build"
                shutil.rmtree(str(build), ignore_errors=True)  # what a killed run may have left
                build.mkdir()
                try:
                    prepare(build)
                    build_all(build)
                finally:
                    shutil.rmtree(str(build), ignore_errors=True)
                say("done in {:.0f} s".format(time.time() - start))
    return PREFIX / "bin"


if __name__ == "__main__":
    try:
        print(compiler())
    except BuildError as error:
        sys.exit("compiler: {}".format(error))
