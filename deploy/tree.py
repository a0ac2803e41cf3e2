"""Puts an edition of the tutorial into a folder that students work in, or removes it, as dpkg does.

Each new file is written beside its place, and takes the place by a rename. The manifest, a list of
the kit's files with their SHA-256, comes last. A file that a student changed stays, and one that is
saved just then is not lost. The next run completes one that was cut off. Needs Python 3.6.
"""

import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
from contextlib import contextmanager, suppress

MANIFEST = ".pynq_tutorial.json"
NEW_EDITION = "-new-edition"
COMING, LEAVING = ".pynq_tutorial-coming", ".pynq_tutorial-leaving"  # endings of temporary names
CHECKPOINTS, CACHE = ".ipynb_checkpoints", "__pycache__"


class InstallError(Exception):
    """A sentence for the person who installs: what went wrong, and whether anything was changed."""


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
        had this edition already. "interrupted" is there, and true, if an earlier run was cut off.

    Raises:
        InstallError: the same call completes what was changed, if anything was.
    """
    with _locked(target) as folder:
        completed = {"interrupted": True} if folder.clean() else {}
        return {**folder.bring(files, edition), **completed}


def uninstall(target):
    """Removes the kit's files that nobody changed. Raises InstallError, as `install` does.

    Returns:
        {"removed": [...], "kept": [...]}, of relative paths; both empty if nothing was installed.
    """
    with _locked(target) as folder:
        folder.clean()
        removed, kept = [], []
        if folder.installed:
            removed = folder.bring({}, None)["removed"]
            kept = sorted(folder.hashes())
            os.remove(folder.at(MANIFEST))
        _remove_folder(folder.path)
        return {"removed": removed, "kept": kept}


def unchanged(target):
    """The relative paths of the kit's files in a folder that nobody changed."""
    folder = _Folder(target)
    have = folder.hashes()
    return [name for name, sha in folder.old["files"].items() if have.get(name) == sha]


def interrupted(target):
    """Whether an installation was cut off in a folder, and none has completed it yet."""
    return bool(_Folder(target).old["coming"])


