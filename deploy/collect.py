"""The PC's half of `make collect`. Students control their boards, so a board may answer anything.
Here, and nowhere else, its answer is checked, before a name in it becomes a path, and before what
it sent replaces what was collected.

    python3 -m deploy.collect run TO COMMAND...         runs ansible-playbook on collect.yml
    python3 -m deploy.collect names TO BOARD            prints what to bring, and where to
    python3 -m deploy.collect accept TO BOARD INCOMING  puts what was brought into TO/BOARD

collect.yml runs the last two for each board.
"""

import base64
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

LARGEST = 20 << 20  # bytes of a notebook; changed.py has it, too
MOST = 1000  # notebooks of a board
LONGEST = 200  # bytes of a file's name, of which a file system takes 255
MEMORY = 1 << 30  # bytes for each process of Ansible's, whatever a board sends it
INCOMING = ".incoming"
LEFT_OUT = "left_out.txt"
# These are devices there, in every folder.
OF_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)", re.I)


def printable(text, longest=200):
    """The text, cut off, without characters that would control a terminal."""
    text = text if len(text) <= longest else text[:longest] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def notebook_in(path):
    """The contents of a notebook's file, which have a list of cells.

    Raises:
        ValueError: why it is not a notebook, as a clause
    """
    try:
        if path.is_symlink():
            raise ValueError("it is a link")
        if not path.is_file():
            raise ValueError("it is not a file")
        with open(str(path), "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(error.strerror) from None
    return notebook_of(data)


def notebook_of(data):
    """The same, of a file's bytes."""
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB")
    if not data.strip(b"\0 \r\n\t"):
        raise ValueError("it is empty")
    try:
        notebook = json.loads(data)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"it is not a whole notebook ({printable(str(error), 80)})") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it is not a notebook")
    return notebook


def check_name(name):
    """Raises ValueError, with the reason, if no file may have this relative path."""
    parts = name.split("/")
    if not name.isprintable():
        raise ValueError("its name has characters that cannot be printed")
    if max(len(part.encode()) for part in parts) > LONGEST or len(parts) > 2 * LONGEST // 10:
        raise ValueError("its name is too long, or is in too many folders")
    if any(part == "" or part.startswith(".") for part in parts):
        raise ValueError("its name leads out of the folder, or is hidden")
    if "\\" in name or ":" in name or any(OF_WINDOWS.match(part) for part in parts):
        raise ValueError("Jupyter or Windows has no such names")
    if not name.endswith(".ipynb") or parts[-1] == ".ipynb":
        raise ValueError("it is not a notebook")


def sort_answer(text):
    """([names to bring], [(name, why it is left out)]) of what a board's changed.py printed.

    Raises:
        ValueError: what it is in place of a list
    """
    try:
        answer = json.loads(text)
    except (RecursionError, TypeError, ValueError):
        answer = None
    if not isinstance(answer, list):
        raise ValueError(f"which is no list of notebooks, but {str(text)[:100]!a}")
    bring, left_out = {}, []
    # Of two names that differ in capitals alone, the kit's comes first, which has none.
    for entry in sorted(answer[:MOST], key=lambda one: one.swapcase() if type(one) is str else ""):
        name, reason = entry if isinstance(entry, list) and len(entry) == 2 else (entry, None)
        try:
            if not isinstance(name, str) or not isinstance(reason, (str, type(None))):
                name = type(entry).__name__
                raise ValueError("it stands in the place of a name")
            if reason is not None:
                raise ValueError(reason)
            check_name(name)
            same = unicodedata.normalize("NFC", name).casefold()
            if bring.setdefault(same, name) != name:
                raise ValueError(f"some systems take its name for that of {bring[same]}")
        except ValueError as error:
            left_out.append((printable(name), printable(str(error))))
    if len(answer) > MOST:
        left_out.append((f"{len(answer) - MOST} more", f"of a board, at most {MOST} are brought"))
    return list(bring.values()), left_out


