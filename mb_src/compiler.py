#!/usr/bin/env python3
"""Builds the pinned MicroBlaze compiler, once, and prints the folder of its programs (mb-gcc,
mb-objdump, ...).

Debian has no MicroBlaze compiler, but it has the sources of one: Debian 12 has binutils 2.40, GCC
12.2.0 and newlib 3.3.0, Debian 13 has 2.44, 12.4.0 and 4.5.0. Both compile the kit's program to the
same bytes. The sources are fetched with `apt-get download`, which does not need root, and built
into the user's cache folder, outside this checkout. The machine needs only make and a C++ compiler,
which is installed if root runs this.

The kit's program needs only C. pynq compiles a cell that begins with %%microblaze as C++, with
mb-g++, and brings most of the libraries; c_library() and build_all() make the rest."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = "microblazeel-xilinx-elf"

# The upstream archives inside the source packages of Debian 12 and 13. Debian's revisions may
# change; the hashes show that these archives have not.
SOURCES = {  # package: its archives, {name: SHA-256}
    "binutils-source": {
        "binutils-2.40.tar.xz": "797fbf86910eec8dec1e2815ab3e92b98b9cd8c9ab1a57b216cc97dd90b4df9f",
        "binutils-2.44.tar.xz": "2ffcb3d9861deeeffdd4553f0fdf16aa23b8f1fcd608afb565e8f26cfdfb63fb",
    },
    "gcc-12-source": {
        "gcc-12.2.0-dfsg.tar.xz": (
            "50c63ff82919323c25fbbb4a9eae259edc974118a0fb30c905190cb782ec11c2"
        ),
        "gcc-12.4.0-dfsg.tar.xz": (
            "c33d4a372b929f2fdc952978a6f1455aac60348d717d24ef71c2af8f788d0f08"
        ),
    },
    "newlib-source": {
        "newlib-3.3.0.tar.xz": "c6f3a88b9d93420904241b231ca8647303be3bfb3cfef6adc8d1ea9207291033",
        "newlib-4.5.0.20241231.tar.xz": (
            "8505a1c0ce94d9bdcdc62cc6ae6b91ce1554a840a1185f048a1a1dc65f90e49f"
        ),
    },
}
# folders in the cache; mb-gcc-* is an older kit's, without C++
BUILT = "mb-g++-12.2.0", "mb-g++-12.4.0"
# Packages for the build itself, unpacked beside it: archiver, lexer and parser generators, and the
# libraries GCC computes with.
HELPERS = "xz-utils flex bison m4 libsigsegv2 libgmp-dev libmpfr-dev libmpc-dev".split()
UNPINNED = (
    "The pinned compiler is made of Debian's packages binutils-source (2.40 or 2.44), gcc-12-source"
    " (12.2.0 or 12.4.0) and newlib-source (3.3.0 or 4.5.0), which Debian 12 and 13 have, and this"
    " machine does not ({}): put any mb-gcc on the PATH, which will do for notebooks 4 and 7 and"
    " `make firmware`, or build the firmware on Debian 12 or 13."
)

# The libraries in pynq's package have a relocation that binutils 2.44 knows and 2.40 does not, so
# 2.40's linker would stop there. It marks the difference of two addresses, for a linker that
# shortens the program between them. pynq links with --no-relax, so the linker need not do anything.
# Each entry is a file, a text in it, and its replacement, in which {} stands for the text.
TEACH_32_NONE = [
    (
        "include/elf/microblaze.h",
        "END_RELOC_NUMBERS (R_MICROBLAZE_max)",
        "  RELOC_NUMBER (R_MICROBLAZE_32_NONE, 33)\n{}",
    ),
    (
        "bfd/elf32-microblaze.c",
        "= & microblaze_elf_howto_raw [i];\n    }\n",
        (
            "{}  microblaze_elf_howto_table [R_MICROBLAZE_32_NONE] = microblaze_elf_howto_table"
            " [R_MICROBLAZE_NONE];\n"
        ),
    ),
]

# -O0 halves the time to build the compiler. Its output does not depend on how it was built.
FAST = ["CFLAGS=-O0 -g0", "CXXFLAGS=-O0 -g0"]
COMMON = ["--target=" + TARGET, "--program-prefix=mb-", "--disable-nls"]
BINUTILS = ["--disable-gdb", "--disable-gprofng", "--disable-werror"]
GCC = """
    --enable-languages=c,c++ --without-headers --with-newlib --disable-multilib --disable-bootstrap
    --disable-libssp --disable-libquadmath --disable-libgomp --disable-libatomic --disable-libcc1
    --disable-threads --disable-shared --disable-lto --disable-plugin --enable-checking=no
    --disable-hosted-libstdcxx --disable-libstdcxx-pch
