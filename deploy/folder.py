"""The folder that tree.py installs into: what is there, whose it is, and how a file is replaced.

A manifest in it lists the kit's files with their SHA-256. During a run it also lists what is
coming, so that the next run knows these files for the kit's. Needs Python 3.6.
"""

import hashlib
import itertools
import json
import os
from contextlib import suppress

MANIFEST = ".pynq_tutorial.json"
PARTS = "files", "beside", "coming"  # of the manifest, each {relative path: SHA-256}
NEW_EDITION = "-new-edition"
CACHE, CACHED = "__pycache__", ".pyc"  # Python writes them again
LOADED = "loaded.xclbin"  # pynq 3.1 writes it, as root, wherever a notebook downloads an overlay
CHECKPOINTS = ".ipynb_checkpoints"
COMING, LEAVING = ".pynq_tutorial-coming", ".pynq_tutorial-leaving"  # endings of temporary names
PASSES = 5  # each repeats what the one before left because a student was saving it


class InstallError(Exception):
    """A sentence for the person who installs: what went wrong, and whether anything was changed."""


def refusal(path, why):
    return InstallError(f"{path} {why}, so nothing was changed: rename yours.")


class Folder:
    """A folder in which the kit is, or will be.

    path: its real path
    old: what its manifest says. A student can edit it, so no path is made of that: only what is in
        the folder is changed.
    installed: whether it has a manifest. Without one, all in it counts as a student's.
    changed: whether this run has changed anything for whoever works in the folder
    """

    def __init__(self, path):
        self.path, self.changed = os.path.realpath(path), False
        self.read_manifest()

    def at(self, name):
        return os.path.join(self.path, name)

    def read_manifest(self):
        self.old, self.installed = {part: {} for part in PARTS}, False
        if not os.path.isfile(self.at(MANIFEST)):
            return
        with open(self.at(MANIFEST), "rb") as file:
            contents = file.read()
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            manifest = dict({"coming": {}}, **json.loads(contents.decode()))
            self.old = {
                part: {
                    name: known for name, known in manifest[part].items() if isinstance(known, str)
                }
                for part in PARTS
            }
            self.installed = True

    def look(self, files=()):
        """{relative path: SHA-256} of what is there; of a link, where it leads. None for an empty
        folder, and for what by its name is not the kit's: a student may have gigabytes of that."""
        have = {}
        for place, folders, names in os.walk(self.path, onerror=_unless_a_students):
            if not folders and not names and os.path.basename(place) != CACHE:
                have[os.path.relpath(place, self.path)] = None
            for entry in names + folders:
                path = os.path.join(place, entry)
                if entry in folders and not os.path.islink(path) or _is_litter(path):
                    continue
                name = os.path.relpath(path, self.path)
                ours = name in files or NEW_EDITION in name or CHECKPOINTS in name
                have[name] = _hash(path) if ours or self.known(name) else None
        for name in files:  # without case, 1_memory.ipynb may be there as 1_Memory.ipynb
            path = self.at(name)
            if name not in have and os.path.lexists(path) and not os.path.isdir(path):
                have[name] = _hash(path)
        return {name: known for name, known in have.items() if name not in (MANIFEST, ".")}

    def known(self, name):
        """The hashes that a file of the kit's may have under this name."""
        return {part[name] for part in self.old.values() if name in part}

    def is_ours(self, name, known):
        """Whether a file is the kit's and unchanged, or Jupyter's checkpoint of such a notebook."""
        if os.path.basename(os.path.dirname(name)) == CHECKPOINTS:
            return any(known in part.values() for part in self.old.values())
        return known in self.known(name)

    def beside(self, name, wanted, have):
        """The name for a new file beside a student's: free, or of an unchanged file of the
        kit's."""
        stem, extension = os.path.splitext(name)
        for number in itertools.chain([""], map("-{}".format, itertools.count(2))):
            beside = stem + NEW_EDITION + number + extension
            if beside not in have or have[beside] in {wanted, *self.known(beside)}:
                return beside

    def bring(self, files, edition, report):
        """Changes what is not as in the edition, and adds it to the report, until no student saved
        anything meanwhile. Without an edition it only removes."""
        for _ in range(PASSES):
            have = self.look(files)
            put, kept, manifest = {}, set(), {"files": {}, "beside": {}}
            for name, contents in files.items():
                wanted = manifest["files"][name] = hashlib.sha256(contents).hexdigest()
                delivered = self.old["files"].get(name)
                if name not in have or have[name] != wanted and have[name] in self.known(name):
                    put[name] = contents
                elif have[name] != wanted:
                    kept.add(name)
                    beside = self.beside(name, wanted, have)
                    if delivered != wanted and have.get(beside) != wanted:
                        put[beside] = contents
                    if delivered != wanted or beside in have:
                        manifest["beside"][beside] = wanted
            stay = {*files, *manifest["beside"]}
            gone = {name for name in have if name not in stay and self.is_ours(name, have[name])}
            if not put and not gone and self.old == dict(manifest, coming={}):
                return
            report["kept"] = kept
            self.refuse_clashes(set(have) - gone - set(put), put)
            words = dict.fromkeys(gone, "removed")
            for name in put:
                words[name] = "replaced" if name in have else "new"
            words.update(dict.fromkeys(put.keys() & manifest["beside"].keys(), "beside"))
            ready = self.write_beside(put, manifest, edition) if edition else {}
            done = self.change({name: have.get(name) for name in words}, ready)
            for name in done:
                report[words[name]].add(name)
            os.sync()
            if len(done) == len(words):
                if edition:
                    os.replace(ready[MANIFEST], self.at(MANIFEST))
                    os.sync()
                return
        raise InstallError(
            f"{self.path} is written to all the time, so it is not complete: close "
            "what writes there, and give the same command again."
        )

    def refuse_clashes(self, stay, put):
        """Refuses to put a file where a folder is, or into what is no folder, such as a link."""
        folders = {folder for name in put for folder in _above(name)}
        for name in sorted(stay):
            path = self.at(name)
            if name in folders and (os.path.islink(path) or not os.path.isdir(path)):
                raise refusal(path, "is not a folder, and the tutorial has one of that name")
            for folder in put.keys() & set(_above(name)):
                raise refusal(
                    self.at(folder), "is a folder, and the tutorial has a file of that name"
                )

    def write_beside(self, put, manifest, edition):
        """Writes all files and the manifest under other names, then says in today's manifest what
        is coming. If that fails, as on a full disk, nothing is left of it.

        Returns:
            {name: where it is now}: in the first folder above its place that is there already
        """
        coming = {name: hashlib.sha256(contents).hexdigest() for name, contents in put.items()}
        self.old["coming"].update(coming)
        put = dict(
            put,
            **{
                MANIFEST: _json(dict(manifest, edition=edition)),
                "journal": _json(dict(self.old, edition=edition)),
            },
        )
        ready = {}
        try:
            self.make_folder("")
            for name, contents in put.items():
                folder = next(each for each in [*_above(name), ""] if os.path.isdir(self.at(each)))
                rest = os.path.relpath(name, folder or ".").replace(os.sep, "+")
                ready[name] = self.at(os.path.join(folder, f".{rest}{COMING}"))
                with open(ready[name], "xb") as file:
                    file.write(contents)
                self.own(ready[name], 0o644)
            os.sync()  # boards are often switched off without a shutdown
            os.replace(ready["journal"], self.at(MANIFEST))
        except BaseException:
            for path in ready.values():
                with suppress(OSError):
                    os.remove(path)
            remove_folder(self.path)
            raise
        return ready

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

    def change(self, expected, ready):
        """Removes files, then has others take their places, all but those that raise an error.

        Args:
            expected: {name: SHA-256 now; None if nothing is there}
            ready: {name: where the new file is}; the others are removed

        Returns:
            The names of those that were changed. A student saved or removed the others meanwhile.
        """
        done, failed = set(), None
        for names in sorted(expected.keys() - ready.keys()), sorted(expected.keys() & ready.keys()):
            for name in names:
                try:
                    self.change_one(name, expected[name], ready.get(name))
                    done.add(name)
                except (FileExistsError, FileNotFoundError):
                    pass
                except OSError as error:
                    failed = failed or error
            self.tidy()  # an empty folder may have to make room for a file
        if len(done) < len(expected):
            self.recover()
        if failed:
            raise failed
        return done

    def change_one(self, name, expected, ready):
        if expected:
            os.rename(self.at(name), self.leaving(name))
            self.changed = True
            if _hash(self.leaving(name)) != expected:
                raise FileExistsError
        if ready:
            for folder in reversed(list(_above(name))):
                self.make_folder(folder)
            _move(ready, self.at(name))
            self.changed = True
        if expected:
            os.remove(self.leaving(name))

    def leaving(self, name):
        return self.at(os.path.join(os.path.dirname(name), f".{os.path.basename(name)}{LEAVING}"))

    def give_back(self, name):
        """Gives a file that was leaving its name again. If a student has saved another one since,
        the kit's is removed, and one that the student saved before gets a number."""
        leaving = self.leaving(name)
        for number in itertools.count(1):
            there = self.at(name if number == 1 else f"-{number}".join(os.path.splitext(name)))
            try:
                return _move(leaving, there)
            except FileExistsError:
                if _hash(leaving) == _hash(there) or self.is_ours(name, _hash(leaving)):
                    return os.remove(leaving)

    def recover(self):
        """Undoes what a run that was cut off was in the middle of, and removes what it had written
        beside. Returns the names that were under way."""
        self.read_manifest()
        names = set(self.old["coming"])
        for place, _, entries in os.walk(self.path):
            for entry in entries:
                for ending in COMING, LEAVING:
                    if entry.startswith(".") and entry.endswith(ending):
                        self.changed = True
                        path = os.path.join(place, entry[1 : -len(ending)])
                        names.add(os.path.relpath(path, self.path))
                        if ending == COMING:
                            os.remove(os.path.join(place, entry))
                        else:
                            self.give_back(os.path.relpath(path, self.path))
        return names

    def tidy(self):
        """Removes what Python and pynq write again, and folders of the kit's that are empty."""
        folders = {folder for part in self.old.values() for name in part for folder in _above(name)}
        for place, _, names in os.walk(self.path, topdown=False):
            for path in [os.path.join(place, name) for name in names]:
                if _is_litter(path):
                    with suppress(OSError):
                        os.remove(path)
            if os.path.basename(place) == CACHE or os.path.relpath(place, self.path) in folders:
                remove_folder(place)


