"""start.py [COMMAND or OPTION ...]: lays out the notebooks in the user's home, then starts
JupyterLab, or under a hub its single-user server; options are for either. A COMMAND is run in their
place, in the folder of the notebooks.

The container runs it, and deploy/hub/start.sh. A student's work survives a newer edition: the
installer keeps what was changed, as on a board.

Whatever the installer or the home refuses, the server starts: without it nobody could make room.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile

from deploy import install

LAB = [
    "jupyter-lab",
    "--no-browser",
    "--ip=0.0.0.0",
    "--ServerApp.answer_yes=True",
]  # no question after Ctrl-C
# Where Matplotlib has no list of fonts, it makes one, and says so in somebody's notebook.
MATPLOTLIB = ".cache/matplotlib"
SKELETON = os.path.join("/etc/skel", MATPLOTLIB)
NEEDED = 1 << 20  # bytes that Jupyter may write into a home before anybody saves anything
RUNTIME = ".local/share/jupyter/runtime"
SOCKET = "kernel-00000000-0000-0000-0000-000000000000-ipc-5"  # where a hub's kernels are reached
LONGEST_SOCKET = 107  # bytes, in Linux
NOTE = "READ_ME_FIRST.txt"


def say(text):
    print("pynq_tutorial:", text, file=sys.stderr)


def private_folder():
    """A folder for this user alone, with a short path. None if there is no place for one."""
    with contextlib.suppress(OSError):
        path = os.path.join(tempfile.gettempdir(), f"pynq_tutorial-{os.getuid()}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            os.chmod(path, 0o700)
            return path
        return tempfile.mkdtemp(prefix="pynq_")  # the name is taken by somebody else
    return None


def problem(home):
    """Why Jupyter cannot write into a home, or None if it can."""
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(os.urandom(NEEDED))  # which no file system compresses
    except OSError as error:
        return error.strerror
    return None


def lay_out(folder):
    """Installs the notebooks; returns whether they are there, in this edition or another one."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a command's output is its own
            install.lay_out(folder, answers=not os.environ.get("NO_ANSWERS"))
    except Exception as error:  # whatever it is, the server starts
        say(error)
    with contextlib.suppress(OSError):
        return os.access(folder, os.X_OK) and bool(os.listdir(folder))
    return False


def make_ready(home):
    """Lays out the notebooks and changes to their folder. In the environment it says where Jupyter
    may write: in the home, if that takes anything."""
    refusal, private = problem(home), None
    if refusal:
        private = private_folder()
        os.environ["HOME"] = private or home
    folder = os.path.join(home, install.NAME)
    if lay_out(folder):
        if refusal:
            say(
                f"{home} takes no more files ({refusal}): remove something there. Until then"
                f" Jupyter keeps its own files in {private}."
            )
    else:
        text = (
            f"{home} takes no notebooks ({refusal or 'see above'}), so these are a copy that goes "
            "when the server ends: download what you change. If the disk is full, remove something "
            "there, in a terminal. A container needs a volume for the home, to which user "
            f"{os.getuid()} may write, as in -v pynq_tutorial:{home}."
        )
        say(text)
        private = private or private_folder()
        folder = os.path.join(private or "", install.NAME)
        if private and lay_out(folder):
            with contextlib.suppress(OSError), open(os.path.join(folder, NOTE), "w") as file:
                file.write(text + "\n")
        else:
            folder = os.path.join(install.KIT, "notebooks")
    if len(os.fsencode(os.path.join(os.environ["HOME"], RUNTIME, SOCKET))) > LONGEST_SOCKET:
        private = private or private_folder()
        if private:
            os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(private, "runtime")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kit's kernel, whatever is in the home
    fonts = os.path.join(os.environ["HOME"], MATPLOTLIB)
    if not os.path.exists(fonts):
        try:
            shutil.copytree(SKELETON, fonts)
        except OSError:
            subprocess.call(
                [sys.executable, "-c", "import matplotlib.font_manager"], stderr=subprocess.DEVNULL
            )
    os.chdir(folder)


def main(given):
    os.environ["HOME"] = os.path.abspath(os.environ.get("HOME") or os.path.expanduser("~"))
    make_ready(os.environ["HOME"])
    command = given
    if not given or given[0].startswith("-"):
        hubs = "JUPYTERHUB_API_TOKEN" in os.environ
        command = (["jupyterhub-singleuser"] if hubs else LAB) + given
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"pynq_tutorial: {command[0]} cannot be started: {error.strerror}.")


if __name__ == "__main__":
    main(sys.argv[1:])