""".split()
# pynq parses a cell as C before it compiles it as C++, and its parser does not know these words of
# GCC and C11.
FOR_PYNQS_PARSER = """
#ifndef __cplusplus
#define __inline inline
#define __inline__ inline
#define _Noreturn
#endif
"""


class BuildError(Exception):
    """What went wrong and what to do about it, in one sentence."""


def say(text):
    print("compiler: " + text, file=sys.stderr, flush=True)


def run(step, command, folder, environment=None):
    """Runs a command to its end. Raises BuildError, with the last lines of its output, if it
    fails."""
    say(step)
    try:
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        subprocess.run(command, cwd=folder, env=environment, check=True, **pipes)
    except subprocess.CalledProcessError as error:
        tail = error.stdout.decode(errors="replace").splitlines()[-15:]
        raise BuildError("\n  ".join([f"{step} failed:"] + tail)) from None


def prepare(build):
    """Makes sure of a C++ compiler and, for root, of an up-to-date list of packages."""
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise BuildError(UNPINNED.format("there is no " + program + " here"))
    if os.geteuid() == 0:
        run("apt-get update", ["apt-get", "update"], build)
    if shutil.which("g++"):
        return
    if os.geteuid() != 0:
        raise BuildError(
            "There is no C++ compiler to build the MicroBlaze's with; type: sudo apt-get install"
            " g++"
        )
    command = "apt-get install -y --no-install-recommends g++".split()
    run("installing g++", command, build, dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def fetch(build):
    """Downloads and unpacks the source packages and the helpers. Returns the environment that the
    build needs, and the folders of binutils' and GCC's sources."""
    for package in list(SOURCES) + HELPERS:
        try:
            run("downloading " + package, ["apt-get", "download", package], build)
        except BuildError as error:
            reason = UNPINNED.format(f"apt-get finds no {package}")
            raise BuildError(f"{reason}\n{error}") from None
    for package in build.glob("*.deb"):
        run("unpacking " + package.name, ["dpkg", "-x", package, build / "root"], build)
    usr = build / "root/usr"
    library = next(usr.glob("lib/*/libgmp.a")).parent
    environment = dict(
        os.environ,
        PATH=f"{usr / 'bin'}:{os.environ['PATH']}",
        M4=str(usr / "bin/m4"),
        BISON_PKGDATADIR=str(usr / "share/bison"),
        LD_LIBRARY_PATH=str(library),
        CPATH=f"{usr / 'include'}:{usr / 'include' / library.name}",
        LIBRARY_PATH=str(library),
    )
    folders = []
    for package, pins in SOURCES.items():
        there = [path for path in (build / "root/usr/src").glob("*/*.tar.*") if path.name in pins]
        if not there or hashlib.sha256(there[0].read_bytes()).hexdigest() != pins[there[0].name]:
            raise BuildError(UNPINNED.format(f"its {package} is not one of these"))
        folders.append(build / re.match(r"\w+-[\d.]+\d", there[0].name).group())
        folders[-1].mkdir()
        unpack = ["tar", "xf", there[0], "--strip-components=1"]
        run("unpacking " + there[0].name, unpack, folders[-1], environment)
    return environment, folders


def teach_32_none(binutils):
    """Adds the relocation to binutils' sources that do not have it."""
    for name, text, replacement in TEACH_32_NONE:
        source = (binutils / name).read_text()
        if "R_MICROBLAZE_32_NONE" not in source:
            (binutils / name).write_text(source.replace(text, replacement.format(text)))


