"""Debian for the board's processor: packages for 32-bit ARM, fetched and unpacked on a PC.

The mirror, the proxies and the keys are those of this machine's apt. Everything else that apt
keeps, such as the lists and what counts as installed, is private, in the user's cache folder: no
call needs root, and none changes this machine's own packages.

root() unpacks packages and runs none of their scripts. What the scripts would have set up and the
board needs is done here, such as LINKS, or is the caller's to add."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import BoardError

SUITE = "bookworm"  # on every PC: Python 3.11 and a kernel that the board is known to run on
ARCHITECTURE = "armhf"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "usr/lib/arm-linux-gnueabihf"
LIMIT = 3600  # seconds for a step: apt itself gives up on a server that does not answer

# /bin and so on are links, as in every Debian since 12, although packages have folders there
MERGED = ["bin", "sbin", "lib"]
# What update-alternatives would choose, if its package is there
LINKS = {
    f"{LIBRARIES}/libblas.so.3": "blas/libblas.so.3",
    f"{LIBRARIES}/liblapack.so.3": "lapack/liblapack.so.3",
    "usr/bin/awk": "mawk",
}
# #clear keeps out what this machine does after each update, such as emptying its own cache. With
# an empty status nothing counts as installed, so apt fetches all that a package depends on.
APT = """
APT::Architecture "{architecture}";
#clear APT::Architectures;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Default-Release "{suite}";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Retries "3";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{archives}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""


class DebianError(BoardError):
    """As of BoardError."""


REMEDIES = [  # what a program says, and what to do
    ("No space left|enough free space|quota exceeded", "free at least 2 GB there"),
    ("NO_PUBKEY|not signed", "type: sudo apt-get install debian-archive-keyring"),
    (
        "resolving|connect|timed out|unreachable|Failed to fetch",
        "connect this machine to the network and try again, which goes on where this one stopped",
    ),
]


def say(text):
    print("arm board: " + text, file=sys.stderr, flush=True)


