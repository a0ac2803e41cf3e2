#!/usr/bin/env python3
"""systems.py [NAME ...]: the kit from a fresh clone on bare systems of other releases than this
machine's, a line each.

A bare system has git, make and Python, and nothing else. NAME selects the rows whose name contains
it, such as trixie, arm64 or user. Needs root and Debian; installs debootstrap and, for another
processor, an emulator. The bare systems are made once, a minute each, and kept in the user's cache
folder; every run starts from one afresh, in namespaces of its own, which end with it and all that
it started. A system that cannot be made here is skipped, with the reason."""

import fcntl
import glob
import os
import shlex
import shutil
import subprocess
import sys
import time

from systems.images import TEN_WORDS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pynq-tutorial", "systems"
)
LIMIT = 3600  # seconds for each

# Emulated, a second is soon over, so what is tried there waits for nothing but the IOP.
ON_ARM = (
    "make run && .venv/bin/python -m pytest tests/iop/test_mailbox.py tests/virtual_board/test_gdb.py "
    "tests/iop/test_write_to_buffer.py tests/iop/test_xlnk.py"
)
SYSTEMS = [  # suite of Debian, processor, as whom, folder, what is typed
    ("bookworm", "amd64", "root", "kit", "make run && make test test-slow"),
    ("trixie", "amd64", "root", "kit", "make run && make test test-slow"),
    ("sid", "amd64", "root", "kit", "make run && make test test-slow"),
    ("trixie", "amd64", "user with sudo", "Adas Übung 1", "make run && make test test-slow"),
    ("bookworm", "amd64", "user without sudo", "kit", "make run && make test test-slow"),
    ("bookworm", "arm64", "root", "kit", ON_ARM),
]
# What there is before the command, beside a bare system.
BEFORE = {
    "root": "true",
    "user with sudo": (
        "apt-get -q update && apt-get -q -y install --no-install-recommends sudo && "
        "echo 'ada ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ada"
    ),
    "user without sudo": (
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install "
        "--no-install-recommends qemu-system-misc python3-venv"
    ),
}

