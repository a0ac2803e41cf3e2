"""Two small editions for the installer, and what is in a folder that it installed into."""

import os

from deploy import tree

OLD = {"1.ipynb": b"one", "iop/a.py": b"a", "iop/b.py": b"b", "images/x.svg": b"x"}
NEW = {"1.ipynb": b"ONE", "iop/a.py": b"A", "iop/b.py": b"b", "images/y.svg": b"y"}


def contents(folder):
    """{relative path: contents} of a folder's files, but for the manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != tree.MANIFEST
    }


def snapshot(folder):
    """All that can be told of what is in a folder: contents, owners, rights, times, and which file
    it is."""
    return [
        (
            str(path),
            path.is_file() and path.read_bytes(),
            os.lstat(str(path))[:6],
            os.lstat(str(path)).st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    ]
