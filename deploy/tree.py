"""Puts a new edition of the tutorial into a folder that students work in: all of it or nothing, and no work is lost.

A manifest in the folder lists the kit's files and their SHA-256, which shows what a student changed. The new state is built in a
folder of its own beside the old one, with hard links to the student's files, not copies. Then the kernel exchanges the names of
the two folders in one step, so that at every moment one of them is there, and complete. Needs Linux and Python 3.6.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
from contextlib import contextmanager

MANIFEST = ".pynq_tutorial.json"
NEW_EDITION = "-new-edition"
CACHE, CACHED = "__pycache__", ".pyc"  # Python writes them again
LOADED = "loaded.xclbin"  # pynq 3.1 writes it again, as root, wherever a notebook downloads an overlay
CHECKPOINTS = ".ipynb_checkpoints"
RENAMEAT2 = {"armv7l": 382, "x86_64": 316, "aarch64": 276}  # its number in each Linux; glibc has a function for it from 2.28 on
PART = ".part"
AT_FDCWD, RENAME_EXCHANGE = -100, 2


class InstallError(Exception):
    """The text is a sentence for the person who installs: what went wrong, and whether anything was changed."""


def install(target, files, edition):
    """Brings the folder `target` to an edition, and returns what happened as {word: [relative paths]}.

    target:  path of the folder; its parent exists. New files and folders get the parent's owner.
    files:   {relative path: contents as bytes}
    edition: the edition's name, for the manifest

    "new", "replaced" and "removed" are the kit's own files. "kept" files were changed by a student and stay as they are; if the
    edition has a newer version of one, that comes beside it, and is in "beside". All lists are empty if the folder had this
    edition already. Raises InstallError: then nothing has changed, or, if the text says so, the new edition is there and only the
    cleaning up is not done.
    """
    with _alone(target) as (target, staging):
        old = _manifest(target)
        have = _hashes(target)
        report = {"new": [], "replaced": [], "removed": [], "kept": [], "beside": []}
        put, stay, manifest = {}, set(), {"files": {}, "beside": {}}
        for name, contents in sorted(files.items()):
            wanted = manifest["files"][name] = hashlib.sha256(contents).hexdigest()
            delivered = old["files"].get(name, "")  # not None, which stands for an empty folder
            if have.get(name) == wanted:
                stay.add(name)
            elif name not in have or have[name] == delivered:
                put[name] = contents
                report["replaced" if name in have else "new"].append(name)
            else:
                stay.add(name)
                report["kept"].append(name)
                beside = _beside(name, wanted, have, old)
                if delivered != wanted and have.get(beside) != wanted:
                    put[beside] = contents
                    report["beside"].append(beside)
                if delivered != wanted or beside in have:
                    manifest["beside"][beside] = wanted
                    stay.add(beside)
        gone = {name for name in have if name not in stay and name not in put and _is_ours(name, have, old)}
        report["removed"] = sorted(gone)
        if not put and not gone and manifest == {"files": old["files"], "beside": old["beside"]}:
            return {word: [] for word in report}
        linked = set(have) - gone - set(put)
        manifest.update(edition=edition, generation=old["generation"] + 1)
        _refuse_clashes(target, linked, put)
        _build(staging, target, linked, put, manifest)
        _swap(target, staging, old)
        return report


def uninstall(target):
    """Removes the kit's files that nobody changed; returns {"removed": [...], "kept": [...]}, of relative paths.

    Both are empty if nothing was installed there. Raises InstallError, as `install` does.
    """
    with _alone(target) as (target, staging):
        old = _manifest(target)
        if not old["generation"]:
            _remove_empty(target)  # a run that was killed may have left it
            return {"removed": [], "kept": []}
        have = _hashes(target)
        gone = {name for name in have if _is_ours(name, have, old)}
        _build(staging, target, set(have) - gone, {},
               {"files": {}, "beside": {}, "edition": "", "generation": old["generation"] + 1})
        _swap(target, staging, old)
        with _cleaning_up("The tutorial was removed from {}".format(target)):
            kept = set(_hashes(target))  # with what was saved in the meantime
            os.remove(os.path.join(target, MANIFEST))
            _remove_empty(target)
            return {"removed": sorted(gone - kept), "kept": sorted(kept)}


def _remove_empty(folder):
    try:
        os.rmdir(folder)
    except OSError:  # mostly because something is in it
        pass


def unchanged(target):
    """The relative paths of the kit's files in a folder that nobody changed."""
    have, old = _hashes(target), _manifest(target)
    return [name for name in old["files"] if have.get(name) == old["files"][name]]


