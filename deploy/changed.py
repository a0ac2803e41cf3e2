"""Prints, as JSON, the relative paths of the notebooks that were changed since they were installed: python3 changed.py FOLDER

`make collect` runs it on the boards. Needs only Python 3.6, and changes nothing.
"""

import hashlib
import json
import os
import sys

LARGEST = 20 << 20  # bytes; a student's notebook with its pictures has less than one million


def changed_notebooks(folder):
    """The paths, without Jupyter's checkpoints, links, and notebooks of more than LARGEST bytes."""
    with open(os.path.join(folder, ".pynq_tutorial.json")) as file:
        installed = json.load(file)["files"]
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (os.path.join(place, name) for name in names if name.endswith(".ipynb")):
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) <= LARGEST:
                name = os.path.relpath(path, folder)
                with open(path, "rb") as file:
                    if hashlib.sha256(file.read()).hexdigest() != installed.get(name):
                        found.append(name)
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(changed_notebooks(sys.argv[1])))
