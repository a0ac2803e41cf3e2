"""The PC's half of `make collect`: python3 -m deploy.collect run TO COMMAND...
runs ansible-playbook on collect.yml, whose action plugin calls `bring` for each board.

Students control their boards, so a board may answer anything. Here, and nowhere else, its answer is
checked, before a name in it becomes a path, and before what it sent replaces what was collected.
"""

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

LARGEST = 20 << 20  # bytes of a notebook; a student's with its pictures has less than one million
DEEPEST = 20  # folders
MOST = 1000  # notebooks of a board
LONGEST = 200  # bytes of a file's name, of which a file system takes 255
MEMORY = 1 << 30  # bytes for each process of Ansible's, whatever a board sends it
INCOMING = ".incoming"
LEFT_OUT = "left_out.txt"


def printable(text, longest=200):
    """The text, cut off, without characters that would control a terminal."""
    text = text if len(text) <= longest else text[:longest] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def notebook_of(data):
    """The contents of a notebook's file, which have a list of cells.

    Raises:
        ValueError: why these bytes are not a notebook, as a clause
    """
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
    """Raises ValueError, with the reason, if no notebook may have this relative path."""
    parts = name.split("/")
    if not name.isprintable():
        raise ValueError("its name has characters that cannot be printed")
    if max(len(part.encode()) for part in parts) > LONGEST or len(parts) > DEEPEST + 1:
        raise ValueError("its name is too long, or is in too many folders")
    if any(part[:1] in ("", ".") for part in parts) or "\\" in name or ":" in name:
        raise ValueError("its name leads out of the folder, or is hidden")
    if not name.endswith(".ipynb"):
        raise ValueError("it is not a notebook")


def sort_answer(text):
    """([names to bring], [(name, why it is left out)]) of what a board's changed.py printed.

    Raises:
        ValueError: what it is in place of a list
    """
    try:
        answer = json.loads(text)
    except (RecursionError, ValueError):
        answer = None
    if not isinstance(answer, list):
        raise ValueError(f"which is not a list of notebooks, but {text[:100]!a}")
    wanted, left_out = {}, []
    for entry in answer[:MOST]:
        name, reason = entry if isinstance(entry, list) and len(entry) == 2 else (entry, None)
        try:
            if not isinstance(name, str) or not isinstance(reason, (str, type(None))):
                name = type(entry).__name__
                raise ValueError("it stands in the place of a name")
            if reason is not None:
                raise ValueError(reason)
            check_name(name)
            same = unicodedata.normalize("NFC", name).casefold()
            if wanted.setdefault(same, name) != name:
                raise ValueError(f"some systems take its name for that of {wanted[same]}")
        except ValueError as error:
            left_out.append((name, str(error)))
    if len(answer) > MOST:
        left_out.append((f"{len(answer) - MOST} more", f"of a board, at most {MOST} are brought"))
    return list(wanted.values()), left_out


def bring(to, board, answer, fetch):
    """Puts a board's notebooks into TO/BOARD, each when it is whole. An earlier copy stays until
    then. What is left out is listed in TO/BOARD/left_out.txt, for the report.

    Args:
        answer: What the board's changed.py printed.
        fetch: Returns the bytes of a file of this name, or raises ValueError.

    Returns:
        What it did, line by line: "brought NAME", "left out BOARD/NAME: REASON".

    Raises:
        ValueError, OSError: Why nothing of this board can be brought. What else `fetch` raises ends
            it, and then what had not come yet is left out.
    """
    if board.startswith(".") or "/" in board or not board.isprintable():
        raise ValueError(f"{board!a} cannot be a folder's name: change it in the inventory.")
    try:
        wanted, left_out = sort_answer(answer)
    except ValueError as error:
        raise ValueError(f"{board} answered which notebooks were changed, {error}.") from None
    root = Path(to).resolve() / board
    root.mkdir(parents=True, exist_ok=True)  # also if there is nothing to bring, for the report
    if root.is_symlink():
        raise ValueError(f"{root} is a link, and {board}'s notebooks go into a folder: remove it.")
    missing = dict.fromkeys(wanted, "the board was lost before it came")
    try:
        for name in wanted:
            try:
                data = fetch(name)
                notebook_of(data)
                place(data, root, name)
                del missing[name]
            except (OSError, ValueError) as error:
                missing[name] = getattr(error, "strerror", None) or str(error)
    finally:
        left_out = [
            f"{printable(one)}: {printable(why)}" for one, why in [*missing.items(), *left_out]
        ]
        if left_out:
            place("".join(f"{line}\n" for line in left_out).encode(), root, LEFT_OUT)
        elif os.path.lexists(root / LEFT_OUT):
            (root / LEFT_OUT).unlink()
    brought = [f"brought {name}" for name in wanted if name not in missing]
    return brought + [f"left out {board}/{line}" for line in left_out]


def place(data, root, name):
    """Makes root/name a file with these bytes, at once and never in part."""
    target, temporary = root / name, root.parent / INCOMING / root.name
    if target.resolve() != target:
        raise ValueError(f"there is a link in its place, {target}")
    for path in target, temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)


def run(to, *command):
    """Runs ansible-playbook. Whatever a board sends to it, no process becomes too large, and only
    printable text is printed. At its end, nothing temporary is left."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    sys.stdout.reconfigure(errors="replace")
    to = os.path.abspath(to)
    incoming = os.path.join(to, INCOMING)
    os.makedirs(to, exist_ok=True)
    lock = os.open(to, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"collect: another make collect is writing into {to}: wait for it to end.")
    shutil.rmtree(incoming, ignore_errors=True)  # of a run that was killed
    ansible = subprocess.Popen(
        [*command, "-e", json.dumps({"to": to})],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
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
        shutil.rmtree(incoming, ignore_errors=True)
    if status:
        sys.exit(f"collect: not everything was brought. What was collected before is still in {to}")


if __name__ == "__main__":
    try:
        run(*sys.argv[2:])
    except OSError as error:
        sys.exit(f"collect: {error.filename or sys.argv[2]}: {error.strerror}.")
