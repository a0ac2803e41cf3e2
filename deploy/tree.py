"""Puts an edition of the tutorial into a folder that students work in, or removes it, as dpkg does.

All new files are written beside their places first, then each takes its place by a rename. A file
that a student changed stays as it is, and one that is saved just then is not lost. The next run
completes one that was cut off. Needs Python 3.6, and a file system that renames files.
"""

import errno
import fcntl
import os
from contextlib import contextmanager

from .folder import MANIFEST, NEW_EDITION, Folder, InstallError, refusal, remove_folder

__all__ = [
    "MANIFEST",
    "NEW_EDITION",
    "InstallError",
    "install",
    "interrupted",
    "left_over",
    "unchanged",
    "uninstall",
]
STAGING = ".{}.staging"  # during a run, editions up to 1.1.0 had such a folder beside the target


def install(target, files, edition):
    """Brings the folder `target` to an edition.

    Args:
        target: path of the folder. Its parent exists; whoever owns that gets what is new.
        files: {relative path: contents as bytes}
        edition: the edition's name, for the manifest

    Returns:
        What happened, as {word: [relative paths]}. "new", "replaced" and "removed" are the kit's
        files. "kept" ones were changed by a student and stay as they are; if the edition has a
        newer version of one, that comes beside it, and is in "beside". All are empty if the folder
        had this edition already. If a run was cut off, "interrupted" has what it was changing.

    Raises:
        InstallError: the same call completes what was changed, if anything was.
    """
    with _alone(target) as folder:
        report = {word: set() for word in ("new", "replaced", "removed", "kept", "beside")}
        cut_off = folder.recover()
        folder.bring(files, edition, report)
        if cut_off:
            report["interrupted"] = cut_off
        return {word: sorted(names) for word, names in report.items()}


def uninstall(target):
    """Removes the kit's files that nobody changed. Raises InstallError, as `install` does.

    Returns:
        {"removed": [...], "kept": [...]}, of relative paths; both empty if nothing was installed.
    """
    with _alone(target) as folder:
        report, kept = {"removed": set()}, ()
        folder.recover()
        if folder.installed:
            folder.bring({}, None, report)
            kept = folder.look()
            os.remove(folder.at(MANIFEST))
        remove_folder(folder.path)
        return {"removed": sorted(report["removed"]), "kept": sorted(kept)}


def unchanged(target):
    """The relative paths of the kit's files in a folder that nobody changed."""
    folder = Folder(target)
    have = folder.look()
    return [name for name, known in folder.old["files"].items() if have.get(name) == known]


def interrupted(target):
    """Whether an installation was cut off in a folder, and none has completed it yet."""
    return bool(Folder(target).old["coming"])


def left_over(target):
    """Folders beside `target` that a killed run of edition 1.1.0 left. Nothing reads or removes
    them: they may hold what a student saved in that moment."""
    parent, name = os.path.split(os.path.realpath(target))
    paths = [os.path.join(parent, STAGING.format(name) + end) for end in ("", ".part")]
    return [path for path in paths if os.path.lexists(path)]


@contextmanager
def _alone(target):
    """Yields the Folder while no other installation runs there."""
    target = os.path.realpath(target)
    parent, lock, folder = os.path.dirname(target), None, None
    try:
        if not os.path.isdir(parent):
            raise InstallError(
                f"There is no folder {parent} to install into: is this a PYNQ board's?"
            )
        if os.path.lexists(target) and not os.path.isdir(target):
            raise refusal(target, "is not a folder, and the tutorial has one of that name")
        try:
            lock = os.open(parent, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallError(
                f"Another installation into {target} is under way: wait for it to end."
            ) from None
        except OSError:
            pass  # a file system without locks
        folder = Folder(target)
        yield folder
    except OSError as error:
        raise InstallError(_sentence(error, target, folder and folder.changed)) from None
    finally:
        if lock is not None:
            os.close(lock)


def _sentence(error, target, changed):
    place = error.filename or target
    if changed:
        return (
            f"{place}: {error.strerror}, so not all of {target} is of one edition: mend that "
            "and give the same command again, which completes it."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"There is no room left for {target}, so nothing was changed: free some and try again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"You may not write into {os.path.dirname(place)}, so nothing was changed: use sudo."
    if error.errno == errno.EROFS:
        return f"{target} is read-only, so nothing was changed: make its file system writable."
    return f"{place}: {error.strerror}; nothing was changed."
