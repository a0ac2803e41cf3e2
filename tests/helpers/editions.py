"""Two small editions for the installer, and what is in a folder that it installed into."""

import hashlib
import os

from deploy import tree

OLD = {"1.ipynb": b"one", "iop/a.py": b"a", "iop/b.py": b"b", "images/x.svg": b"x"}
NEW = {"1.ipynb": b"ONE", "iop/a.py": b"A", "iop/b.py": b"b", "images/y.svg": b"y"}


def sha(text):
    return hashlib.sha256(text).hexdigest()


def contents(folder):
    """{relative path: contents} of a folder's files, but for the manifest."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.name != tree.MANIFEST}


def snapshot(folder):
    """All that can be told of what is in a folder: contents, owners, rights, times, and which file
    it is."""
    seen = []
    for path in sorted(folder.rglob("*")):
        stat = os.lstat(str(path))
        seen.append((str(path), path.is_file() and path.read_bytes(), stat[:6], stat.st_mtime_ns))
    return seen


def write(folder, files):
    """Writes files, {relative path: contents}, and makes the folders that they need."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
