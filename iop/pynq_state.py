"""The state file of pynq 3, which names the .bit that was downloaded last. Needs Python 3.6 and nothing else.

pynq keeps beside it what it read in that overlay's .hwh. pynq 3.0 opens the named .bit again at each download; if it is gone, no
overlay at all can be downloaded any more, not even after a reboot. The tutorial's .bit lies in a folder that students rename
and delete, and of which tests make copies. So the file is not left with that name in it.
"""

import glob
import hashlib
import json
import os
import time

STATE = "global_pl_state*.json"  # pynq 3.0 has one, 3.1 one for each device
METADATA = "_current_metadata.pkl"
A_MOMENT = 0.1  # seconds, in which another process has written the file that is not whole now
BASE = os.path.join("overlays", "base", "base.bit")


def files(package):
    """The state files of a pynq package, given by its folder: an empty list for pynq 2."""
    return sorted(glob.glob(os.path.join(glob.escape(package), "pl_server", STATE)))


def named(path):
    """The .bit that a state file names. None if it is no whole state file."""
    state = _read(path)
    return None if state is None else str(state["bitfile_name"])


def _read(path):
    """What is in a state file. None if it is no whole one."""
    try:
        with open(path) as file:
            state = json.load(file)
        state["bitfile_name"]
        return state
    except (OSError, ValueError, LookupError, TypeError):
        return None


def problem(path, root="/"):
    """What keeps pynq from using a state file, as the rest of a sentence that begins with its path; None if nothing does."""
    name = named(path)
    if name is None:
        return "is not whole"
    if not os.path.isfile(os.path.join(root, name.lstrip("/"))):
        return "names {}, which is not there".format(name)
    return None


def check(package):
    """Raises RuntimeError if pynq cannot read its own state, and so downloads no overlay; its own words for it are "Unable to
    parse metadata"."""
    if not files(package):
        return
    from pynq.pl_server.global_state import GlobalState
    for path in files(package):
        try:
            with open(path) as file:
                GlobalState.parse_obj(json.load(file))
        except Exception:  # whatever stops it here stops it at each download
            raise RuntimeError("pynq's state file {} {}, and pynq downloads no overlay then: remove it, with `sudo rm {}`; pynq "
                               "writes a new one.".format(path, problem(path) or "cannot be read", path)) from None


def leave(package, folder, root="/"):
    """Has pynq's state name the image's base overlay where it names a .bit in a folder, or one that is not there.

    package, folder: their paths here
    root:            where the board's root is: what a state file names begins there

    The base overlay's configuration is what the tutorial's is made of, so what the state says of the fabric stays true. What
    pynq had read in the other .hwh is removed; it reads base.hwh when that is next asked for. A state file that is not whole is
    removed, and so is one on an image without a base overlay: then pynq begins as on a board that was never used.
    """
    folder = os.path.join(os.path.realpath(folder), "")
    base = os.path.join(package, BASE)
    for path in files(package):
        state = _read(path)
        if state is None:
            time.sleep(A_MOMENT)
            state = _read(path)
        if not os.path.exists(path):  # another process is downloading an overlay, and will name that one
            continue
        here = "" if state is None else os.path.join(root, str(state["bitfile_name"]).lstrip("/"))
        if os.path.isfile(here) and not os.path.realpath(here).startswith(folder):
            continue
        _remove(os.path.join(package, "pl_server", METADATA))
        if state is None or not os.path.isfile(base):
            _remove(path)
            continue
        with open(base, "rb") as file:
            digest = hashlib.sha1(file.read()).hexdigest()
        state.update(bitfile_name="/" + os.path.relpath(base, root), bitfile_hash=digest)
        with open(path + ".part", "w") as file:
            json.dump(state, file)
        os.replace(path + ".part", path)


def _remove(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