def _json(manifest):
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


def _above(name):
    while os.path.dirname(name) not in ("", name):
        name = os.path.dirname(name)
        yield name


def _unless_a_students(error):
    if not isinstance(error, (PermissionError, FileNotFoundError)):
        raise error


def _is_litter(path):
    """Whether a file is written again when it is needed, and so nobody's work."""
    above, entry = os.path.split(path)
    if os.path.basename(above) == CACHE:
        return entry.endswith(CACHED)
    if entry == LOADED and os.path.isfile(path):
        with suppress(OSError), open(path, "rb") as file:
            return file.read(7) == b"xclbin2"
    return False


def _hash(path):
    """None for what is no file and no link, and for what cannot be read or has gone meanwhile."""
    sha256 = hashlib.sha256()
    try:
        if os.path.islink(path):
            return "-> " + os.readlink(path)
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                sha256.update(piece)
    except (PermissionError, FileNotFoundError):
        return None
    return sha256.hexdigest()


def _move(here, there):
    """Renames a file, but replaces none that a student may just have saved: FileExistsError."""
    try:
        os.link(here, there, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without hard links: a save between the next two calls is lost
        if os.path.lexists(there):
            raise FileExistsError from None
        os.rename(here, there)
    else:
        os.remove(here)


def remove_folder(path):
    with suppress(OSError):  # mostly because something is in it
        os.rmdir(path)
