"""The image as a student and a hub run it: without a network, as an ordinary user, its root
read-only."""

import re
import shutil
import subprocess
import uuid

import pytest

from conftest import OFFLINE, ROOT, make, podman
from helpers.waiting import soon

IMAGE = "pynq-tutorial"
READ_ONLY = OFFLINE + ["--read-only"]
pytestmark = pytest.mark.usefixtures("image")


def shell(script, *options, **more):
    """What a script prints in a container."""
    return podman("run", *READ_ONLY, *options, IMAGE, "sh", "-c", script, **more)


def test_notebooks_show_what_is_stored_in_them(volume):
    """2, and those with C: 4 builds with mb-gcc, 8 compiles cells with mb-g++. The student's own
    have no outputs, so the executed ones come into a copy of the student's folder."""
    said = shell(
        "cp -R . ~/copy && cp /opt/pynq_tutorial/notebooks/[248]_*.ipynb ~/copy && cd ~/copy"
        " && id -u && python3 -m pytest -q -p no:cacheprovider --nbval --nbval-cell-timeout=60"
        " --nbval-sanitize-with=/sanitize.cfg 2_*.ipynb 4_*.ipynb 8_*.ipynb",
        volume,
        f"--volume={ROOT}/tests/notebooks/sanitize.cfg:/sanitize.cfg:ro",
        status=None,
    )
    assert re.search(r"^1000$", said, re.M), said[-3000:]
    assert re.search(r"^\d{2,} passed(, \d+ warnings?)? in", said, re.M), said[-3000:]


def test_work_survives_a_newer_image(image, volume, options, tmp_path):
    """What was edited stays, and the new edition comes beside it; what was not is replaced. And the
    rebuild takes no package anew."""
    shell("echo ' ' >> 2_iop_example.ipynb && echo mine > mine.txt && echo conf > ~/.mine", volume)
    newer = tmp_path / "newer"
    shutil.copytree(str(image), str(newer), symlinks=True)
    for name in "1_memory", "2_iop_example":
        path = newer / "notebooks" / (name + ".ipynb")
        path.write_text(path.read_text().replace("## Set-up", "## Set-up, in a newer edition"))
    start = newer / "deploy/__init__.py"
    start.write_text(re.sub('EDITION = ".*"', 'EDITION = "99.0.0"', start.read_text()))
    podman("tag", IMAGE, IMAGE + ":before")
    try:
        make("image", options, folder=newer)
        said = shell(
            "tail -c 2 2_iop_example.ipynb; cat mine.txt ~/.mine; grep -l newer.edition *.ipynb",
            volume,
        )
    finally:
        podman("tag", IMAGE, IMAGE + ":newer")
        podman("tag", IMAGE + ":before", IMAGE)
        podman("rmi", IMAGE + ":before", IMAGE + ":newer")
    assert "edition 99.0.0; 0 files new, 1 replaced, 0 removed." in said
    assert "changed here: 2_iop_example.ipynb" in said
    assert "is beside it:      2_iop_example-new-edition.ipynb" in said
    assert said.endswith(" \nmine\nconf\n1_memory.ipynb\n2_iop_example-new-edition.ipynb\n"), said


@pytest.fixture
def running(volume):
    """The name of a container that serves JupyterLab."""
    name = f"lab-{uuid.uuid4().hex}"
    options = "--detach", "--name", name, "--network=none", "--read-only"
    podman("run", *options, volume, IMAGE)
    yield name
    podman("rm", "--force", name)


@pytest.mark.parametrize("number", ["TERM", "INT"])  # of whoever stops it, and Ctrl-C's
def test_the_server_is_healthy_and_ends(running, number):
    healthy = "podman", "healthcheck", "run", running
    assert soon(lambda: subprocess.call(healthy) == 0), podman("logs", running)
    assert "/lab/tree/0_start_here.ipynb?token=" in podman("logs", running)
    writes = "touch ~/x && ! touch /x 2>/dev/null && ! touch /opt/pynq_tutorial/x 2>/dev/null"
    podman("exec", running, "sh", "-c", writes + " && [ $(id -u) = 1000 ]")
    podman("kill", "--signal", number, running)
    assert podman("wait", running, limit=60).strip() in ("0", "130", "143"), podman("logs", running)


def test_without_a_server_it_is_not_healthy():
    healthy = "--entrypoint=python3", IMAGE, "/opt/pynq_tutorial/deploy/container/healthy.py"
    said = podman("run", *READ_ONLY, *healthy, status=1)
    assert "http://127.0.0.1:8888/api: <urlopen error" in said


def test_any_user_may_run_it(volume):
    """And read all of it, though the clone was its owner's alone."""
    readable = "! find /opt/pynq_tutorial ! -readable | grep . && "
    said = shell(readable + "id -u && ls 2_iop_example.ipynb", volume, "--user=12345")
    assert said.endswith("12345\n2_iop_example.ipynb\n")


def test_without_a_home_that_takes_files_it_starts():
    home = "--tmpfs=/home/student:ro"
    said = shell("ls *.ipynb *.txt && touch x && cd ~ && touch x && jupyter-lab --version", home)
    assert "-v pynq_tutorial:/" in said and "Traceback" not in said
    assert "2_iop_example.ipynb\n" in said and "READ_ME_FIRST.txt" in said


def test_without_any_place_to_write_to_it_shows_the_images_own():
    said = shell("pwd && ls 2_*.ipynb && jupyter-lab --version", "--read-only-tmpfs=false")
    assert "/opt/pynq_tutorial/notebooks\n2_iop_example.ipynb\n" in said and "Traceback" not in said


def test_the_kits_kernel_is_used_whatever_is_in_the_home(volume):
    mine = '{"argv": ["false"], "display_name": "mine", "language": "python"}'
    folder = "~/.local/share/jupyter/kernels/python3"
    shell(f"mkdir -p {folder} && echo '{mine}' > {folder}/kernel.json", volume)
    said = podman("run", *READ_ONLY, volume, IMAGE, "jupyter", "kernelspec", "list")
    assert "/opt/pynq_tutorial/.venv/share/jupyter/kernels/python3" in said, said


def test_under_a_hub_it_is_the_hubs_single_user_server():
    """That it serves a real hub's students, make test-hub tries."""
    said = podman("run", *READ_ONLY, "--env=JUPYTERHUB_API_TOKEN=x", IMAGE, "--version")
    assert f"jupyterhub=={said.split()[-1]}" in (ROOT / "requirements/hub.txt").read_text()
