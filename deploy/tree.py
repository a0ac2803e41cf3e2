"""Puts a new edition of the tutorial into a folder that students work in: all of it or nothing, and no work is lost.

Which files are the kit's and as it left them, a manifest in the folder knows, by their SHA-256. The new state is built in a
folder of its own beside the old one, where a student's files are links to the same files, not copies. Then the two folders
change their names in one step of the kernel, so that at every moment one of them is there, and whole. Needs Linux and
Python 3.6.
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
CACHE, CACHED = "__pycache__", ".pyc"  # made anew by themselves
LOADED = "loaded.xclbin"  # pynq 3.1 writes it anew, as root, wherever a notebook downloads an overlay
CHECKPOINTS = ".ipynb_checkpoints"
RENAMEAT2 = {"armv7l": 382, "x86_64": 316, "aarch64": 276}  # its number in each Linux; glibc has a function for it from 2.28 on
PART = ".part"
AT_FDCWD, RENAME_EXCHANGE = -100, 2


class InstallError(Exception):
    """What went wrong; its text is a sentence for whoever asked, and says whether anything was changed."""


def install(target, files, edition):
    """Brings the folder `target` to an edition, and returns what happened as {word: [relative paths]}.

    target:  path of the folder; its parent exists. New files and folders get its parent's owner.
    files:   {relative path: contents as bytes}
    edition: the edition's name, for the manifest

    "new", "replaced" and "removed" are the kit's own files. "kept" were changed by a student and stay as they are; where the
    edition has something newer for one of them, it comes beside it and is in "beside". All lists are empty if the folder was
    of this edition already. Raises InstallError: then nothing has changed, or, where its text says so, the new edition is there
    and only what was left to clean up is not done.
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
    """Removes the kit's files that are as it left them; returns {"removed": [...], "kept": [...]}, of relative paths.

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
    except OSError:  # above all because something is in it
        pass


def unchanged(target):
    """The relative paths of those of the kit's files in a folder that are as it left them."""
    have, old = _hashes(target), _manifest(target)
    return [name for name in old["files"] if have.get(name) == old["files"][name]]


@contextmanager
def _alone(target):
    """Gives (target, staging folder) while no other installation runs, once what a killed one left has been settled."""
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
    """For what comes after the exchange. An error there does not mean that nothing was changed: `state` says what is true."""
    try:
        yield
    except OSError as error:
        raise InstallError("{}, but cleaning up failed ({}: {}): mend that and give the same command again, which completes it."
                           .format(state, error.filename or "there", error.strerror)) from None


def _refuse_mounts(target):
    """Refuses a folder in which something is mounted, or that is on another file system than the folder around it: links do
    not lead from one file system to another, nor can the kernel exchange two folders that are not on the same one."""
    mounts = [path for path in _mounted() if path == target or path.startswith(target + os.sep)]
    if not mounts and os.path.isdir(target):  # file systems within one mount, as Btrfs has them
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
    # proc(5): the fifth field; a space, and what else would end a field, is an octal number there.
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
    """Relative paths of all there is in a folder but folders; those too if they are empty."""
    for entry in sorted(os.listdir(os.path.join(folder, under))):
        name = os.path.join(under, entry)
        path = os.path.join(folder, name)
        if name == MANIFEST or entry.endswith(CACHED) and os.path.basename(under) == CACHE or entry == LOADED and _is_xclbin(path):
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            inside = list(_entries(folder, name))
            for found in inside or ([] if entry == CACHE else [name]):
                yield found
        else:
            yield name


def _is_xclbin(path):
    try:
        with open(path, "rb") as file:
            return file.read(7) == b"xclbin2"
    except OSError:  # a folder, or a link to nothing
        return False


def _hashes(folder):
    """{relative path: SHA-256} of a folder's entries; where a link leads; None for what is neither."""
    found = {}
    for name in _entries(folder) if os.path.isdir(folder) else ():
        try:
            found[name] = _hash(os.path.join(folder, name))
        except FileNotFoundError:
            pass  # a temporary file, as Jupyter has one while it saves
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
    """Whether a file is as the kit left it. So is Jupyter's checkpoint of a notebook that nobody changed."""
    delivered = (old["files"].get(name), old["beside"].get(name))
    if os.path.basename(os.path.dirname(name)) == CHECKPOINTS:
        delivered = list(old["files"].values()) + list(old["beside"].values())
    return have[name] is not None and have[name] in delivered


def _beside(name, wanted, have, old):
    """The name under which a new edition comes beside a student's file: one that is free, or the kit's already."""
    stem, extension = os.path.splitext(name)
    number = ""
    while True:
        beside = stem + NEW_EDITION + number + extension
        if beside not in have or have[beside] in (wanted, old["beside"].get(beside, "")):
            return beside
        number = "-{}".format(int(number[1:] or 1) + 1)


def _refuse_clashes(target, linked, put):
    """Refuses to put a file where a student has a folder, or into what is none, such as a link to somewhere else."""
    folders = {folder for name in put for folder in _above(name)}
    for name in sorted(linked):
        path = os.path.join(target, name)
        if name in folders and (os.path.islink(path) or not os.path.isdir(path)):
            raise InstallError("{} is no folder, and the tutorial has one of that name, so nothing was changed: rename "
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
    """Makes the new state, and calls it by the staging folder's name once it is whole."""
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
                    continue  # gone meanwhile, so gone it stays
                manifest["linked"][name] = _mark(path)
        _make_folders(part, target, "", owner)
        _write(os.path.join(part, MANIFEST), json.dumps(manifest, indent=1, sort_keys=True).encode(), owner)
        os.sync()  # a board loses its power more often than others
        os.rename(part, staging)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _mark(path):
    """What tells whether a path is still the same file, and as it was."""
    found = os.lstat(path)
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def _make_folders(part, target, name, owner):
    """Makes a folder of the new state and those above it, each with the rights of the old state's."""
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
    """Puts the new state in the old one's place, brings over what was saved in the meantime, and removes the old one."""
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
    """Lets two paths change places; the kernel does it in one step."""
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
    """Removes a staging folder: either a new state that never came to its place, or the old one, after the exchange.

    What a student saved into the old one in its last moment is brought over: it takes its own name again, and if the new
    edition has come to that name, it goes beside it. The manifest says what was saved before that, and has been superseded
    where it differs now; a board's clock, which stands still without power, could not.
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
    """Removes a staging folder of which nothing is needed any more; a part of one must not be taken for a whole one."""
    os.rename(staging, staging + PART)
    shutil.rmtree(staging + PART)
