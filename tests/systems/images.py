#!/usr/bin/env python3
"""images.py [PYTHON...]: the virtual board under pynq 3 and the Python of a stock image or a PC, or
of those that have one of the Pythons given, as 3.10. An environment each, a line each. (Under pynq
2, `make test-board` runs the kit.)

In each environment the IOP example runs (iop_example.py), and the unit tests that need nothing but
pynq. If a Python is not on this machine, its line says that it is skipped. The environments stay in
.images/ and are made again when their pins change."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

EXAMPLE = "import sys, runpy, virtual_board; virtual_board.activate(); runpy.run_path(sys.argv[1])"
ENVIRONMENTS = os.path.join(ROOT, ".images")
TESTS = [
    "iop/test_mailbox.py",
    "iop/test_write_to_buffer.py",
    "iop/test_by_address.py",
    "iop/test_xlnk.py",
    "virtual_board/test_idle.py",
    "virtual_board/test_drivers.py",
    "virtual_board/test_interrupt_pin.py",
    "iop/test_cells.py",
    "notebooks/test_checks.py",
    "notebooks/test_checks_c_in_a_cell.py",
    "notebooks/test_checks_firmware.py",
    "notebooks/test_checks_performance.py",
    "bitstream/test_overlay_from_base.py",
]
LIMIT = 1200  # seconds for each step
TEN_WORDS = "State of buffer after IOP write\n" + "".join(f"{word}\n" for word in range(1, 11))

IMAGES = [  # pynq, Python, pins
    ("2.5.4", "3.6", "tests/systems/environments/python-3.6.txt"),
    ("2.6.2", "3.6", "tests/systems/environments/python-3.6.txt"),
    ("2.7.0", "3.8", "tests/systems/environments/pynq-2.7.0.txt"),
    ("3.0.1", "3.10", "tests/systems/environments/pynq-3.0.1.txt"),
    ("3.1.2", "3.10", "requirements.txt"),
    ("3.1.2", "3.11", "requirements.txt"),
    ("3.1.2", "3.12", "requirements.txt"),
    ("3.1.2", "3.13", "requirements.txt"),
    ("3.1.2", "3.14", "requirements.txt"),
]


class Failed(Exception):
    """What did not work, with the end of what it said."""


def run(what, command, folder=ROOT, **variables):
    """Runs a command, with these environment variables too, and returns (stdout, stderr). Failed if
    it fails."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=ROOT, **variables),
    )
    try:
        out, error = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()  # and QEMU ends with it
        process.communicate()
        raise Failed(f"{what}: had not ended after {LIMIT} s") from None
    if process.returncode:
        raise Failed("{}:\n{}".format(what, "\n".join((out + error).splitlines()[-15:])))
    return out, error


def find_python(version):
    """A Python of this version that can make environments, on the PATH or of pyenv's; None if there
    is none."""
    for python in ["python" + version] + glob.glob(
        os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")
    ):
        try:
            if (
                run(
                    "look",
                    [
                        python,
                        "-c",
                        "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])",
                    ],
                )[0].strip()
                == version
            ):
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
        if pins == "requirements.txt":
            return _set_up(folder, python)
        return _install(folder, pynq, pins, python)
    finally:
        os.close(lock)


def _set_up(folder, python):
    """By setup.sh, in a kit that has no more than it reads, and no settings of kernels': an image
    has none."""
    for name in "notebooks", "iop", "bitstream", "mb_src", "jupyter_settings":
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for name in "setup.sh", "package_sources.py", "requirements.txt", "requirements-uv.txt":
        shutil.copy(os.path.join(ROOT, name), folder)
    uv = os.path.join(ROOT, ".uv")  # so that each need not get its own
    run(
        "setting up",
        ["sh", "setup.sh"],
        folder,
        PYTHON=python,
        PATH=uv + os.pathsep + os.environ["PATH"],
    )
    for path in glob.glob(
        os.path.join(folder, ".venv/lib/python*/site-packages/pynq_tutorial.pth")
    ):
        os.remove(path)  # nor is a kit on its path
    return os.path.join(folder, ".venv", "bin", "python")


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
    # the pip that comes with an old Python leaves files there
    temporary = os.path.join(folder, "tmp")
    os.makedirs(temporary)
    run("making the environment", [python, "-m", "venv", folder], TMPDIR=temporary)
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # These releases import what they need while they are built, so all else comes first. Nothing is
    # resolved: the pins are complete, and some releases ask for packages that a PC has no use for.
    lines = [line for line in wanted.splitlines() if line and not line.startswith("#")]
    for packages in (
        [line for line in lines if line.startswith("pip==")],
        ["--no-deps"] + [line for line in lines if not line.startswith(("pynq==", "pip=="))],
        ["--no-deps", "--no-build-isolation", "pynq==" + pynq],
    ):
        run("installing", pip + packages, TMPDIR=temporary)
    shutil.rmtree(temporary)
    with open(stamp, "w") as file:
        file.write(wanted)
    return own


def check(python):
    """Runs the example and the tests. Returns pytest's last line; Failed if something is not as it
    should be."""
    out, error = run(
        "example",
        [python, "-c", EXAMPLE, os.path.join(ROOT, "tests", "helpers", "iop_example.py")],
        os.path.join(ROOT, "notebooks"),
    )
    if TEN_WORDS not in out:
        raise Failed("example: the ten words are not there:\n" + out)
    unexpected = [line for line in error.splitlines() if "Warning" in line]
    if unexpected:
        raise Failed("example: warnings:\n" + error)
    out, _ = run(
        "tests",
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            ROOT,
            "-p",
            "no:cacheprovider",
            "-m",
            "not long",
        ]
        + [os.path.join(ROOT, "tests", name) for name in TESTS],
    )
    return out.splitlines()[-1].strip("= ")


def main(chosen):
    failed = 0
    for pynq, version, pins in IMAGES:
        if pynq.startswith("2.") or chosen and version not in chosen:
            continue
        start = time.monotonic()
        python = find_python(version)
        if python is None:
            result = f"skipped: no Python {version} here"
        else:
            try:
                result = "passed: " + check(environment(pynq, version, pins, python))
            except Failed as error:
                failed += 1
                result = f"FAILED: {error}"
        print(
            f"pynq {pynq}  Python {version:5} {time.monotonic() - start:4.0f} s  {result}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
