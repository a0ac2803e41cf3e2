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
    for path in sorted(glob.glob(os.path.join(root, "etc/profile.d/*.sh"))) + [
        os.path.join(root, "etc/environment")
    ]:
        if os.path.isfile(path):
            with open(path, errors="replace") as file:
                found = re.findall(
                    rf"^\s*(?:export\s+)?{name}=[\"']?([^\"'\s;]+)", file.read(), re.M
                )
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


def base_overlay(root="/"):
    """base.bit of the image's base overlay, or None."""
    found = [
        path
        for packages in PACKAGES
        for path in sorted(glob.glob(os.path.join(root, packages, "pynq/overlays/base/base.bit")))
    ]
    return found[0] if found else None


def pynq_package(root="/"):
    """The folder of the image's pynq package, or None."""
    found = [
        path
        for packages in PACKAGES
        for path in sorted(glob.glob(os.path.join(root, packages, "pynq")))
    ]
    return found[0] if found else None


def output(*command):
    """The output of a command, or None if there is no such command or it fails."""
    try:
        return subprocess.check_output(
            command, stderr=subprocess.STDOUT, universal_newlines=True
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