@contextmanager
def _locked(target):
    """Yields the _Folder while no other installation runs there. Raises InstallError."""
    target = os.path.realpath(target)
    parent, lock, folder = os.path.dirname(target), None, None
    try:
        if not os.path.isdir(parent):
            raise InstallError(
                f"There is no folder {parent} to install into: is this a PYNQ board's?"
            )
        if os.path.lexists(target) and not os.path.isdir(target):
            raise _clash(target)
        with suppress(OSError):  # a file system without locks
            lock = os.open(parent, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InstallError(
                    f"Another installation into {target} is under way: wait for it to end."
                ) from None
        folder = _Folder(target)
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
        return f"There is no room left for {target}, so nothing was changed: free some."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"You may not write into {os.path.dirname(place)}, so nothing was changed: use sudo."
    return f"{place}: {error.strerror}; nothing was changed."


def _clash(path):
    return InstallError(
        f"{path} is not a folder, and the tutorial has one of that name, so nothing was changed: "
        "rename yours."
    )


class _Folder:
    """A folder in which the kit is, or will be.

    path: its real path
    old: what its manifest says: "files", and what is "coming" while a run is under way, each
        {relative path: SHA-256}. A student can edit it, so no path is ever made of that.
    installed: whether it has a manifest. Without one, all in it counts as a student's.
    changed: whether this run has changed anything for whoever works in the folder
    """

    def __init__(self, path):
        self.path, self.changed, self.installed = os.path.realpath(path), False, False
        self.old = {"files": {}, "coming": {}}
        if os.path.isfile(self.at(MANIFEST)):
            unusable = suppress(ValueError, AttributeError, RecursionError)
            with open(self.at(MANIFEST), "rb") as file, unusable:
                read = json.loads(file.read().decode())
                self.old = {
                    part: {n: sha for n, sha in read.get(part, {}).items() if isinstance(sha, str)}
                    for part in self.old
                }
                self.installed = True

    def at(self, name, ending=""):
        """A file's path; with an ending, that of its temporary name."""
        if ending:
            name = os.path.join(os.path.dirname(name), f".{os.path.basename(name)}{ending}")
        return os.path.join(self.path, name)

    def hashes(self, files=()):
        """{relative path: SHA-256} of what is there. A file that by its name is not the kit's has
        None, because a student may have gigabytes."""
        # where case does not count, 1_memory.ipynb may be there as 1_Memory.ipynb
        names = {name for name in files if os.path.lexists(self.at(name))}
        for place, folders, entries in os.walk(self.path, onerror=_unless_a_students):
            links = [each for each in folders if os.path.islink(os.path.join(place, each))]
            paths = [os.path.join(place, each) for each in entries + links]
            names.update(os.path.relpath(path, self.path) for path in paths)
        names.discard(MANIFEST)
        return {n: _hash(self.at(n)) if n in files or self.known(n) else None for n in names}

    def known(self, name):
        """The hashes by which a file of this name is the kit's, and not a student's."""
        name = _original(name)
        return {part[name] for part in self.old.values() if name in part}

    def beside(self, name, wanted):
        """The name for a new file beside a student's. Nothing has that name, or a file of the
        kit's has it, which may be replaced."""
        stem, extension = os.path.splitext(_original(name))
        for number in itertools.chain([""], map("-{}".format, itertools.count(2))):
            beside = stem + NEW_EDITION + number + extension
            path = self.at(beside)
            if not os.path.lexists(path) or _hash(path) in {wanted, *self.known(beside)}:
                return beside

    def bring(self, files, edition):
        """Changes what is not as in the edition. If `edition` is None, it only removes files.
        Arguments and report are those of `install`."""
        have = self.hashes(files)
        report = {word: [] for word in ("new", "replaced", "removed", "kept", "beside")}
        put, stay, manifest = {}, set(files), {}
        for name, contents in sorted(files.items()):
            wanted = manifest[name] = hashlib.sha256(contents).hexdigest()
            if name not in have or have[name] in self.known(name) - {wanted}:
                put[name] = contents
            elif have[name] != wanted:
                report["kept"].append(name)
                beside = self.beside(name, wanted)
                stay.add(beside)
                if self.old["files"].get(name) != wanted != _hash(self.at(beside)):
                    put[beside] = contents
        gone = sorted(name for name in have if name not in stay and have[name] in self.known(name))
        if not put and not gone and self.old == {"files": manifest, "coming": {}}:
            return {word: [] for word in report}
        self.refuse_clashes(put)
        ready = {}
        try:
            if edition:
                self.write_beside(put, edition, manifest, ready)
            self.change(gone, put, have, ready, report)
            os.sync()
            if edition:
                os.replace(ready[MANIFEST], self.at(MANIFEST))
                os.sync()
        finally:
            for path in filter(os.path.lexists, ready.values()):
                with suppress(OSError):
                    os.remove(path)
            if not self.changed:
                _remove_folder(self.path)
        return report

    def refuse_clashes(self, put):
        """Refuses to put a file into what is not a folder, such as a link."""
        for path in [self.at(folder) for name in put for folder in _above(name)]:
            if os.path.islink(path) or os.path.lexists(path) and not os.path.isdir(path):
                raise _clash(path)

    def write_beside(self, put, edition, manifest, ready):
        """Writes all new files under temporary names, which it puts into `ready`. Then it adds to
        the manifest what is coming, so that the next run knows these files as the kit's.

        Args:
            put: {relative path: contents} of the new files
            manifest: {relative path: SHA-256} of all files of the edition
            ready: gets {relative path: path of the temporary file}
        """
        for name, contents in put.items():
            self.old["coming"][_original(name)] = hashlib.sha256(contents).hexdigest()
        put = dict(put)
        put[MANIFEST] = _json(edition=edition, files=manifest, coming={})
        put["journal"] = _json(edition=edition, **self.old)
        self.make_folder("")
        for name, contents in put.items():
            above = next(each for each in [*_above(name), ""] if os.path.isdir(self.at(each)))
            rest = os.path.relpath(name, above or ".").replace("/", "+")
            ready[name] = self.at(os.path.join(above, rest), COMING)
            with open(ready[name], "xb") as file:
                file.write(contents)
            self.own(ready[name], 0o644)
        os.sync()  # boards are often switched off without a shutdown
        os.replace(ready["journal"], self.at(MANIFEST))

    def change(self, gone, put, have, ready, report):
        """Removes and replaces all files that it can. Then it raises the first error."""
        failed = None
        for name in gone + sorted(put):
            word = "removed" if name in gone else "replaced" if name in have else "new"
            try:
                try:
                    self.exchange(name, have.get(name), ready.get(name))
                except FileExistsError:  # a student saved it just now
                    if name in gone:
                        continue
                    report["kept"].append(name)
                    new, name = ready[name], self.beside(name, _hash(ready[name]))
                    self.exchange(name, _hash(self.at(name)), new)
                report["beside" if NEW_EDITION in name and name not in gone else word].append(name)
            except OSError as error:
                failed = failed or error
        if failed:
            raise failed

    def exchange(self, name, expected, ready):
        """Removes a file, and has another one take its place, if there is one.

        What a cut leaves, and what clean() does with it at the next run:
        - the old file in place, the new one under a name that ends in COMING: removes the new one
        - the old one under a name that ends in LEAVING, nothing in place: gives it its name back
        - the new one in place, the old one still LEAVING: removes the old one, if it is the kit's

        Args:
            name: its relative path
            expected: its SHA-256, or None if nothing is there
            ready: the path of the other file, or None

        Raises:
            FileExistsError: a student has saved the file meanwhile. What was saved is in place.
        """
        leaving = self.at(name, LEAVING)
        try:
            if expected and os.path.lexists(self.at(name)):
                os.rename(self.at(name), leaving)
                self.changed = True
                if _hash(leaving) != expected:
                    raise _just_saved(self.at(name))
            if ready:
                self.changed = True
                for folder in reversed(list(_above(name))):
                    self.make_folder(folder)
                _move(ready, self.at(name))
        except OSError:
            self.give_back(name)
            raise
        if os.path.lexists(leaving):
            os.remove(leaving)
        if not ready:
            for folder in _above(name):
                _remove_folder(self.at(folder))

    def give_back(self, name):
        """Gives a file its name back, if `exchange` had moved it out of the way.

        If the student has saved a new file of this name since, that one stays. The moved file is
        then removed if it is the kit's; if not, it gets a number in its name.
        """
        leaving = self.at(name, LEAVING)
        for number in itertools.count(1):
            if not os.path.lexists(leaving):
                return
            there = self.at(name if number == 1 else f"-{number}".join(os.path.splitext(name)))
            try:
                _move(leaving, there)
            except FileExistsError:
                if _hash(leaving) in {_hash(there), *self.known(name)}:
                    os.remove(leaving)

    def clean(self):
        """Undoes the exchange during which an earlier run was cut off. Also removes files that
        Python and pynq write again when they need them. Returns whether a run was cut off."""
        cut_off = bool(self.old["coming"])
        ours = {folder for part in self.old.values() for name in part for folder in _above(name)}
        for place, _, names in os.walk(self.path, topdown=False, onerror=_unless_a_students):
            folder = os.path.relpath(place, self.path)
            for entry in names:
                path = os.path.join(place, entry)
                if entry.startswith(".") and entry.endswith((COMING, LEAVING)):
                    cut_off = self.changed = True
                    if entry.endswith(COMING):
                        os.remove(path)
                    else:
                        name = os.path.join(folder, entry[1 : -len(LEAVING)])
                        self.give_back(os.path.normpath(name))
                elif _is_written_again(path):
                    with suppress(OSError):
                        os.remove(path)
            if os.path.basename(place) in (CACHE, CHECKPOINTS) or folder in ours:
                _remove_folder(place)
        return cut_off

    def make_folder(self, name):
        if not os.path.isdir(self.at(name)):
            os.mkdir(self.at(name))
            self.own(self.at(name), 0o755)

    def own(self, path, mode):
        parent = os.stat(os.path.dirname(self.path))
        with suppress(OSError):  # not every file system has owners and modes
            if os.geteuid() == 0:
                os.chown(path, parent.st_uid, parent.st_gid)
            os.chmod(path, mode)


def _json(**manifest):
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


def _original(name):
    """The name of the file, if this is the name of its checkpoint or of its new edition."""
    name = re.sub(re.escape(CHECKPOINTS) + "/([^/]*)-checkpoint", r"\1", name)
    return re.sub(NEW_EDITION + r"(-\d+)?(?=\.|$)", "", name)


def _above(name):
    """The folders in which a file is, the innermost first."""
    while os.path.dirname(name) not in ("", name):
        name = os.path.dirname(name)
        yield name


def _unless_a_students(error):
    """For os.walk: ignores folders that a student has closed or just removed."""
    if not isinstance(error, (PermissionError, FileNotFoundError)):
        raise error


def _just_saved(path):
    return FileExistsError(errno.EEXIST, "was saved just now", path)


def _is_written_again(path):
    """Whether a file is Python's cache, or what pynq 3.1 writes where it downloads an overlay."""
    above, entry = os.path.split(path)
    if entry != "loaded.xclbin" or not os.path.isfile(path):
        return os.path.basename(above) == CACHE and entry.endswith(".pyc")
    with open(path, "rb") as file:
        return file.read(7) == b"xclbin2"


def _hash(path):
    """The SHA-256 of a file, or the target of a link. None if the path is neither of these, cannot
    be read, or has gone meanwhile."""
    try:
        if os.path.islink(path):
            return "-> " + os.readlink(path)
        if not os.path.isfile(path):
            return None
        sha256 = hashlib.sha256()
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                sha256.update(piece)
        return sha256.hexdigest()
    except (PermissionError, FileNotFoundError):
        return None


def _move(here, there):
    """Renames a file. Raises FileExistsError if there is one already, which a student may just have
    saved."""
    try:
        os.link(here, there, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: a save between the next two calls is lost
        if os.path.lexists(there):
            raise _just_saved(there) from None
        os.rename(here, there)
    else:
        os.remove(here)


def _remove_folder(path):
    with suppress(OSError):  # mostly because something is in it
        os.rmdir(path)
