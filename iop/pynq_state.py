"""The state file of pynq 3, which names the .bit that was downloaded last. Needs Python 3.6 and nothing else.

pynq keeps beside it what it read in that overlay's .hwh. pynq 3.0 opens the named .bit at each download; if it is gone, no
overlay at all can be downloaded any more, not even after a reboot. The tutorial's .bit lies in a folder that students rename
and delete, and of which tests make copies. So the file is not left with that name in it.
"""

import glob
import hashlib
import json
import os

STATE = "global_pl_state*.json"  # pynq 3.0 has one, 3.1 one for each device
METADATA = "_current_metadata.pkl"
BASE = os.path.join("overlays", "base", "base.bit")


def files(package):
    """The state files of a pynq package, given by its folder: an empty list for pynq 2."""
    return sorted(glob.glob(os.path.join(glob.escape(package), "pl_server", STATE)))


def named(path):
    """The .bit that a state file names. None if it is no whole state file."""
    try:
        with open(path) as file:
            return str(json.load(file)["bitfile_name"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def is_lost(path):
    """Whether a state file cannot be read, or names a .bit that is not there."""
    name = named(path)
    return name is None or not os.path.isfile(name)


def leave(package, going):
    """Has pynq's state name the image's base overlay where going(path) is true of what it names; returns those paths.

    package: the folder of the pynq package
    going:   a function of a state file's path

    The base overlay's configuration is what the tutorial's is made of, so what the state says of the fabric stays true. What
    pynq had read in the other .hwh is removed; it reads base.hwh when that is next asked for.
    """
    changed = []
    for path in files(package):
        name = named(path)
        if not going(path):
            continue
        _remove(os.path.join(package, "pl_server", METADATA))
        base = os.path.join(package, BASE)
        if name is None or not os.path.isfile(base):
            _remove(path)  # then pynq starts as on a board that was never used
        else:
            with open(path) as file:
                state = json.load(file)
            with open(base, "rb") as file:
                state.update(bitfile_name=base, bitfile_hash=hashlib.sha1(file.read()).hexdigest())
            with open(path + ".part", "w") as file:
                json.dump(state, file)
            os.replace(path + ".part", path)
        changed.append(path)
    return changed


def _remove(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
