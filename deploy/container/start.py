"""start.py [COMMAND or OPTION ...]: lays out the notebooks in the user's home, then starts
JupyterLab, or under a hub its single-user server; options are for either. A COMMAND is run in their
place, in the folder of the notebooks. `start.py --in FOLDER [OPTION ...]` lays them out in FOLDER,
and starts JupyterLab as a PC does.

The container runs it, deploy/hub/start.sh, and with --in make lab. A student's work survives a
newer edition: the installer keeps what was changed, as on a board.

Whatever the installer or the home refuses, the server starts: without it nobody could make room.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout, suppress

from deploy import install

# answer_yes: no question after Ctrl-C
LAB = ["jupyter-lab", "--no-browser", "--ip=0.0.0.0", "--ServerApp.answer_yes=True"]
LAB_ON_A_PC = [os.path.join(os.path.dirname(sys.executable), "jupyter-lab"), "--notebook-dir=."]
START_PAGE = "0_start_here.ipynb"  # deploy/hub/ has it, too
# What the list of files leaves out: Jupyter's own choice, and what notebooks need and nobody opens.
SERVERS = "jupyter-lab", "jupyterhub-singleuser"
UNLISTED = "__pycache__", "*.pyc", "*.so", "*~", "bitstream", "checks", "images"
COPY = (
    "a temporary copy, which goes when the server ends: download what you change. If the disk is"
    " full, remove something there, in a terminal. A container needs a volume for the home, to"
    f" which user {os.getuid()} may write, as in -v pynq_tutorial:"
)
COPY_ON_A_PC = (
    "a temporary copy, which may be lost when the PC is switched off: download what you change."
    " Then mend the reason, and type make lab again."
)
# Where Matplotlib has no list of fonts, it makes one, and says so in somebody's notebook.
MATPLOTLIB = ".cache/matplotlib"
# where setup.sh and the Dockerfile have made it for all
LISTS_OF_FONTS = [os.path.join(install.KIT, ".hub/share/matplotlib"), f"/etc/skel/{MATPLOTLIB}"]
NEEDED = 1 << 20  # bytes that Jupyter may write into a home before anybody saves anything
# a socket by which a hub's kernels are reached
SOCKET = ".local/share/jupyter/runtime/kernel-00000000-0000-0000-0000-000000000000-ipc-5"
LONGEST_SOCKET = 107  # bytes, in Linux


def say(text):
    print("pynq_tutorial:", text, file=sys.stderr)


def private_folder():
    """A folder for this user alone, with a short path. None if there is no place for one."""
    with suppress(OSError):
        path = os.path.join(tempfile.gettempdir(), f"pynq_tutorial-{os.getuid()}")
        with suppress(FileExistsError):
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
        with redirect_stdout(sys.stderr):  # a command's output is its own
            install.lay_out(folder, answers=not os.environ.get("NO_ANSWERS"))
    except Exception as error:  # whatever it is, the server starts
        say(error)
    with suppress(OSError):
        return os.access(folder, os.X_OK) and bool(os.listdir(folder))
    return False


def copy_for_now(parent, private, reason, kind):
    """Lays out a copy of the notebooks elsewhere, and says so; returns its folder."""
    text = f"The notebooks could not be written to {parent} ({reason}), so you work in {kind}"
    say(text)
    folder = os.path.join(private or "", install.NAME)
    if not private or not lay_out(folder):
        return os.path.join(install.KIT, "notebooks")
    with suppress(OSError), open(os.path.join(folder, "READ_ME_FIRST.txt"), "w") as file:
        file.write(text + "\n")
    return folder


def make_ready_in(parent):
    """Lays out the notebooks in a folder on a PC, and changes to theirs."""
    folder = os.path.join(parent, install.NAME)
    if not lay_out(folder):
        reason = problem(parent) or "see above"
        folder = copy_for_now(parent, private_folder(), reason, COPY_ON_A_PC)
    os.chdir(folder)


def make_ready(home):
    """Lays out the notebooks and changes to their folder. In the environment it says where Jupyter
    may write: in the home, if that takes anything."""
    refusal, private = problem(home), None
    if refusal:
        private = private_folder()
        os.environ["HOME"] = private or home
    folder = os.path.join(home, install.NAME)
    if not lay_out(folder):
        private = private or private_folder()
        folder = copy_for_now(home, private, refusal or "see above", f"{COPY}{home}.")
    elif refusal:
        say(
            f"{home} takes no more files ({refusal}): remove something there. Until then Jupyter"
            f" keeps its own files in {private}."
        )
    if len(os.fsencode(os.path.join(os.environ["HOME"], SOCKET))) > LONGEST_SOCKET:
        private = private or private_folder()
        if private:
            os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(private, "runtime")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kit's kernel, whatever is in the home
    fonts = os.path.join(os.environ["HOME"], MATPLOTLIB)
    if not os.path.exists(fonts):
        for made in filter(os.path.isdir, LISTS_OF_FONTS):
            with suppress(OSError):
                shutil.copytree(made, fonts)
                break
        else:
            make_list = [sys.executable, "-c", "import matplotlib.font_manager"]
            subprocess.call(make_list, stderr=subprocess.DEVNULL)
    os.chdir(folder)


def start_page():
    """The option that has JupyterLab open it, if it is there: an old edition has none."""
    return [f"--LabApp.default_url=/lab/tree/{START_PAGE}"] if os.path.exists(START_PAGE) else []


def main(given):
    if given[:1] == ["--in"]:
        make_ready_in(given[1])
        given = LAB_ON_A_PC + start_page() + given[2:]
    else:
        os.environ["HOME"] = os.path.abspath(os.environ.get("HOME") or os.path.expanduser("~"))
        make_ready(os.environ["HOME"])
        if "JUPYTERHUB_DEFAULT_URL" in os.environ and not start_page():
            os.environ["JUPYTERHUB_DEFAULT_URL"] = "/lab"
        if not given or given[0].startswith("-"):
            hubs = "JUPYTERHUB_API_TOKEN" in os.environ
            given = (["jupyterhub-singleuser"] if hubs else LAB + start_page()) + given
    if os.path.basename(given[0]) in SERVERS:
        given[1:1] = [f"--ContentsManager.hide_globs={name}" for name in UNLISTED]
    try:
        os.execvp(given[0], given)
    except OSError as error:
        sys.exit(f"pynq_tutorial: {given[0]} cannot be started: {error.strerror}.")


if __name__ == "__main__":
    main(sys.argv[1:])
