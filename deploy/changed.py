"""Prints the notebooks that were changed since they were installed: python3 changed.py FOLDER

The answer is a list in JSON: the relative path of each notebook, or [path, reason] for what cannot
be brought. `make collect` runs this on the boards. Needs only Python 3.6, and changes nothing.
"""

import hashlib
import json
import os
import sys

LARGEST = 20 << 20  # bytes; a student's notebook with its pictures has less than one million
DEEPEST = 20  # folders; a path of many more could not be opened any longer


def changed_notebooks(folder):
    """The answer, without Jupyter's checkpoints."""
    try:
        with open(os.path.join(folder, ".pynq_tutorial.json")) as file:
            installed = dict(json.load(file)["files"])
    except FileNotFoundError:
        sys.exit(f"There is no tutorial in {folder}: install it first.")
    except (KeyError, OSError, TypeError, ValueError):
        installed = {}  # then all of them count as changed
    answer = []

    def leave_out(path, reason):
        answer.append([os.path.relpath(path, folder), reason])

    def unreadable(error):
        leave_out(error.filename, error.strerror)

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if place.count(os.sep) - folder.count(os.sep) == DEEPEST and folders:
            leave_out(place, f"it has folders in it, and is in {DEEPEST} folders")
            folders[:] = []
        for name in names + folders:
            path = os.path.join(place, name)
            if name.endswith(".ipynb") or name in folders and os.path.islink(path):
                try:
                    if changed(path, installed.get(os.path.relpath(path, folder))):
                        answer.append(os.path.relpath(path, folder))
                except (OSError, ValueError) as error:
                    leave_out(path, getattr(error, "strerror", None) or str(error))
    return sorted(answer, key=str)


def changed(path, installed):
    """Whether a notebook is not as it was installed. ValueError if it cannot be brought"""
    if os.path.islink(path):
        raise ValueError("it is a link")
    if os.path.isdir(path):
        return False
    if not os.path.isfile(path):
        raise ValueError("it is not a file")
    with open(path, "rb") as file:
        contents = file.read(LARGEST + 1)
    if len(contents) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB")
    return hashlib.sha256(contents).hexdigest() != installed


if __name__ == "__main__":
    print(json.dumps(changed_notebooks(sys.argv[1])))
