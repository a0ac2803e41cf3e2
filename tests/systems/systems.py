#!/usr/bin/env python3
"""systems.py [NAME...]: the kit from a fresh clone on bare systems of other releases than this
machine's, a line each.

A bare system has git, make and Python, and nothing else. NAME selects the rows whose name contains
it, such as trixie or user. Needs root and Debian, and installs debootstrap. The bare systems are
made once, a minute each, and kept in the user's cache folder; every run starts from one afresh, in
namespaces of its own, which end with it and all that it started. A system that cannot be made here
is skipped, with the reason."""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time

from systems.images import ROOT, TEN_WORDS

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
CACHE = os.path.join(CACHE, "pynq-tutorial", "systems")
LIMIT = 3600  # seconds for each

TEST = "make run && make test"
SYSTEMS = [  # suite of Debian, as whom, folder, what is typed
    ("bookworm", "root", "kit", TEST),
    ("trixie", "root", "kit", TEST),
    ("sid", "root", "kit", "make run && make test test-slow"),
    ("trixie", "user-with-sudo", "Adas Übung 1", TEST),
    ("bookworm", "user-without-sudo", "kit", TEST),
]
APT = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install"
BEFORE = {  # the command, beside a bare system
    "root": "true",
    "user-with-sudo": f"{APT} sudo && echo 'ada ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ada",
    "user-without-sudo": f"{APT} --no-install-recommends qemu-system-misc python3-venv",
}

# In namespaces of its own: $1 the bare system, $2 a folder for what changes, then the command. A
# console of its own too, for programs that ask for a terminal.
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
ENTER = """
set -e
root=$2/root dev=$2/root/dev
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$dev"
for node in null zero full random urandom tty; do
    : > "$dev/$node"
    mount --bind "/dev/$node" "$dev/$node"
done
mkdir "$dev/pts" "$dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$dev/pts"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
shift 2
exec chroot "$root" "$@"
"""
# how packages are reached
PASSED_ON = "PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "http_proxy", "https_proxy", "no_proxy"
REACHED_BY = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/resolv.conf"]
REACHED_BY.append("/etc/ssl/certs/ca-certificates.crt")


class Skipped(Exception):
    """What cannot be had here, and why."""


def run(command, limit, **options):
    """Runs a command to its end, or kills it after `limit` seconds. Returns (its output, exit
    status or None)."""
    options.update(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        ended = subprocess.run(command, timeout=limit, **options)
        return ended.stdout.decode(errors="replace"), ended.returncode
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        return f"{said}\nhad not ended after {limit} s", None


def install(*packages):
    """Debian's packages, unless the first one's program is there."""
    if not shutil.which(packages[0]):
        said, status = run(["sh", "-c", f"{APT} --no-install-recommends {' '.join(packages)}"], 600)
        if status != 0:
            raise Skipped(f"{packages[0]} cannot be installed: {last_line(said)}")


def last_line(said):
    return next((line for line in reversed(said.splitlines()) if line.strip()), "nothing was said")


def bare_system(suite):
    """The folder of a bare system, made first if it is not there."""
    processor = subprocess.check_output(["dpkg", "--print-architecture"]).decode().strip()
    folder = os.path.join(CACHE, f"{suite}-{processor}")
    if os.path.isdir(folder):
        return folder
    install("debootstrap")
    new = folder + ".new"
    shutil.rmtree(new, ignore_errors=True)
    options = ["--variant=minbase", "--include=git,make,python3,ca-certificates"]
    said, status = run([*NAMESPACES, "debootstrap", *options, suite, new], LIMIT)
    if status != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise Skipped(f"debootstrap cannot make {suite} here: {last_line(said)}")
    with open(new + "/etc/apt/apt.conf.d/99-mirrors-lag", "w") as file:
        file.write('Acquire::Check-Valid-Until "false";\n')
    os.rename(new, folder)
    return folder


def tried(suite, whom, folder, typed):
    """Runs what is typed. Returns (whether it passed, what it said)."""
    base, changes = bare_system(suite), os.path.join(CACHE, "run")
    shutil.rmtree(changes, ignore_errors=True)
    upper, home = os.path.join(changes, "upper"), "/root" if whom == "root" else "/home/ada"
    for name in "root", "work", f"upper{home}":
        os.makedirs(os.path.join(changes, name))
    own = os.path.expanduser("~")
    try:
        for path in filter(os.path.isfile, [*REACHED_BY, f"{own}/.config/pip/pip.conf"]):
            there = upper + path.replace(own, home)
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copyfile(path, there)
        clone = os.path.join(upper + home, folder)
        subprocess.check_call(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone])
        names = [name for name in os.environ if name.startswith(PASSED_ON)]
        environment = {name: os.environ[name] for name in names}
        environment.update(HOME=home, LANG="C.UTF-8", CI=os.environ.get("CI", ""))
        environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        # All in one: the namespaces, and what an ill-behaved test may have left, end with it.
        commands = f"{{ {BEFORE[whom]}; }} >/tmp/before 2>&1 || {{ cat /tmp/before; exit 9; }}\n"
        act = f"cd {shlex.quote(os.path.join(home, folder))} && {typed}"
        if whom != "root":
            commands += "useradd -m -s /bin/bash ada 2>/dev/null; chown -R ada:ada /home/ada\n"
            act = f"exec setpriv --reuid=ada --regid=ada --init-groups sh -c {shlex.quote(act)}"
        inside = ["sh", "-c", ENTER, "sh", base, changes, "sh", "-c", commands + act]
        said, status = run([*NAMESPACES, *inside], LIMIT, env=environment)
        if status == 0 and TEN_WORDS not in said:
            return False, f"{said}\nmake run did not print the ten words"
        return status == 0, said
    finally:
        shutil.rmtree(changes, ignore_errors=True)


def main(chosen):
    failed = False
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for row in SYSTEMS:
            name, start, said = "-".join(row[:2]), time.monotonic(), ""
            if chosen and not any(word in name for word in chosen):
                continue
            try:
                if os.geteuid() != 0 or not shutil.which("apt-get"):
                    raise Skipped("a bare system takes root and Debian's tools")
                passed, said = tried(*row)
                result = f"{'passed' if passed else 'FAILED'}: {last_line(said).strip('= ')}"
            except Skipped as reason:
                passed, result = True, f"skipped: {reason}"
            print(f"{name:30} {time.monotonic() - start:4.0f} s  {result}", flush=True)
            if not passed:
                failed = True
                print("\n".join(f"    {line}" for line in said.splitlines()[-300:]), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
