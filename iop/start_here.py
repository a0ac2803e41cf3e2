"""What the start page asks: what is ready on this machine, and how far the student is."""

import json
import os
import textwrap

from . import firmware, verdicts

DOCTOR = "`make doctor`, in the kit's folder, says more."


def ready():
    """Prints what is ready on this machine, and what is not. Takes no time worth mentioning."""
    for name, look in ("board", _board), ("QEMU", _qemu), ("compiler", _compiler):
        print(textwrap.fill(f"{name + ':':10}{look()}", 90, subsequent_indent=10 * " "))


def _board():
    if _on_board():
        return "ready: a real one, " + os.environ.get("BOARD", "of an unknown kind")
    try:
        from virtual_board import activate

        return "ready: a virtual one" if activate() else f"missing. {DOCTOR}"
    except ImportError:
        return "missing: this Python is not the kit's. `make lab`, in the kit's folder, starts it."
    except Exception as error:  # whatever it is, the other lines follow
        return f"missing: {error}".rstrip(".") + f". {DOCTOR}"


def _on_board():
    return os.path.isdir("/sys/class/fpga_manager/fpga0")


def _qemu():
    if _on_board():
        return "not needed on a board"
    try:
        from virtual_board.microblaze import qemu

        found = qemu.find()
        version = qemu.version(found) if found else None
        if version and version >= qemu.OLDEST:
            return "ready: version " + ".".join(map(str, version))
        return f"missing, or too old. {DOCTOR}"
    except Exception as error:
        return f"missing: {error}".rstrip(".") + f". {DOCTOR}"


def _compiler():
    tools = firmware.compiler()
    if tools is None:
        return f"missing, and notebooks 4, 7, 8 and 9 need it. {firmware.NO_COMPILER}"
    if not os.path.exists(os.path.join(tools, "mb-g++")):
        return "ready for notebooks 4 and 7, but has no mb-g++, which 8 and 9 need: `make compiler`"
    return "ready, for notebooks 4, 7, 8 and 9"


def progress(folder="."):
    """Prints which exercises are right, and how many predictions are written, as the notebooks say
    that are saved in a folder."""
    states, names, asked, written = {}, {}, set(), set()
    for stem, ending in sorted(map(os.path.splitext, os.listdir(folder))):
        if ending != ".ipynb":
            continue
        try:
            with open(os.path.join(folder, stem + ending), "rb") as file:
                notebook = json.loads(file.read().decode())
            exercises = verdicts.exercises_in({stem: notebook})
            found, _ = verdicts.read(notebook, stem, exercises)
            asked.update(map(verdicts.predicted, notebook["cells"]))
            written |= verdicts.written(notebook)
        except OSError as error:
            print(f"{stem}{ending} cannot be read: {error.strerror}.")
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            print(f"{stem}{ending} cannot be read: it is not a whole notebook.")
        else:
            for module, _ in exercises:
                names.setdefault(module, stem)
            verdicts.keep_better(states, dict.fromkeys(exercises, verdicts.NOT_TRIED))
            verdicts.keep_better(states, found)
    for module, stem in names.items():
        mine = [f"{name}: {state}" for (of, name), state in states.items() if of == module]
        print(stem.ljust(18), "".join(text.ljust(20) for text in mine).rstrip())
    right = list(states.values()).count(verdicts.RIGHT)
    print(f"{right} of {len(states)} exercises are right.")
    print(f"{len(written)} of {len(asked - {None})} predictions are written.")
