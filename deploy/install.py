"""Installs the tutorial into the folder of a board's Jupyter, or removes it. `make install` and
`make uninstall` call it.

Runs on the board, as root, under any Python 3.6 or later, from the folder above:
python3 -m deploy.install [--uninstall]
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

from bitstream.derive import OverlayError, derive
from iop import pynq_state

from . import EDITION, image, tree

NAME = "pynq_tutorial"
KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# which files an edition consists of, from git: `make edition` writes it
LIST = os.path.join(KIT, "deploy", "edition.txt")
ANSWERS = "notebooks/solutions/"  # deploy/pack.sh knows it, too
OF_THE_OVERLAY = ("bitstream/README.md", "bitstream/pynq_tutorial.hwh")
NBVAL = "nbval==0.9.6" if sys.version_info < (3, 8) else "nbval==0.11.0"  # the last for each Python


def files(bit=None, answers=True):
    """The files of an installation, which are those of the edition's list and no others.

    Args:
        bit: path of the image's base.bit, from which the overlay is made. Without one, only the
            kit's own description of the overlay is delivered, for the virtual board.
        answers: False leaves out the solutions

    Returns:
        {relative path: contents as bytes}; notebooks are without outputs

    Raises:
        OverlayError, tree.InstallError: if a file of the edition is missing here
    """
    found = {}
    for name in _read(LIST).decode().splitlines():
        folder, _, inside = name.partition("/")
        if name.startswith(ANSWERS) and not answers:
            continue
        if folder == "notebooks":  # what is in there comes to the top
            read = without_outputs if name.endswith(".ipynb") else _read
            found[inside] = read(os.path.join(KIT, name))
        elif folder in ("iop", "mb_src") or name in OF_THE_OVERLAY:
            found[name] = _read(os.path.join(KIT, name))
    if bit:
        found.update(("bitstream/" + name, contents) for name, contents in derive(bit).items())
    return found


def without_outputs(path):
    """The bytes of one of the kit's notebooks as a student gets it. No cell has run, so no answer
    stands below a question. It names this Python, because JupyterLab changes a notebook that names
    another version as soon as it is opened. Raises tree.InstallError."""
    try:
        notebook = json.loads(_read(path).decode())
        notebook["metadata"]["language_info"]["version"] = platform.python_version()
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(execution_count=None, outputs=[])
    except (KeyError, TypeError, ValueError):
        raise _not_readable(path, "it is not a notebook") from None
    return (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode()


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _not_readable(path, error.strerror) from None


def _not_readable(path, reason):
    return tree.InstallError(
        f"{path} belongs to the edition and cannot be read ({reason}), so nothing was"
        " changed: get it again, with `git checkout` in the kit's folder."
    )


def install(root="/", bit=None, answers=True):
    """Installs into an image's root, from its base overlay or the one that is given, and prints
    what it did. Without `answers`, unchanged solutions of an earlier installation are removed.

    Raises OverlayError or tree.InstallError; then nothing has changed.
    """
    bit = bit or image.base_overlay(root)
    if not bit:
        folders = " or ".join(os.path.join(root, packages) for packages in image.PACKAGES)
        raise tree.InstallError(
            f"There is no base overlay in {folders}, from which the tutorial's is made: give the"
            " path of the image's base.bit, as in BASE_OVERLAY=/path/to/base.bit."
        )
    target = os.path.join(image.notebooks_folder(root), NAME)
    contents = files(bit, answers)
    if root != "/":
        os.makedirs(os.path.dirname(target), exist_ok=True)
    _bring(target, contents)
    settle(target, root)


def lay_out(folder, answers=True, bit=None):
    """Installs into a folder on any machine, and prints what it did. Raises as `files` does, and
    tree.InstallError; then nothing has changed."""
    _bring(folder, files(bit, answers))


def settle(folder, root="/"):
    """Makes pynq forget a folder whose .bit is replaced or removed (iop/pynq_state.py). This also
    repairs a board on which edition 1.0.0 ran: there pynq 3 took the tutorial's description for the
    base overlay's, because the two .bit files were the same."""
    package = image.pynq_package(root)
    if package:
        pynq_state.leave(package, folder, root)


def _bring(target, contents):
    report = tree.install(target, contents, EDITION)
    if report.pop("interrupted", False):
        print(f"{target}: an earlier run was interrupted here; this one has completed it.")
    elif not any(report.values()):
        print(f"{target}: edition {EDITION} is there already; nothing to change.")
        return
    new, replaced, removed = (len(report[word]) for word in ("new", "replaced", "removed"))
    print(f"{target}: edition {EDITION}; {new} files new, {replaced} replaced, {removed} removed.")
    for name in report["kept"]:
        print("kept, because it was changed here: " + printable(name))
    for name in report["beside"]:
        print("its new version is beside it:      " + printable(name))


def printable(name):
    """A file's name on one line, with codes for the characters that cannot be printed here."""
    encoding = sys.stdout.encoding or "ascii"
    text = name if name.isprintable() else ascii(name)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def uninstall(root="/"):
    """Removes the files that `install` brought and nobody changed, and prints what it kept. Raises
    tree.InstallError."""
    target = os.path.join(image.notebooks_folder(root), NAME)
    report = tree.uninstall(target)
    settle(target, root)
    if not any(report.values()):
        print(f"{target}: no tutorial is installed there; nothing to change.")
        return
    print(f"{target}: {len(report['removed'])} files removed.")
    for name in report["kept"]:
        print("kept, because it is not as it was installed: " + printable(name))


def add_nbval(python):
    """Installs nbval into the image's Python, for `make test` to re-execute the notebooks, and
    changes no other package."""
    if image.has(python, "nbval"):
        return
    pins = re.findall(r"^[\w.-]+==\S+$", image.output(python, "-m", "pip", "freeze") or "", re.M)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(pins))
        constraints.flush()
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints.name, NBVAL]
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        run = subprocess.run(pip, universal_newlines=True, **output)
    if not run.returncode:
        print(f"{NBVAL} is now in the image's Python, for `make test`.")
        return
    reason = (run.stdout.strip().splitlines() or ["pip said nothing"])[-1]
    print(
        f"nbval could not be installed ({reason}). The notebooks do not need it; `make test` on the"
        " board does."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    option = parser.add_argument
    option("--uninstall", action="store_true")
    option("--no-answers", action="store_true", help="leave the exercises' solutions out")
    option("--destdir", default="/", help="install into this folder as if it were an image's root")
    option("--base-overlay", help="base.bit to make the overlay from, with base.hwh beside it")
    given = parser.parse_args()
    root = os.path.abspath(given.destdir)
    os.umask(0o022)  # all may read what is installed, whatever the user's own umask says
    try:
        if root == "/" and not os.path.isdir("/sys/class/fpga_manager/fpga0"):
            raise tree.InstallError(
                "This machine is not a PYNQ board: give the board's address, as in"
                " HOST=192.168.2.99, or say where its files are, as in DESTDIR=/path/to/root."
            )
        elif given.uninstall:
            uninstall(root)
        else:
            install(root, given.base_overlay, answers=not given.no_answers)
            if root == "/":
                add_nbval(image.python())
    except (OverlayError, tree.InstallError) as error:
        sys.exit(f"pynq_tutorial: {error}")
    except OSError as error:
        sys.exit(f"pynq_tutorial: {error.filename}: {error.strerror}.")


if __name__ == "__main__":
    main()
