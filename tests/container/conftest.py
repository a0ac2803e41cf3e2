"""The image as `make image` builds it, and how a student runs it."""

import glob
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from helpers import checkout
from systems import systems

ROOT = Path(__file__).resolve().parent.parent.parent

COMPILER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pynq-tutorial"
PASSED_ON = systems.PASSED_ON + ("NODE_EXTRA_CA_CERTS",)
SMALLER = [
    f"--exclude=./{name}/*" for name in ("var/cache/apt", "var/lib/apt/lists", "dev", "proc")
]
OFFLINE = ["--rm", "--network=none", "--no-healthcheck"]


def pytest_configure():
    # they end a run like Ctrl-C: with everything tidied up
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def podman(*words, status=0, limit=300, **options):
    """Runs podman to its end; returns what it printed, errors included."""
    options.setdefault("stdin", subprocess.DEVNULL)
    run = subprocess.run(
        ("podman",) + words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        **options,
    )
    assert status in (None, run.returncode), f"podman {' '.join(words)}\n{run.stdout}"
    return run.stdout


def make(*words, folder=ROOT):
    """Runs a make target; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(
        ("make", "--no-print-directory") + words,
        cwd=str(folder),
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    return run.stdout


@pytest.fixture(scope="session", autouse=True)
def tidy():
    """At the end no container is left, no volume, and no cgroup of theirs."""

    def remove():
        podman("rm", "--all", "--force")
        podman("volume", "rm", "--all", "--force")

    remove()  # what a run that was killed has left in podman's list
    yield
    left = podman("ps", "--all", "--quiet").split()
    remove()
    for folder in glob.glob("/sys/fs/cgroup/*/libpod_parent"):
        for place, _, _ in os.walk(folder, topdown=False):
            os.rmdir(place)
    assert not left, f"containers outlived their tests: {left}"


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The name of an image with a bare Debian 13, which reaches packages as this machine does."""
    bare = systems.bare_system("trixie")
    name = f"localhost/debian-{int(os.stat(bare).st_mtime)}"
    folder = tmp_path_factory.mktemp("base")
    if subprocess.call(["podman", "image", "exists", name]):
        tar = ["tar", "-C", bare, "-c", *SMALLER, "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:
            podman("import", "-", name, stdin=packed.stdout)
        assert packed.returncode == 0
    for path in filter(os.path.isfile, systems.REACHED_BY):
        (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, str(folder / path[1:]))
    passed_on = sorted(pair for pair in os.environ.items() if pair[0].startswith(PASSED_ON))
    lines = [f"FROM {name}", "COPY etc /etc", *("ENV {}={}".format(*pair) for pair in passed_on)]
    (folder / "Dockerfile").write_text("\n".join(lines))
    podman("build", "--quiet", "--tag", name + ":reached", str(folder))
    return name + ":reached"


@pytest.fixture(scope="session")
def options(base):
    """Of make image, here: its base, and the compiler, if this machine has built one."""
    built = list(COMPILER.glob("mb-g++-*"))
    volume = f" --volume {COMPILER}:/root/.cache/pynq-tutorial:ro" if built else ""
    return f"BUILD=--build-arg BASE={base}{volume}"


@pytest.fixture(scope="session")
def image(options, tmp_path_factory):
    """The kit that the image was built from: a clone as umask 077 makes it."""
    kit = tmp_path_factory.mktemp("image") / "kit"
    checkout.copy(ROOT, kit)
    subprocess.check_call(["chmod", "-R", "go=", str(kit)])
    make("image", options, folder=kit)
    return kit


@pytest.fixture
def volume():
    """A student's volume, as the option of podman."""
    name = f"work-{uuid.uuid4().hex}"
    podman("volume", "create", name)
    yield f"--volume={name}:/home/student"
    podman("volume", "rm", "--force", name)
