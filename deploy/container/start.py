"""start.py [COMMAND or OPTION ...]: what the container runs. Lays out the notebooks in the user's home, then starts JupyterLab on them.

Home is a volume, so that students' work survives a newer image: the installer that boards have keeps what they changed, and puts
the new edition beside it. Under a hub it starts the hub's single-user server instead, and options are for either. A COMMAND is
run in their place, in the folder of the notebooks.
"""

import contextlib
import os
import shutil
import sys

from deploy import install, tree

LAB = ["jupyter-lab", "--no-browser", "--ip=0.0.0.0", "--ServerApp.answer_yes=True"]  # no question after Ctrl-C

SKELETON = "/etc/skel/.cache"  # Matplotlib's list of fonts: where it has none, it makes one, and says so in somebody's notebook


def lay_out(home):
    """Brings the notebooks in a home to this image's edition; returns their folder. tree.InstallError"""
    if not os.access(home, os.W_OK):
        raise tree.InstallError("{} cannot be written to by user {}, and the notebooks belong there: give the container a volume for it, "
                                "as in -v pynq_tutorial:{}.".format(home, os.getuid(), home))
    shutil.copytree(SKELETON, os.path.join(home, ".cache"), dirs_exist_ok=True)  # novm (the image's own Python)
    folder = os.path.join(home, install.NAME)
    with contextlib.redirect_stdout(sys.stderr):  # a command's output is its own
        install.lay_out(folder)
    return folder


def main(given):
    try:
        os.chdir(lay_out(os.environ["HOME"]))
    except tree.InstallError as error:
        sys.exit("pynq_tutorial: {}".format(error))
    command = given
    if not given or given[0].startswith("-"):
        command = (["jupyterhub-singleuser"] if "JUPYTERHUB_API_TOKEN" in os.environ else LAB) + given
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit("pynq_tutorial: {} cannot be started: {}.".format(command[0], error.strerror))


if __name__ == "__main__":
    main(sys.argv[1:])
