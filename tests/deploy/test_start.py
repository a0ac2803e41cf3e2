"""How a container, a hub or make lab starts a student's server (deploy/container/start.py):
whatever state the home or the clone is in, the server starts."""

import os
import stat
import subprocess
import sys

import pytest

from helpers import checkout
from helpers.kit import ROOT, make

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk"),
]

START = """
set -e
python=$2 kit=$3
mkdir "$1/tmp" "$1/skel"; mount --make-rprivate /; mount --bind "$1/skel" /etc/skel
mkdir -p /etc/skel/.cache/matplotlib; mount -t tmpfs -o size={size} home /mnt
export HOME=/mnt TMPDIR="$1/tmp" PYTHONPATH="$3" JUPYTERHUB_DEFAULT_URL=/lab/tree/0_start_here.ipynb
start() {{ "$python" -B "$kit/deploy/container/start.py" sh -c \\
    'pwd; ls; echo home "$HOME"; echo runtime "$JUPYTER_RUNTIME_DIR"; \\
    echo opens "$JUPYTERHUB_DEFAULT_URL"; touch x && echo writes'; }}
cd /
{state}
start"""


def run_mounted(script, tmp_path):
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, str(ROOT)]
    options = {"stdin": subprocess.DEVNULL, "universal_newlines": True, "timeout": 100}
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if "permitted" in run.stderr or "permission denied" in run.stderr:
        pytest.skip("nothing may be mounted here")
    assert "2_iop_example.ipynb\n" in run.stdout and "Traceback" not in run.stderr, run
    return run


def start(tmp_path, state="", size="20m"):
    return run_mounted(START.format(state=state, size=size), tmp_path)


def test_a_home_as_it_should_be(tmp_path):
    run = start(tmp_path)
    assert run.stdout.startswith("/mnt/pynq_tutorial\n") and run.stdout.endswith("writes\n")
    assert "opens /lab/tree/0_start_here.ipynb\n" in run.stdout
    assert "runtime \n" in run.stdout and "READ_ME_FIRST" not in run.stdout
    assert not os.listdir(tmp_path / "tmp")


LINK = "ln -s {}pynq_tutorial $HOME/pynq_tutorial"
REFUSED = [
    ("", "500k", "No space left on device"),
    ("mount -o remount,ro /mnt", "20m", "Read-only file system"),
    ("HOME=/mnt/missing", "20m", "No such file or directory"),
    ("echo mine > $HOME/pynq_tutorial", "20m", "is not a folder"),
    (LINK.format(""), "20m", "is not a folder"),
    (LINK.format("nothing/"), "20m", "There is no folder /mnt/nothing"),
]


@pytest.mark.parametrize("state, size, why", REFUSED)
def test_a_home_that_takes_no_notebooks(tmp_path, state, size, why):
    run = start(tmp_path, state, size)
    copy = tmp_path / "tmp" / f"pynq_tutorial-{os.getuid()}"
    assert why in run.stderr and "you work in a temporary copy" in run.stderr
    assert run.stdout.startswith(f"{copy}/pynq_tutorial\n") and run.stdout.endswith("writes\n")
    assert "you work in a temporary copy" in (copy / "pynq_tutorial/READ_ME_FIRST.txt").read_text()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700


def test_a_home_that_filled_up_keeps_its_notebooks(tmp_path):
    run = start(
        tmp_path,
        "start > /dev/null; rm $HOME/pynq_tutorial/1_memory.ipynb; "
        "cat /dev/zero > $HOME/pynq_tutorial/data 2>/dev/null || true",
    )
    assert run.stdout.startswith("/mnt/pynq_tutorial\n") and f"home {tmp_path}/tmp/" in run.stdout
    assert "no room left" in run.stderr and "takes no more files" in run.stderr


BY_ANOTHER_USER = "mkdir $TMPDIR/pynq_tutorial-0; chown 1 $TMPDIR/pynq_tutorial-0"
BY_A_LINK = "ln -s /mnt $TMPDIR/pynq_tutorial-0"


@pytest.mark.parametrize("taken", ["", BY_ANOTHER_USER, BY_A_LINK])
def test_in_a_deep_home_sockets_have_a_short_path(tmp_path, taken):
    run = start(tmp_path, f"HOME=/mnt/{'d' * 80}; mkdir $HOME; {taken}")
    runtime = next(line for line in run.stdout.splitlines() if line.startswith("runtime "))
    folder = "pynq_tutorial-0/" if not taken else "pynq_"
    assert runtime.startswith(f"runtime {tmp_path}/tmp/{folder}")
    assert not taken or "pynq_tutorial-0" not in runtime