# In namespaces of its own: $1 the bare system, $2 a folder for what changes, then the command. A
# console of its own too, for programs that ask for a terminal.
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
ENTER = """
set -e
root=$2/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do : > "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
shift 2
exec chroot "$root" "$@"
"""
# The kernel's way to another processor's programs; the namespaces' own where nobody has set it up
# for all.
EMULATED = """
mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
"""
# how packages are reached
PASSED_ON = (
    "PIP_",
    "UV_",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
REACHED_BY = [
    "/etc/pip.conf",
    "/etc/xdg/pip/pip.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
]


class Skipped(Exception):
    """What cannot be had here, and why."""


def run(command, limit, **options):
    """Runs a command to its end, or kills it after `limit` seconds. Returns (its output, exit
    status or None)."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
        **options,
    )
    try:
        return process.communicate(timeout=limit)[0], process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0], None
    except BaseException:
        process.kill()
        process.wait()
        raise


def install(program, *packages):
    """Debian's packages, unless their program is there."""
    if not shutil.which(program):
        run(["apt-get", "-q", "update"], 600)
        said, status = run(
            ["apt-get", "-q", "-y", "install", "--no-install-recommends"] + list(packages),
            600,
            env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
        )
        if status != 0:
            raise Skipped(f"{packages[0]} cannot be installed: {last_line(said)}")


def last_line(said):
    return next((line for line in reversed(said.splitlines()) if line.strip()), "nothing was said")


def bare_system(suite, processor):
    """The folder of a bare system, made first if it is not there."""
    folder = os.path.join(CACHE, f"{suite}-{processor}")
    if not os.path.isdir(folder):
        install("debootstrap", "debootstrap")
        if processor != this_processor():
            install("qemu-aarch64-static", "qemu-user-static", "binfmt-support")
        shutil.rmtree(folder + ".new", ignore_errors=True)
        said, status = run(
            in_namespaces(processor)
            + [
                "debootstrap",
                "--arch=" + processor,
                "--variant=minbase",
                "--include=git,make,python3,ca-certificates",
                suite,
                folder + ".new",
            ],
            LIMIT,
        )
        if status != 0:
            shutil.rmtree(folder + ".new", ignore_errors=True)
            raise Skipped(
                f"debootstrap cannot make a {suite} for {processor} here: {last_line(said)}"
            )
        with open(folder + ".new/etc/apt/apt.conf.d/99-mirrors-lag", "w") as file:
            file.write('Acquire::Check-Valid-Until "false";\n')
        os.rename(folder + ".new", folder)
    return folder


def in_namespaces(processor):
    """What a command is put behind, so that it runs in namespaces of its own; with this processor's
    programs."""
    before = "" if processor == this_processor() else EMULATED
    return NAMESPACES + ["sh", "-c", before + 'exec "$@"', "sh"]


def this_processor():
    return subprocess.check_output(
        ["dpkg", "--print-architecture"], universal_newlines=True
    ).strip()


def tried(suite, processor, whom, folder, typed):
    """Runs what is typed. Returns (whether it passed, its last lines)."""
    base = bare_system(suite, processor)
    changes = os.path.join(CACHE, "run")
    shutil.rmtree(changes, ignore_errors=True)
    upper = os.path.join(changes, "upper")
    home = "/root" if whom == "root" else "/home/ada"
    for name in ("root", "work", "upper" + home):
        os.makedirs(os.path.join(changes, name))
    try:
        for path in REACHED_BY + glob.glob(os.path.expanduser("~/.config/pip/pip.conf")):
            if os.path.isfile(path):
                there = upper + path.replace(os.path.expanduser("~"), home)
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copyfile(path, there)
        clone = os.path.join(upper + home, folder)
        subprocess.check_call(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone])
        environment = {
            name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)
        }
        environment.update(
            HOME=home,
            LANG="C.UTF-8",
            CI=os.environ.get("CI", ""),
            PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        # All in one: the namespaces, and with them what an ill-behaved test may have left, end with
        # it.
        commands = (
            f"{{ {BEFORE[whom]}; }} >/tmp/before.log 2>&1 || {{ cat /tmp/before.log; exit 9; }}\n"
        )
        act = f"cd {shlex.quote(os.path.join(home, folder))} && {typed}"
        if whom != "root":
            commands += "useradd -m -s /bin/bash ada 2>/dev/null; chown -R ada:ada /home/ada\n"
            act = f"exec setpriv --reuid=ada --regid=ada --init-groups sh -c {shlex.quote(act)}"
        said, status = run(
            in_namespaces(processor)
            + ["sh", "-c", ENTER, "sh", base, changes, "sh", "-c", commands + act],
            LIMIT,
            env=environment,
        )
        if status is None:
            return False, said + f"\nhad not ended after {LIMIT} s"
        return status == 0, said
    finally:
        shutil.rmtree(changes, ignore_errors=True)


def main(chosen):
    rows = [
        row for row in SYSTEMS if not chosen or any(name in " ".join(row[:3]) for name in chosen)
    ]
    counts = {"passed": 0, "FAILED": 0, "skipped": 0}
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for row in rows:
            start, said = time.monotonic(), ""
            try:
                if os.geteuid() != 0:
                    raise Skipped("a bare system takes root")
                if not shutil.which("apt-get") or not shutil.which("unshare"):
                    raise Skipped("a bare system takes Debian's tools")
                fine, said = tried(*row)
                if fine and TEN_WORDS not in said:  # each row types `make run` first
                    fine, said = False, said + "\nmake run did not print the ten words"
                result, why = "passed" if fine else "FAILED", last_line(said).strip("= ")
            except Skipped as reason:
                result, why = "skipped", str(reason)
            counts[result] += 1
            print(
                f"{row[0]:9} {row[1]:6} {row[2]:18} {time.monotonic() - start:4.0f} s  {result}:"
                f" {why}",
                flush=True,
            )
            if result == "FAILED":
                print(
                    "\n".join(
                        "    " + line for line in said.splitlines()[-300:] if "SKIPPED" not in line
                    ),
                    flush=True,
                )
    print("{} passed, {} failed, {} skipped".format(*counts.values()))
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