def names(to, board):
    """Reads {"folder": ..., "answer": ...}, which a board's two programs printed, in JSON and
    base64. Prints, in JSON, a temporary folder for the notebooks and a list of their names."""
    if board.startswith(".") or "/" in board or not board.isprintable():
        sys.exit(f"A board's name becomes a folder's, and {board!a} cannot: change the inventory.")
    said = json.loads(base64.b64decode(sys.stdin.read()))
    folder = str(said["folder"])
    if not folder.startswith("/") or not folder.isprintable():
        sys.exit(
            f"{board} answered where its notebooks are, which is no path, but {folder[:100]!a}."
        )
    try:
        bring, left_out = sort_answer(said["answer"])
    except ValueError as error:
        sys.exit(f"{board} answered which notebooks were changed, {error}.")
    folder = Path(to, INCOMING, board)
    shutil.rmtree(str(folder), ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    incoming = Path(tempfile.mkdtemp(dir=str(folder)))
    (incoming / "names").write_text(json.dumps([bring, left_out]))
    print(json.dumps({"incoming": str(incoming), "names": bring}))


def accept(to, board, incoming):
    """Puts the notebooks that are whole from a temporary folder into TO/BOARD. An earlier copy
    stays until then. Prints what it did, line by line."""
    incoming, root = Path(incoming), Path(to).resolve() / board
    bring, left_out = json.loads((incoming / "names").read_text())
    root.mkdir(exist_ok=True)  # also if there is nothing to bring, which the report then knows
    if root.is_symlink():
        sys.exit(f"{root} is a link, and {board}'s notebooks go into a folder: remove the link.")
    for number, name in enumerate(bring):
        try:
            place(incoming / str(number), root, name)
            print(f"brought {name}")
        except (OSError, ValueError) as error:
            left_out.append((name, getattr(error, "strerror", None) or str(error)))
    for name, reason in left_out:
        print(f"left out {board}/{name}: {reason}")
    note = root / LEFT_OUT  # for the report
    if left_out:
        lines = "".join(f"{name}: {reason}\n" for name, reason in left_out)
        (incoming / LEFT_OUT).write_text(lines, encoding="utf-8")
        os.replace(str(incoming / LEFT_OUT), str(note))
    elif os.path.lexists(str(note)):
        note.unlink()
    shutil.rmtree(str(incoming))


def place(path, root, name):
    """Moves a file to root/name.

    Raises:
        ValueError, OSError: why it is no notebook, or may not be there
    """
    if not os.path.lexists(str(path)):
        raise ValueError("it could not be fetched")
    os.chmod(str(path), 0o644)  # it may have come with the board's
    notebook_in(path)
    target = root / name
    if target.resolve() != target:
        raise ValueError(f"there is a link in its place, {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(str(path), "rb") as file:
        os.fsync(file.fileno())
    os.replace(str(path), str(target))


def run(to, *command):
    """Runs ansible-playbook. Whatever a board sends to it, no file and no process becomes too
    large, and only printable text is printed. At its end, nothing temporary is left."""

    def bounds():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST + (1 << 20),) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY,) * 2)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    sys.stdout.reconfigure(errors="replace")
    to = os.path.abspath(to)
    os.makedirs(to, exist_ok=True)
    lock = os.open(to, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"collect: another make collect is writing into {to}: wait for it to end.")
    shutil.rmtree(os.path.join(to, INCOMING), ignore_errors=True)  # of a run that was killed
    command += "-e", json.dumps({"to": to})
    ansible = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=bounds
    )
    try:
        for line in iter(lambda: ansible.stdout.readline(1 << 16), b""):
            print(printable(line.decode(errors="replace").rstrip("\r\n"), 4000), flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ansible.send_signal(signal.SIGINT)
        try:
            ansible.wait(20)
        except subprocess.TimeoutExpired:
            ansible.kill()
    finally:
        status = ansible.wait()
        shutil.rmtree(os.path.join(to, INCOMING), ignore_errors=True)
    if status:
        sys.exit(
            "collect: not everything was brought, as said above. What was collected before is "
            f"still in {to}."
        )


if __name__ == "__main__":
    try:
        {"run": run, "names": names, "accept": accept}[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"collect: {error.filename or sys.argv[2]}: {error.strerror}.")