def cache():
    """The folder of all that is kept for ARM boards, in the user's cache folder."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "pynq-tutorial" / "arm"


def root(name, packages, suite=SUITE):
    """A folder with packages and all that they depend on, unpacked. It is made if it is not there,
    which takes about a minute for a Python with numpy; two calls at once make it once.

    Nobody may write in it: put a file system of your own over it, or copy it.

    Args:
        name: What it is for, the beginning of the folder's name. If the list of packages, the
            suite or this file changes, a new folder takes the place of the old one of that name.
        packages: Debian's names, as ["python3-numpy"].
        suite: Debian's release, as "bookworm".

    Returns:
        The folder's Path.

    Raises:
        DebianError: No Debian, no network, no such package, no space."""
    packages = sorted(set(packages))
    made_from = repr((suite, packages)).encode() + Path(__file__).read_bytes()
    folder = cache() / f"{name}-{hashlib.sha256(made_from).hexdigest()[:12]}"
    if not folder.exists():
        with _locked():
            if not folder.exists():
                _make(folder, packages, suite)
                for old in set(cache().glob(name + "-" + 12 * "[0-9a-f]")) - {folder}:
                    shutil.rmtree(old)
    return folder


def fetch(packages, architecture=ARCHITECTURE, suite=SUITE):
    """Downloads packages without what they depend on. Returns the .deb files' Paths, which are the
    caller's to remove.

    Raises:
        DebianError: as root() does."""
    with _locked():
        return _fetch("download", packages, architecture, suite)


def unpack(package, folder):
    """Unpacks a .deb file's contents into a folder, through the links in it that lead to folders.

    Raises:
        DebianError: It is no package, or there is no space."""
    archive = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "dpkg-deb", "--fsys-tarfile", str(package)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with archive:
        tar = ["tar", "-xp", "--numeric-owner", "--keep-directory-symlink", "-C", str(folder)]
        _run(f"unpacking {package.name}", tar, stdin=archive.stdout)
    if archive.returncode:
        raise DebianError(f"{package} is damaged: remove it and try again.")


def native():
    """Debian's name of this PC's own architecture."""
    return _run("dpkg", ["dpkg", "--print-architecture"]).strip()


def compile_python(root, folder):
    """Compiles the Python files in a folder for the Python of a root, as a package's script does:
    otherwise each process on the board compiles them again. Does nothing if the root has none.

    Raises:
        DebianError: as root() does."""
    with _locked():
        _compile_python(root, folder, SUITE)


def _compile_python(root, folder, suite):
    found = sorted((root / "usr/bin").glob("python3.[0-9]*"))
    if not found:
        return
    # the same version for this PC's own processor, which is many times faster than an emulator
    name = found[0].name
    python = cache() / f"{name}-{native()}"
    if not python.exists():
        part = python.with_name(python.name + ".part")
        part.mkdir()
        packages = [f"{name}-minimal", f"lib{name}-minimal", f"lib{name}-stdlib"]
        for package in _fetch("download", packages, native(), suite):
            unpack(package, part)
            package.unlink()
        part.rename(python)
    say("compiling its Python")
    # one process: its workers would outlive it if it is killed
    command = ["env", f"PYTHONHOME={python}/usr", python / "usr/bin" / name, "-S", "-m"]
    _run(
        "compileall",
        [*command, "compileall", "-qq", "-x", "/tests?/", "-s", root, "-p", "/", folder],
    )


def _make(folder, packages, suite):
    say(f"making {folder}, once, of Debian's {suite}")
    part = folder.with_name(folder.name + ".part")
    for cut_off in cache().glob("*.part"):
        shutil.rmtree(cut_off)
    fetched = _fetch("install", packages, ARCHITECTURE, suite)
    say(f"unpacking {len(fetched)} packages")
    try:
        part.mkdir()
        part.chmod(0o755)
        for name in MERGED:
            (part / "usr" / name).mkdir(parents=True)
            (part / name).symlink_to("usr/" + name)
        for package in fetched:
            unpack(package, part)
        for link, target in LINKS.items():
            if (part / link).parent.joinpath(target).exists():
                (part / link).symlink_to(target)
        _compile_python(part, part / "usr/lib", suite)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)  # a full disk has room again
        raise
    part.rename(folder)
    for package in fetched:
        package.unlink()


def _fetch(how, packages, architecture, suite):
    """How is apt-get's word for it: download, or install, with what they depend on."""
    archives = cache() / f"{suite}-{architecture}"
    state = archives / "apt"
    for needed in archives / "partial", state / "lists":
        needed.mkdir(parents=True, exist_ok=True)
    signed = f"[arch={architecture} target=Packages signed-by={KEYS}]"
    (state / "status").write_text("")
    (state / "sources.list").write_text(f"deb {signed} {_mirror()} {suite} main\n")
    settings = dict(architecture=architecture, suite=suite, folder=state)
    # With no file there apt lists them all.
    (state / "list.conf").write_text(APT.format(archives=state / "none", **settings))
    (state / "apt.conf").write_text(APT.format(archives=archives, **settings))
    apt_get = ["apt-get", "-q", "-y", "-c"]
    _run("apt-get update", [*apt_get, state / "apt.conf", "update"])
    command = [how, *packages]
    listed = _run("apt-get", [*apt_get, state / "list.conf", "--print-uris", *command])
    files = re.findall(r"^'\S+' (\S+\.deb) (\d+) ", listed, re.MULTILINE)
    size = sum(int(size) for _, size in files)
    say(f"downloading {len(files)} packages, {size / 1e6:.0f} MB")
    download = [*apt_get, state / "apt.conf", "--download-only", *command]
    _run("apt-get", download, cwd=archives)
    return [archives / name for name, _ in files]


def _mirror():
    """The address from which this machine's apt has Debian itself."""
    if not shutil.which("apt-get"):
        raise DebianError("The ARM board is made of Debian's packages: use Debian 12 or newer.")
    known = _run(
        "apt-get",
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"],
    )
    # main, and no suite that only has updates
    found = re.search(r"^Debian [a-z]+ main (\S+)$", known, re.MULTILINE)
    if not found:
        raise DebianError(
            "The ARM board is made of Debian's packages, and this machine's apt has no list of"
            " them: type sudo apt-get update, or use Debian 12 or newer."
        )
    return found.group(1)


def _run(what, command, **options):
    """What a command prints. It ends with this process, whatever way that ends."""
    try:
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, LC_ALL="C.UTF-8"),
            timeout=LIMIT,
            **options,
        )
    except subprocess.TimeoutExpired:
        raise DebianError(f"{what} had not ended after {LIMIT} s: try again.") from None
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        lines = said.strip().splitlines() or ["nothing"]
        reason = next((line for line in lines if re.match("E: |tar: ", line)), lines[-1])
        remedies = [remedy for words, remedy in REMEDIES if re.search(words, said, re.IGNORECASE)]
        remedy = remedies[0] if remedies else "try again, or correct what it names"
        raise DebianError(f"{what} failed in {cache()}, saying {reason!r}: {remedy}.")
    return said


@contextlib.contextmanager
def _locked():
    """One at a time: the lock ends with its process."""
    try:
        cache().mkdir(parents=True, exist_ok=True)
        lock = open(cache() / "lock", "w")
    except OSError as error:
        raise DebianError(
            f"{cache()} cannot be written ({error.strerror}): make it writable, or give another"
            " folder as XDG_CACHE_HOME."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that makes it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
