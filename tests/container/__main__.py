"""python3 tests/container [options of pytest]: the image, built and run with podman, on a base that
debootstrap made.

Takes root and Debian; installs podman and runc where they are missing. All runs in a mount and a
PID namespace of its own, below a process that reaps, so that containers and mounts end with it,
whatever way that is. Images are in .container/ in the kit, apart from those of the machine, and
stay there for the next run.

What is not as on any PC: the base stands in for Docker Hub's debian:13-slim, and has this machine's
certificates and pip's settings in it. A build has this machine's network. And the limits of open
files and processes are this machine's own, because without CAP_SYS_RESOURCE podman cannot set its
higher ones; runc, because crun does not start where both kinds of cgroups are mounted."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from systems import systems

ROOT = Path(__file__).resolve().parent.parent.parent

STORE = ROOT / ".container"
LARGEST_STORE = 10 << 20  # KB; each change to the packages adds 2 GB
CONTAINERS = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{store}/tmp"
[network]
network_config_dir = "{store}/networks"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{store}/images"
runroot = "{store}/run"
"""


def configure():
    """podman's files, which the environment leads it to."""
    if STORE.exists():
        kilobytes = subprocess.check_output(["du", "-sk", str(STORE)]).split()[0]
        if int(kilobytes) > LARGEST_STORE:
            shutil.rmtree(str(STORE))
    for name in "run", "tmp":  # of a run that was killed
        shutil.rmtree(str(STORE / name), ignore_errors=True)
    (STORE / "tmp").mkdir(parents=True)
    limits = resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC
    files, processes = [resource.getrlimit(limit)[1] for limit in limits]
    for name, text in ("CONTAINERS_CONF", CONTAINERS), ("CONTAINERS_STORAGE_CONF", STORAGE):
        os.environ[name] = str(STORE / name)
        (STORE / name).write_text(text.format(store=STORE, files=files, processes=processes))
    os.environ["TMPDIR"] = str(STORE / "tmp")


def main(options):
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return print("skipped: the image is built as root, with podman from Debian's packages")
    try:
        for packages in ("podman", "netavark"), ("runc",), ("catatonit",):
            systems.install(*packages)
        systems.bare_system("trixie")
    except systems.Skipped as reason:
        return print(f"skipped: {reason}")
    configure()
    here = str(Path(__file__).parent)
    pytest = [sys.executable, "-m", "pytest", "-c", here + "/pytest.ini", here, *options]
    alone = [*systems.NAMESPACES, "--mount-proc", "catatonit", "--"]
    os.execvp("unshare", alone + pytest)


if __name__ == "__main__":
    main(sys.argv[1:])