def c_library(newlib, installed, step):
    """Installs the parts of newlib that pynq's programs need: headers, and two start-up files.
    pynq's package brings the library itself, so none is built."""
    there = installed / TARGET
    shutil.copytree(newlib / "newlib/libc/include", there / "include")
    headers = newlib / "headers"
    headers.mkdir()
    configure = ["env", "CC=mb-gcc", newlib / "newlib/configure"]
    step("configure newlib", configure + ["--host=" + TARGET, "--no-recursion"], headers)
    for name in "newlib.h", "_newlib_version.h":
        shutil.copy(headers / name, there / "include")
    with open(there / "include/newlib.h", "a") as file:  # which all the others include
        file.write(FOR_PYNQS_PARSER)
    (there / "lib").mkdir(exist_ok=True)
    for name in "crt0", "crtinit":
        source = newlib / "libgloss/microblaze" / (name + ".S")
        compiled = there / "lib" / (name + ".o")
        step(f"compile {name}.S", ["mb-gcc", "-c", "-o", compiled, source], newlib)
    # GCC uses this as the linker's script. newlib's own names sections for which pynq's memory has
    # no place: an error.
    (there / "lib/xilinx.ld").write_text("/* Nothing: a program brings its own script. */\n")


def build_all(build):
    jobs = f"-j{os.cpu_count() or 1}"
    environment, (binutils_source, gcc_source, newlib) = fetch(build)
    # the programs find their parts by relative paths, so the folder can be moved later
    installed = build / "installed"
    environment["PATH"] = f"{installed / 'bin'}:{environment['PATH']}"
    common = COMMON + ["--prefix=" + str(installed)]
    make = ["make", "MAKEINFO=true"]  # no manuals: Debian strips their sources

    def step(name, command, folder):
        run(name, command, folder, environment)

    binutils, gcc = build / "build-binutils", build / "build-gcc"
    binutils.mkdir()
    gcc.mkdir()
    teach_32_none(binutils_source)
    configure = [binutils_source / "configure"] + common
    step("configure binutils", configure + BINUTILS + FAST, binutils)
    parts = [jobs, "all-gas", "all-ld", "all-binutils"]
    step(f"building {binutils_source.name}, about a minute", make + parts, binutils)
    step("install binutils", make + ["install-gas", "install-ld", "install-binutils"], binutils)
    step("configure gcc", [gcc_source / "configure"] + common + GCC + FAST, gcc)
    step(f"building {gcc_source.name}, about four minutes", make + [jobs, "all-gcc"], gcc)
    # otherwise installing stops at a chapter of a manual that Debian left out
    (gcc / "gcc/s-tm-texi").touch()
    step("libgcc", make + [jobs, "all-target-libgcc"], gcc)
    step("install gcc", make + ["install-gcc", "install-target-libgcc"], gcc)
    c_library(newlib, installed, step)
    # The functions that even plain C needs when it is compiled as C++, as for a static variable
    # with a computed value. mb-g++ looks for them in the standard library, of which nothing else is
    # built.
    step("libsupc++", make + [jobs, "all-target-libstdc++-v3"], gcc)
    step("install libsupc++", make + ["install-target-libstdc++-v3"], gcc)
    (installed / TARGET / "lib/libstdc++.a").write_text("INPUT(-lsupc++)\n")
    # The OLED's driver of PYNQ_Peripherals includes this header, and no other of the standard
    # library.
    shutil.copy(
        gcc_source / "libstdc++-v3/include/c_global/cstring",
        installed / TARGET / "include/c++" / gcc_source.name.partition("-")[2],
    )
    # pynq calls these two by their plain names, although it does not use their output.
    (installed / "unprefixed").mkdir()
    for name in "nm", "size":
        (installed / "unprefixed" / name).symlink_to("../bin/mb-" + name)
    # on the file system of the final folder, so that one step renames it
    whole = cache() / "installed"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.move(str(installed), str(whole))
    prefix = cache() / gcc_source.name.replace("gcc-", "mb-g++-")
    whole.rename(prefix)
    return prefix


def cache():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pynq-tutorial"


def built():
    """The folder of the compiler that was built here, or None."""
    return next((folder for folder in map(cache().joinpath, BUILT) if folder.exists()), None)


def compiler():
    """The folder with mb-gcc, built first if it is not there. Two calls at once build it once."""
    prefix = built()
    if prefix is None:
        cache().mkdir(parents=True, exist_ok=True)
        with open(cache() / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            prefix = built() or build_here()
    return prefix / "bin"


def build_here():
    say(f"building the MicroBlaze compiler into {cache()}, once; about six minutes on two cores")
    # where no folder's name has a space, with which GCC cannot be built
    with tempfile.TemporaryDirectory(prefix="mb-gcc-", dir="/var/tmp") as folder:
        build = Path(folder)
        prepare(build)
        return build_all(build)


if __name__ == "__main__":
    try:
        print(compiler())
    except BuildError as error:
        sys.exit(f"compiler: {error}")
