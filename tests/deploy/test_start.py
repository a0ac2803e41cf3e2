"""How a container or a hub starts a student's server (deploy/container/start.py): whatever state
the home is in, the server starts."""

import os
import stat
import subprocess
import sys

import pytest

from helpers.kit import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk"),
]

START = """
set -e
python=$2 kit=$3
mkdir "$1/tmp" "$1/skel"; mount --make-rprivate /; mount --bind "$1/skel" /etc/skel
mkdir -p /etc/skel/.cache/matplotlib; mount -t tmpfs -o size={size} home /mnt
export HOME=/mnt TMPDIR="$1/tmp" PYTHONPATH="$3"
start() {{ "$python" -B "$kit/deploy/container/start.py" sh -c \\
    'pwd; ls; echo home "$HOME"; echo runtime "$JUPYTER_RUNTIME_DIR"; touch x && echo writes'; }}
cd /
{state}
start"""


def start(tmp_path, state="", size="20m"):
    script = START.format(state=state, size=size)
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, str(ROOT)]
    options = {"stdin": subprocess.DEVNULL, "universal_newlines": True, "timeout": 100}
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if "permitted" in run.stderr or "permission denied" in run.stderr:
        pytest.skip("nothing may be mounted here")
    assert "2_iop_example.ipynb\n" in run.stdout and "Traceback" not in run.stderr, run
    return run


def test_a_home_as_it_should_be(tmp_path):
    run = start(tmp_path)
    assert run.stdout.startswith("/mnt/pynq_tutorial\n") and run.stdout.endswith("writes\n")
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
    assert why in run.stderr and "these are a copy" in run.stderr
    assert run.stdout.startswith(f"{copy}/pynq_tutorial\n") and run.stdout.endswith("writes\n")
    assert "these are a copy" in (copy / "pynq_tutorial/READ_ME_FIRST.txt").read_text()
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