OLD_EDITION = "mkdir {0}/pynq_tutorial; touch {0}/pynq_tutorial/2_iop_example.ipynb; "
FULL = "cat /dev/zero > {0}/data 2>/dev/null || true"


def test_an_old_edition_has_no_start_page_to_open(tmp_path):
    run = start(tmp_path, (OLD_EDITION + FULL).format("$HOME"))
    assert "no room left" in run.stderr and "opens /lab\n" in run.stdout


UNLISTED = "__pycache__ *.pyc *.so *~ bitstream checks images".split()
# A PC's clone, on a disk of its own, and what JupyterLab is started with there
LAB = """
set -e
mount --make-rprivate /; mount -t tmpfs -o size={size} clone /mnt; mkdir "$1/tmp" "$1/bin"
export HOME="$1/home" TMPDIR="$1/tmp" PYTHONPATH="$3" NO_ANSWERS={answers}
ln -s "$("$2" -c 'import os, sys; print(os.path.realpath(sys.executable))')" "$1/bin/python"
printf '#!/bin/sh\nls; pwd; echo "$HOME" "$@"; touch x && echo writes' > "$1/bin/jupyter-lab"
chmod +x "$1/bin/jupyter-lab"
lab() {{ "$1/bin/python" -B "$3/deploy/container/start.py" --in /mnt --more; }}
{state}
lab "$@" """


def lab(tmp_path, state="", size="20m", answers=""):
    """Runs what make lab runs; returns its end, and the folder that JupyterLab was started in."""
    run = run_mounted(LAB.format(state=state, size=size, answers=answers), tmp_path)
    folder, given = run.stdout.splitlines()[-3:-1]
    given = given.replace("".join(f" --ContentsManager.hide_globs={n}" for n in UNLISTED), "")
    page = " --LabApp.default_url=/lab/tree/0_start_here.ipynb"
    page = page if "0_start_here.ipynb\n" in run.stdout else ""
    assert given == f"{tmp_path}/home --notebook-dir=.{page} --more"  # a user's home stays
    assert run.stdout.endswith("writes\n")
    return run, folder


def test_on_a_pc_the_folder_is_in_the_clone(tmp_path):
    run, folder = lab(tmp_path)
    assert folder == "/mnt/pynq_tutorial" and run.stderr.count("\n") == 1
    assert "0_start_here.ipynb\n" in run.stdout and "solutions\n" in run.stdout
    assert not (tmp_path / "home").exists() and not os.listdir(tmp_path / "tmp")


def test_on_a_pc_solutions_may_be_left_out(tmp_path):
    """And those that nobody changed go."""
    run, _ = lab(tmp_path, answers="no", state="NO_ANSWERS= lab $@ > /dev/null")
    assert "0_start_here.ipynb\n" in run.stdout and "solutions\n" not in run.stdout


@pytest.mark.parametrize(
    "state, size, why",
    [
        ("echo mine > /mnt/pynq_tutorial", "20m", "is not a folder"),
        ("mount -o remount,ro /mnt", "20m", "Read-only file system"),
        ("", "500k", "No space left on device"),
    ],
)
def test_a_clone_that_takes_no_notebooks(tmp_path, state, size, why):
    run, folder = lab(tmp_path, state, size)
    assert folder == f"{tmp_path}/tmp/pynq_tutorial-{os.getuid()}/pynq_tutorial"
    assert (
        why in run.stderr
        and "you work in a temporary copy" in run.stderr
        and "make lab" in run.stderr
    )


@pytest.mark.parametrize(
    "state, why",
    [
        (OLD_EDITION + FULL, "no room left"),
        (
            "lab $@ > /dev/null; rm {0}/pynq_tutorial/1_* {0}/pynq_tutorial/iop/[px]*; " + FULL,
            "no room left",
        ),
        ("lab $@ > /dev/null; rm {0}/pynq_tutorial/1_memory.ipynb", "1 files new"),
    ],
)
def test_a_folder_in_the_clone_that_is_not_whole_is_opened(tmp_path, state, why):
    run, folder = lab(tmp_path, state.format("/mnt"))
    assert folder == "/mnt/pynq_tutorial" and why in run.stderr.splitlines()[-1], run.stderr


def test_make_lab_says_where_and_whether_with_answers(tmp_path):
    """Twice; JupyterLab's version takes its place."""
    kit = tmp_path / "Ada's kit"
    checkout.copy_with_environment(ROOT, kit)
    for answers in "yes", "no":
        run = make("lab", f"ANSWERS={answers}", "LAB=--version", cwd=str(kit))
        assert run.returncode == 0, run.stdout
        assert (kit / "pynq_tutorial/0_start_here.ipynb").exists()
        assert (kit / "pynq_tutorial/solutions").exists() == (answers == "yes")
