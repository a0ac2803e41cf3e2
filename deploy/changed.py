"""Prints the notebooks that were changed since they were installed: python3 changed.py FOLDER BYTES

The answer is a list in JSON: the relative path of each notebook, or [path, reason] for what cannot
be brought, such as a file of more than BYTES. `make collect` runs this on the boards. Needs only
Python 3.6, and changes nothing.
"""

import hashlib
import json
import os
import sys


def changed_notebooks(folder, largest):
    """The answer, without Jupyter's checkpoints."""
    try:
        with open(os.path.join(folder, ".pynq_tutorial.json")) as file:
            installed = dict(json.load(file)["files"])
    except FileNotFoundError:
        sys.exit(f"There is no tutorial in {folder}: install it first.")
    except (KeyError, OSError, TypeError, ValueError):
        installed = {}  # then all of them count as changed
    answer = []

    def leave_out(error):
        answer.append([os.path.relpath(error.filename, folder), error.strerror])

    for place, folders, names in os.walk(folder, onerror=leave_out):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in links + [name for name in names if name.endswith(".ipynb")]:
            path = os.path.join(place, name)
            try:
                if digest(path, largest) != installed.get(os.path.relpath(path, folder)):
                    answer.append(os.path.relpath(path, folder))
            except OSError as error:
                leave_out(error)
    return sorted(answer, key=str)


def digest(path, largest):
    """A notebook's SHA-256. OSError if it cannot be brought"""
    if os.path.islink(path) or not os.path.isfile(path):
        raise OSError(0, "it is a link" if os.path.islink(path) else "it is not a file", path)
    with open(path, "rb") as file:
        contents = file.read(largest + 1)
    if len(contents) > largest:
        raise OSError(0, f"it has more than {largest >> 20} MB", path)
    return hashlib.sha256(contents).hexdigest()


if __name__ == "__main__":
    print(json.dumps(changed_notebooks(sys.argv[1], int(sys.argv[2]))))
