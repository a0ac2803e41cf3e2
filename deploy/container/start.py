"""start.py [COMMAND or OPTION ...]: lays out the notebooks in the user's home, then starts JupyterLab.

The container runs it, and deploy/hub/start.sh. A student's work survives a newer edition: the installer
keeps what was changed, as on a board. Under a hub it starts the hub's single-user server, and options
are for either. A COMMAND is run in their place, in the folder of the notebooks.

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

LAB = ["jupyter-lab", "--no-browser", "--ip=0.0.0.0", "--ServerApp.answer_yes=True"]  # no question after Ctrl-C
MATPLOTLIB = ".cache/matplotlib"  # its list of fonts: it makes one, and says so in somebody's notebook
SKELETON = os.path.join("/etc/skel", MATPLOTLIB)
NEEDED = 1 << 20  # bytes that Jupyter may write into a home before anybody saves anything
NOTE = "READ_ME_FIRST.txt"


def say(text):
    print("pynq_tutorial:", text, file=sys.stderr)


def private_folder():
    """A folder for this user alone, with a short path, or None if there is no room for one.

    Jupyter's sockets are in it: a socket's path has 107 bytes at most, which a deep home would exceed.
    """
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
    """Installs the notebooks, and returns whether they are there, in this edition or another one."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a command's output is its own
            install.lay_out(folder, answers=not os.environ.get("NO_ANSWERS"))
    except Exception as error:  # whatever it is, the server starts
        say(error)
    return os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK) and bool(os.listdir(folder))


def make_ready(home):
    """Lays out the notebooks and changes to their folder. The environment then says where Jupyter may
    write: into the home, if that takes anything."""
    private = private_folder()
    refusal = problem(home)
    if refusal and private:
        os.environ["HOME"] = private
    folder = os.path.join(home, install.NAME)
    if not lay_out(folder):
        text = (f"{home} takes no notebooks ({refusal or 'see above'}), so these are a copy that goes when "
                "the server ends: download what you change. In a container, give it a volume for the home "
                f"that its user may write to, as in -v pynq_tutorial:{home}. If the disk is full, remove "
                "something there, in a terminal.")
        say(text)
        folder = os.path.join(private or "", install.NAME)
        if private and lay_out(folder):
            with contextlib.suppress(OSError), open(os.path.join(folder, NOTE), "w") as file:
                file.write(text + "\n")
        else:
            folder = os.path.join(install.KIT, "notebooks")
    elif refusal:
        say(f"{home} takes no more files ({refusal}): remove something there. Until then Jupyter keeps its "
            f"own files in {private}.")
    if private:
        os.environ.setdefault("JUPYTER_RUNTIME_DIR", os.path.join(private, "runtime"))
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kit's kernel, whatever kernels are in the home
    fonts = os.path.join(os.environ["HOME"], MATPLOTLIB)
    if not os.path.exists(fonts):
        try:
            shutil.copytree(SKELETON, fonts)
        except OSError:
            subprocess.call([sys.executable, "-c", "import matplotlib.font_manager"], stderr=subprocess.DEVNULL)
    os.chdir(folder)


def main(given):
    os.environ["HOME"] = os.path.abspath(os.environ.get("HOME") or os.path.expanduser("~"))
    make_ready(os.environ["HOME"])
    command = given
    if not given or given[0].startswith("-"):
        command = (["jupyterhub-singleuser"] if "JUPYTERHUB_API_TOKEN" in os.environ else LAB) + given
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit("pynq_tutorial: {} cannot be started: {}.".format(command[0], error.strerror))


if __name__ == "__main__":
    main(sys.argv[1:])