@contextmanager
def _alone(target):
    """Yields (target, staging folder) while no other installation runs, after cleaning up what a killed one left."""
    target = os.path.realpath(target)
    parent, name = os.path.split(target)
    staging = os.path.join(parent, ".{}.staging".format(name))
    lock = None
    try:
        lock = os.open(parent, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _refuse_mounts(target)
        shutil.rmtree(staging + PART, ignore_errors=True)
        if os.path.lexists(staging):
            with _cleaning_up("An earlier run was cut off, and {} is whole".format(target)):
                _settle(target, staging)
        yield target, staging
    except OSError as error:
        raise InstallError(_sentence(error, target)) from None
    finally:
        if lock is not None:
            os.close(lock)


@contextmanager
def _cleaning_up(state):
    """For the steps after the exchange. An error there does not mean that nothing was changed: `state` says what is true."""
    try:
        yield
    except OSError as error:
        raise InstallError("{}, but cleaning up failed ({}: {}): mend that and give the same command again, which completes it."
                           .format(state, error.filename or "there", error.strerror)) from None


def _refuse_mounts(target):
    """Refuses a folder in which something is mounted, or that is on another file system than its parent: hard links cannot lead
    from one file system to another, and the kernel cannot exchange folders on different ones."""
    mounts = [path for path in _mounted() if path == target or path.startswith(target + os.sep)]
    if not mounts and os.path.isdir(target):  # file systems within one mount, such as Btrfs's subvolumes
        device = os.stat(os.path.dirname(target)).st_dev
        mounts = [path for path, _, _ in os.walk(target) if os.lstat(path).st_dev != device]
    if mounts:
        raise InstallError("{} is a file system that is mounted there, and the tutorial is put into its place as a whole, so "
                           "nothing was changed: unmount it first (sudo umount {}).".format(mounts[0], mounts[0]))


def _mounted():
    """The paths where Linux has something mounted, as this process sees them."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            lines = table.read().splitlines()
    except OSError:  # a system without /proc
        return []
    # proc(5): the fifth field; a space, and any other character that would end a field, is an octal number.
    return [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line.split(" ")[4]) for line in lines]


def _sentence(error, target):
    parent = os.path.dirname(target)
    if error.errno in (errno.EAGAIN, errno.EACCES) and not error.filename:
        return "Another installation into {} is under way: wait for it to end.".format(target)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no room left for {}, so nothing was changed: free some and try again.".format(target)
    if error.errno in (errno.EACCES, errno.EPERM):
        return "You may not write into {}, so nothing was changed: use sudo.".format(parent)
    if error.errno == errno.EROFS:
        return "{} is on a file system that is read-only, so nothing was changed: make it writable.".format(target)
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.isdir(parent):
        return "There is no folder {} to install into: is this a PYNQ board's?".format(parent)
    return "{}: {}; nothing was changed.".format(error.filename or target, error.strerror)


def _manifest(folder):
    try:
        with open(os.path.join(folder, MANIFEST)) as file:
            manifest = json.load(file)
        return {"files": dict(manifest["files"]), "beside": dict(manifest["beside"]),
                "linked": dict(manifest.get("linked", {})), "generation": int(manifest["generation"])}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return {"files": {}, "beside": {}, "linked": {}, "generation": 0}  # then everything in it counts as a student's


def _entries(folder, under=""):
    """Relative paths of everything in a folder, except folders that are not empty."""
    for entry in sorted(os.listdir(os.path.join(folder, under))):
        name = os.path.join(under, entry)
        path = os.path.join(folder, name)
        if name == MANIFEST or entry.endswith(CACHED) and os.path.basename(under) == CACHE or entry == LOADED and _is_xclbin(path):
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            yield from list(_entries(folder, name)) or ([] if entry == CACHE else [name])
        else:
            yield name


def _is_xclbin(path):
    try:
        with open(path, "rb") as file:
            return file.read(7) == b"xclbin2"
    except OSError:  # a folder, or a broken link
        return False


def _hashes(folder):
    """{relative path: SHA-256} of a folder's files; of a link, where it leads; None for other entries."""
    found = {}
    for name in _entries(folder) if os.path.isdir(folder) else ():
        try:
            found[name] = _hash(os.path.join(folder, name))
        except FileNotFoundError:
            pass  # a temporary file, such as Jupyter has while it saves
    return found


def _hash(path):
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.isfile(path):
        return None
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            sha256.update(piece)
    return sha256.hexdigest()


def _is_ours(name, have, old):
    """Whether a file is the kit's and unchanged, or is Jupyter's checkpoint of such a notebook."""
    delivered = (old["files"].get(name), old["beside"].get(name))
    if os.path.basename(os.path.dirname(name)) == CHECKPOINTS:
        delivered = [*old["files"].values(), *old["beside"].values()]
    return have[name] is not None and have[name] in delivered


def _beside(name, wanted, have, old):
    """The name for a new edition's file beside a student's: a free name, or that of an unchanged file of the kit."""
    stem, extension = os.path.splitext(name)
    number = ""
    while True:
        beside = stem + NEW_EDITION + number + extension
        if beside not in have or have[beside] in (wanted, old["beside"].get(beside, "")):
            return beside
        number = "-{}".format(int(number[1:] or 1) + 1)


def _refuse_clashes(target, linked, put):
    """Refuses to put a file where a student has a folder, or into something that is not a folder, such as a link."""
    folders = {folder for name in put for folder in _above(name)}
    for name in sorted(linked):
        path = os.path.join(target, name)
        if name in folders and (os.path.islink(path) or not os.path.isdir(path)):
            raise InstallError("{} is not a folder, and the tutorial has one of that name, so nothing was changed: rename "
                               "yours.".format(path))
        for folder in _above(name):
            if folder in put:
                raise InstallError("{} is a folder, and the tutorial has a file of that name, so nothing was changed: "
                                   "rename yours.".format(os.path.join(target, folder)))


def _above(name):
    while os.path.dirname(name):
        name = os.path.dirname(name)
        yield name


def _build(staging, target, linked, put, manifest):
    """Builds the new state, and gives it the staging folder's name once it is complete."""
    owner = os.stat(os.path.dirname(target))
    part = staging + PART
    manifest = dict(manifest, linked={})
    try:
        for name in sorted(linked) + sorted(put):
            path, here = os.path.join(part, name), os.path.join(target, name)
            if name in put:
                _make_folders(part, target, os.path.dirname(name), owner)
                _write(path, put[name], owner)
            elif os.path.isdir(here) and not os.path.islink(here):
                _make_folders(part, target, name, owner)
            else:
                _make_folders(part, target, os.path.dirname(name), owner)
                try:
                    os.link(here, path, follow_symlinks=False)
                except FileNotFoundError:
                    continue  # removed meanwhile, so it stays removed
                manifest["linked"][name] = _mark(path)
        _make_folders(part, target, "", owner)
        _write(os.path.join(part, MANIFEST), json.dumps(manifest, indent=1, sort_keys=True).encode(), owner)
        os.sync()  # boards are often switched off without a shutdown
        os.rename(part, staging)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _mark(path):
    """A value that changes if a path becomes another file, or the file is written."""
    found = os.lstat(path)
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def _make_folders(part, target, name, owner):
    """Makes a folder of the new state and those above it, each with the permissions of the old state's."""
    path, like = os.path.join(part, name), os.path.join(target, name)
    if os.path.isdir(path):
        return
    if name:
        _make_folders(part, target, os.path.dirname(name), owner)
    os.mkdir(path)
    if os.path.isdir(like):
        _own(path, os.stat(like), os.stat(like).st_mode & 0o7777)
    else:
        _own(path, owner, 0o755)


def _write(path, contents, owner):
    with open(path, "xb") as file:
        file.write(contents)
    _own(path, owner, 0o644)


def _own(path, owner, mode):
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(path, mode)


def _swap(target, staging, old):
    """Puts the new state in the old one's place, moves over what was saved in the meantime, and removes the old state."""
    if os.path.lexists(target):
        try:
            _exchange(staging, target)
        except BaseException:
            if _manifest(staging)["generation"] > old["generation"]:
                _discard(staging)
            raise
        with _cleaning_up("The change to {} was made".format(target)):
            _settle(target, staging)
    else:
        os.rename(staging, target)
    os.sync()


def _exchange(one, other):
    """Exchanges two paths in one step of the kernel."""
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(*arguments)
    else:
        number = RENAMEAT2.get(platform.machine())
        failed = number is None or libc.syscall(number, *arguments)
    if failed:
        raise OSError(ctypes.get_errno() or errno.ENOSYS, "this file system cannot exchange two folders", other)


def _settle(target, staging):
    """Removes a staging folder: either a new state that never came to its place, or the old one after the exchange.

    A file that a student saved into the old state at the last moment is moved over under its own name; if the new edition has
    brought a file of that name, that one goes beside it. To tell what was saved since, files are compared with the manifest, and
    not by time, because a board's clock stops without power.
    """
    old, new = _manifest(staging), _manifest(target)
    if old["generation"] < new["generation"]:
        have, arrived = _hashes(staging), _hashes(target)
        for name in sorted(have):
            here, there = os.path.join(staging, name), os.path.join(target, name)
            linked = new["linked"].get(name)
            if _is_ours(name, have, old) or have[name] in (None, arrived.get(name, "")) or _mark(here) == linked:
                continue
            if os.path.lexists(there) and _mark(there)[0] == _mark(here)[0]:
                continue  # one file, which is being written
            if os.path.lexists(there) and _mark(there) != linked:
                if name in arrived and _is_ours(name, arrived, new):
                    os.rename(there, os.path.join(target, _beside(name, "", arrived, old)))
                else:  # saved again since
                    there = os.path.join(target, _beside(name, have[name], arrived, old))
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.rename(here, there)
    _discard(staging)


def _discard(staging):
    """Removes a staging folder. It is renamed first, so that what is left of it is never taken for a complete one."""
    os.rename(staging, staging + PART)
    shutil.rmtree(staging + PART)
