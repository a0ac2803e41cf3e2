#!/usr/bin/env python3
"""images.py [PYTHON...]: the virtual board under each Python that a PC may have, or those given.

Under each, the IOP example runs, and the unit tests that need nothing but pynq; a line each. A
Python that is not on this machine is skipped. (Under the pynq of each image, `make test-board` runs
the kit.) The environments stay in .images/ and are made again when their pins change."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVIRONMENTS = os.path.join(ROOT, ".images")
EXAMPLE = "import sys, runpy, virtual_board; virtual_board.activate(); runpy.run_path(sys.argv[1])"
TEN_WORDS = "State of buffer after IOP write\n" + "".join(f"{word}\n" for word in range(1, 11))
TESTS = [
    "iop/test_write_to_buffer.py",
    "iop/test_xlnk.py",
    "iop/test_cells.py",
    "virtual_board/test_drivers.py",
    "virtual_board/test_interrupt_pin.py",
    "notebooks/test_checks.py",
]
LIMIT = 1200  # seconds for each step

OURS = "requirements.txt"
IMAGES = [  # pynq, Python, pins
    ("2.6.2", "3.6", "tests/systems/environments/python-3.6.txt"),
    ("2.7.0", "3.8", "tests/systems/environments/pynq-2.7.0.txt"),
    ("3.0.1", "3.10", "tests/systems/environments/pynq-3.0.1.txt"),
    *(("3.1.2", f"3.{minor}", OURS) for minor in (10, 11, 12, 13, 14)),
]


class Failed(Exception):
    """What did not work, with the end of what it said."""


def run(what, command, folder=ROOT, **variables):
    """Runs a command with these environment variables, too; Failed if it fails."""
    environment = dict(os.environ, PYTHONPATH=ROOT, **variables)
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:  # the process is killed, and QEMU ends with it
        raise Failed(f"{what}: had not ended after {LIMIT} s") from None
    if ended.returncode:
        end = "\n".join((ended.stdout + ended.stderr).splitlines()[-15:])
        raise Failed(f"{what}:\n{end}")
    return ended


def find_python(version):
    """A Python of this version that can make environments, on the PATH or of pyenv's, or None."""
    says = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    of_pyenv = os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")
    for python in [f"python{version}", *glob.glob(of_pyenv)]:
        try:
            if run("look", [python, "-c", says]).stdout.strip() == version:
                return python
        except (OSError, Failed):
            pass
    return None


def environment(pynq, version, pins, python):
    """The Python of the environment, which is made first if it is not there. Processes may ask for
    the same one at once."""
    folder = os.path.join(ENVIRONMENTS, f"pynq-{pynq}-python-{version}")
    os.makedirs(ENVIRONMENTS, exist_ok=True)
    lock = os.open(ENVIRONMENTS, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _set_up(folder, python) if pins == OURS else _install(folder, pynq, pins, python)
    finally:
        os.close(lock)


def _set_up(folder, python):
    """By setup.sh, in a kit that has no more than it reads, and no settings of kernels': an image
    has none."""
    for name in "notebooks", "iop", "bitstream", "mb_src", "jupyter_settings":
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for name in "setup.sh", OURS:
        shutil.copy(os.path.join(ROOT, name), folder)
    requirements = os.path.join(ROOT, "requirements")
    shutil.copytree(requirements, os.path.join(folder, "requirements"), dirs_exist_ok=True)
    path = os.path.join(ROOT, ".uv") + os.pathsep + os.environ["PATH"]  # each needs no own uv
    run("setting up", ["sh", "setup.sh"], folder, PYTHON=python, PATH=path)
    for path in glob.glob(f"{folder}/.venv/lib/python*/site-packages/pynq_tutorial.pth"):
        os.remove(path)  # nor is a kit on its path
    own, compiled = os.path.join(folder, ".venv/bin/python"), os.path.join(folder, ".venv/compiled")
    if not os.path.exists(compiled):  # as an image's are, and pip's; uv compiles nothing
        subprocess.call([own, "-m", "compileall", "-qq", "-j", "0", f"{folder}/.venv/lib"])
        open(compiled, "w").close()
    return own


def _install(folder, pynq, pins, python):
    """With pip, because uv knows no Python as old."""
    own, stamp = os.path.join(folder, "bin", "python"), os.path.join(folder, "made-from")
    with open(os.path.join(ROOT, pins)) as file:
        wanted = f"# pynq {pynq}\n{file.read()}"
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == wanted:
                return own
    shutil.rmtree(folder, ignore_errors=True)
    temporary = os.path.join(folder, "tmp")  # an old Python's pip leaves files there
    os.makedirs(temporary)
    run("making the environment", [python, "-m", "venv", folder], TMPDIR=temporary)
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # These releases import what they need while they are built, so all else comes first. Nothing is
    # resolved: the pins are complete, and some releases ask for packages that a PC has no use for.
    lines = [line for line in wanted.splitlines() if line and not line.startswith("#")]
    for packages in (
        [line for line in lines if line.startswith("pip==")],
        ["--no-deps"] + [line for line in lines if not line.startswith(("pynq==", "pip=="))],
        ["--no-deps", "--no-build-isolation", f"pynq=={pynq}"],
    ):
        run("installing", pip + packages, TMPDIR=temporary)
    shutil.rmtree(temporary)
    with open(stamp, "w") as file:
        file.write(wanted)
    return own


def check(python):
    """Runs the example and the tests. Returns pytest's last line; Failed if something is wrong."""
    example = [python, "-c", EXAMPLE, os.path.join(ROOT, "tests", "helpers", "iop_example.py")]
    ended = run("example", example, os.path.join(ROOT, "notebooks"))
    if TEN_WORDS not in ended.stdout:
        raise Failed(f"example: the ten words are not there:\n{ended.stdout}")
    if "Warning" in ended.stderr:
        raise Failed(f"example: warnings:\n{ended.stderr}")
    pytest = [python, "-m", "pytest", "-c", os.devnull, "--rootdir", ROOT, "-p", "no:cacheprovider"]
    options = ["-q", "-n", "2", "--dist", "loadfile", "-m", "not long"]
    ended = run("tests", pytest + options + [f"{ROOT}/tests/{name}" for name in TESTS])
    return ended.stdout.splitlines()[-1].strip("= ")


def main(chosen):
    failed = 0
    for pynq, version, pins in IMAGES:
        if pins != OURS or chosen and version not in chosen:
            continue
        start = time.monotonic()
        python = find_python(version)
        try:
            if python is None:
                result = "skipped: it is not on this machine"
            else:
                result = f"passed: {check(environment(pynq, version, pins, python))}"
        except Failed as error:
            failed += 1
            result = f"FAILED: {error}"
        print(f"Python {version:5} {time.monotonic() - start:4.0f} s  {result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
