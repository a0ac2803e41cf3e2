"""Finds things in a stock PYNQ image: settings, folders, Python, the base overlay. Needs only
Python 3.6, and changes nothing.

Each function takes the root of the image's files: "/" on a board, or a folder that looks like it.
"""

import glob
import os
import re
import subprocess

VENV = "usr/local/share/pynq-venv"  # from v2.7 on; before, pynq is in the system's Python
PACKAGES = [VENV + "/lib/python3*/site-packages", "usr/local/lib/python3*/dist-packages"]
NOTEBOOKS = "/home/xilinx/jupyter_notebooks"


def setting(name, root="/"):
    """The value of one of the image's environment variables, or None. sudo drops them, so it is
    read from the image's files."""
    if root == "/" and os.environ.get(name):
        return os.environ[name]
    line = re.compile(rf"^\s*(?:export\s+)?{name}=[\"']?([^\"'\s;]+)", re.M)
    paths = sorted(glob.glob(os.path.join(root, "etc/profile.d/*.sh")))
    for path in filter(os.path.isfile, [*paths, os.path.join(root, "etc/environment")]):
        with open(path, errors="replace") as file:
            found = line.findall(file.read())
        if found:
            return found[-1]
    return None


def notebooks_folder(root="/"):
    """The folder that the board's Jupyter serves."""
    return os.path.join(root, (setting("PYNQ_JUPYTER_NOTEBOOKS", root) or NOTEBOOKS).lstrip("/"))


def python(root="/"):
    """The Python that has pynq."""
    in_venv = os.path.join(root, VENV, "bin/python3")
    return in_venv if os.path.exists(in_venv) else os.path.join(root, "usr/bin/python3")


def pynq_package(root="/", inside=""):
    """The folder of the image's pynq package, or the path of something inside of it; or None."""
    for packages in PACKAGES:
        for path in sorted(glob.glob(os.path.join(root, packages, "pynq", inside))):
            return path.rstrip("/")
    return None


def base_overlay(root="/"):
    """base.bit of the image's base overlay, or None."""
    return pynq_package(root, "overlays/base/base.bit")


def has(python, package):
    """Whether this Python has a package. Importing it would tell as well, and take far longer."""
    look = f"import importlib.util as i, sys; sys.exit(i.find_spec('{package}') is None)"
    return output(python, "-c", look) is not None


def output(*command):
    """The output of a command, or None if there is no such command or it fails."""
    options = {"stderr": subprocess.STDOUT, "universal_newlines": True}
    try:
        return subprocess.check_output(command, **options).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
