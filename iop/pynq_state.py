"""The state file of pynq 3, which names the .bit that was downloaded last. Needs Python 3.6 and
nothing else.

pynq keeps beside it what it read in that overlay's .hwh. pynq 3.0 opens the named .bit again at
each download; if it is gone, no overlay at all can be downloaded any more, not even after a reboot.
The tutorial's .bit lies in a folder that students rename and delete, and of which tests make
copies. So this module does not leave that name in the file."""

import atexit
import contextlib
import functools
import glob
import hashlib
import json
import os
import sys
import time

STATE = "global_pl_state*.json"  # pynq 3.0 has one, 3.1 one for each device
METADATA = "_current_metadata.pkl"
A_MOMENT = 0.1  # seconds in which another process completes a file that it is writing
# only the metadata of the tutorial's overlay contains it, not that of the base overlay
OURS = b"iop1/mb_bram_ctrl"
BASE = os.path.join("overlays", "base", "base.bit")
OVERLAY_FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bitstream"
)


def files(package):
    """The state files of a pynq package, given by its folder: an empty list for pynq 2."""
    return sorted(glob.glob(os.path.join(glob.escape(package), "pl_server", STATE)))


def _read(path):
    """The contents of a state file; None if it is not complete, or gone."""
    try:
        with open(path) as file:
            state = json.load(file)
        return dict(state, bitfile_name=str(state["bitfile_name"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def problem(path, root="/"):
    """Why pynq cannot use a state file, as the rest of a sentence that begins with the file's path;
    None if it can."""
    if os.path.exists(path) and not os.access(path, os.R_OK):
        return "is another user's"
    state = _read(path)
    if state is None:
        return "is not whole"
    name = state["bitfile_name"]
    if not os.path.isfile(os.path.join(root, name.lstrip("/"))):
        return f"names {name}, which is not there"
    return None


def check(package):
    """Raises RuntimeError if pynq cannot read its own state: then it downloads no overlay, and says
    only "Unable to parse metadata"."""
    for path in files(package):
        if not _pynq_reads(path):
            time.sleep(A_MOMENT)
            if not _pynq_reads(path):
                raise RuntimeError(
                    f"pynq's state file {path} {problem(path) or 'cannot be read'}, and pynq"
                    f" downloads no overlay then: remove it, with `sudo rm {path}`; pynq writes a"
                    " new one."
                )


def _pynq_reads(path):
    """Whether pynq can read a state file. A file that another process has just removed, to download
    an overlay, does not stop it."""
    from pynq.pl_server.global_state import GlobalState

    try:
        with open(path) as file:
            GlobalState.parse_obj(json.load(file))
    except Exception:  # whatever stops it here stops it at each download
        return not os.path.exists(path)
    return True


@functools.lru_cache()
def use(package):
    """To be called by a process that may download the overlay of this edition. It calls check()
    now, and leave() after each cell of the notebook and at exit: a student may stop at any cell,
    and rename the folder then."""
    check(package)
    if os.path.exists(os.path.join(package, "pl_server", "global_state.py")):
        atexit.register(leave, package, OVERLAY_FOLDER)
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None:
            shell.events.register("post_run_cell", lambda *result: leave(package, OVERLAY_FOLDER))


def another(package, bitfile):
    """The .bit of another overlay, if pynq's state says that another process has downloaded one
    since this process downloaded `bitfile`. None otherwise, and for the image's base overlay."""
    expected = {os.path.realpath(path) for path in (bitfile, os.path.join(package, BASE))}
    for path in files(package):
        state = _read(path)
        name = os.path.realpath(state["bitfile_name"]) if state else None
        if name and name not in expected and os.path.isfile(name):
            if _digest(name) != _digest(bitfile):
                return name
    return None


def leave(package, folder, root="/"):
    """Makes pynq's state name the image's base overlay if it names a .bit in a folder, or none that
    is there.

    The tutorial's overlay has the base overlay's configuration, so what the state says of the
    fabric stays true. Without a base overlay the state file is removed: then pynq begins as on a
    board that was never used. A user without the right to write there has downloaded nothing, so
    nothing is changed.

    Args:
        package: pynq's folder.
        folder: The folder whose .bit pynq must not name.
        root: The board's root folder, to which the paths in a state file are relative.
    """
    metadata = os.path.join(package, "pl_server", METADATA)
    if not os.access(os.path.dirname(metadata), os.W_OK):
        return
    base = os.path.join(package, BASE)
    for path in files(package):
        if _read(path) is None:
            time.sleep(A_MOMENT)
        state = _read(path)
        if not os.path.exists(path):
            continue  # another process is downloading an overlay, and will name that one
        stays = state is not None and _is_elsewhere(state["bitfile_name"], folder, root)
        # The second, if another process has named its .bit while this one read the tutorial's .hwh.
        if not stays or _holds(metadata, OURS):
            _remove(metadata)
        if stays:
            continue
        if state is None or not os.path.isfile(base):
            _remove(path)
        else:
            state.update(bitfile_name="/" + os.path.relpath(base, root), bitfile_hash=_digest(base))
            part = f"{path}.{os.getpid()}"
            with open(part, "w") as file:
                json.dump(state, file)
            os.replace(part, path)


def _is_elsewhere(bitfile, folder, root):
    """Whether a .bit is there, and not in a folder."""
    path = os.path.join(root, bitfile.lstrip("/"))
    inside = os.path.join(os.path.realpath(folder), "")
    return os.path.isfile(path) and not os.path.realpath(path).startswith(inside)


def _digest(path):
    """The hash by which pynq 3 tells .bit files apart."""
    with open(path, "rb") as file:
        return hashlib.sha1(file.read()).hexdigest()


def _holds(path, part):
    try:
        with open(path, "rb") as file:
            return part in file.read()
    except FileNotFoundError:
        return False


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
