"""The image as a student and a hub run it: without a network, as an ordinary user, its root
read-only."""

import re
import subprocess
import time
import uuid

import pytest

from conftest import OFFLINE, ROOT, make, podman
from helpers import checkout
from helpers.waiting import soon

READ_ONLY = OFFLINE + ["--read-only"]


def test_notebooks_show_what_is_stored_in_them(image, volume):
    """2, and those with C: 4 builds with mb-gcc, 8 compiles cells with mb-g++."""
    said = podman(
        "run",
        *READ_ONLY,
        volume,
        f"--volume={ROOT}/tests/notebooks/sanitize.cfg:/sanitize.cfg:ro",
        image,
        "sh",
        "-c",
        "id -u && python3 -m pytest -q -p no:cacheprovider --nbval --nbval-cell-timeout=60 "
        "--nbval-sanitize-with=/sanitize.cfg 2_*.ipynb 4_*.ipynb 8_*.ipynb",
        status=None,
    )
    assert re.search(r"^1000$", said, re.M) and re.search(
        r"^\d{2,} passed(, \d+ warnings?)? in", said, re.M
    ), said[-3000:]


def test_work_survives_a_newer_image(image, volume, options, tmp_path):
    """What was edited stays, and the new edition comes beside it; what was not is replaced. And the
    rebuild takes no package anew."""
    podman(
        "run",
        *READ_ONLY,
        volume,
        image,
        "sh",
        "-c",
        "echo ' ' >> 2_iop_example.ipynb && echo mine > mine.txt && echo conf > ~/.mine",
    )
    newer = tmp_path / "newer"
    checkout.copy(ROOT, newer)
    for name in "1_memory", "2_iop_example":
        path = newer / "notebooks" / (name + ".ipynb")
        path.write_text(path.read_text().replace("## Set-up", "## Set-up, in a newer edition"))
    start = newer / "deploy/__init__.py"
    start.write_text(re.sub('EDITION = ".*"', 'EDITION = "99.0.0"', start.read_text()))
    podman("tag", image, image + ":before")
    try:
        make("image", options, folder=newer)
        said = podman(
            "run",
            *READ_ONLY,
            volume,
            image,
            "sh",
            "-c",
            "tail -c 2 2_iop_example.ipynb; cat mine.txt ~/.mine; grep -l newer.edition *.ipynb",
        )
    finally:
        podman("tag", image, image + ":newer")
        podman("tag", image + ":before", image)
        podman("rmi", image + ":before", image + ":newer")
    assert "edition 99.0.0; 0 files new, 1 replaced, 0 removed." in said
    assert (
        "changed here: 2_iop_example.ipynb" in said
        and "one of these:   2_iop_example-new-edition.ipynb" in said
    )
    assert said.endswith(" \nmine\nconf\n1_memory.ipynb\n2_iop_example-new-edition.ipynb\n"), said


def test_a_clone_of_umask_077(base, tmp_path):
    """All may read what the image has of it."""
    checkout.copy(ROOT, tmp_path / "kit")
    subprocess.run(["chmod", "-R", "go=", str(tmp_path / "kit")], check=True)
    podman(
        "build",
        "--build-arg",
        "BASE=" + base,
        "--target=files",
        "--tag=files",
        str(tmp_path / "kit"),
        limit=600,
    )
    try:
        assert (
            podman(
                "run",
                *OFFLINE,
                "--user=1000",
                "files",
                "find",
                "/opt/pynq_tutorial",
                "!",
                "-readable",
            )
            == ""
        )
    finally:
        podman("rmi", "files")


@pytest.fixture
def running(request, image, volume):
    """The name of a container that serves JupyterLab."""
    name = f"lab-{uuid.uuid4().hex}"
    podman(
        "run",
        "--detach",
        "--name",
        name,
        *[word for word in READ_ONLY if word not in ("--rm", "--no-healthcheck")],
        volume,
        image,
    )
    yield name
    podman("rm", "--force", name)


@pytest.mark.parametrize("number", ["TERM", "INT"])  # of whoever stops it, and Ctrl-C's
def test_the_server_is_healthy_and_ends_at_once(running, image, number):
    assert soon(lambda: subprocess.call(["podman", "healthcheck", "run", running]) == 0, 60), (
        podman("logs", running)
    )
    assert "/lab?token=" in podman("logs", running)
    podman(
        "exec",
        running,
        "sh",
        "-c",
        "! touch /x 2>/dev/null && ! touch /opt/pynq_tutorial/x 2>/dev/null && touch ~/x && [ $(id"
        " -u) = 1000 ]",
    )
    start = time.monotonic()
    podman("kill", "--signal", number, running)
    assert podman("wait", running, limit=60).strip() in ("0", "130", "143"), podman("logs", running)
    assert time.monotonic() - start < 5
    podman("healthcheck", "run", running, status=125)


def test_without_a_server_it_is_not_healthy(image):
    said = podman(
        "run",
        *READ_ONLY,
        "--entrypoint=python3",
        image,
        "/opt/pynq_tutorial/deploy/container/healthy.py",
        status=1,
    )
    assert "http://127.0.0.1:8888/api: <urlopen error" in said


def test_any_user_may_run_it(image, volume):
    say = ["sh", "-c", "id -u && ls 2_iop_example.ipynb"]
    assert podman("run", *READ_ONLY, volume, "--user=12345", image, *say).endswith(
        "12345\n2_iop_example.ipynb\n"
    )
    home = "--env=HOME=/tmp/home", "--tmpfs=/tmp/home:mode=1777"
    assert podman("run", *READ_ONLY, *home, "--user=23:45", image, *say).endswith(
        "23\n2_iop_example.ipynb\n"
    )


WITHOUT_ROOM = ["--tmpfs=/home/student:size=64k,mode=1777"], ["--tmpfs=/home/student:ro"]


@pytest.mark.parametrize("home", [[], *WITHOUT_ROOM, ["--env=HOME="], ["--env=HOME=/nowhere"]])
def test_without_a_home_that_takes_files_it_starts_all_the_same(image, home):
    said = podman(
        "run",
        *READ_ONLY,
        *home,
        image,
        "sh",
        "-c",
        "ls *.ipynb *.txt && touch x && cd ~ && touch x && jupyter-lab --version",
    )
    assert "-v pynq_tutorial:/" in said and "Traceback" not in said
    assert "2_iop_example.ipynb\n" in said and "READ_ME_FIRST.txt" in said


def test_without_any_place_to_write_to_it_shows_the_images_own_notebooks(image):
    said = podman(
        "run",
        *READ_ONLY,
        "--read-only-tmpfs=false",
        image,
        "sh",
        "-c",
        "pwd && ls 2_*.ipynb && jupyter-lab --version",
    )
    assert "/opt/pynq_tutorial/notebooks\n2_iop_example.ipynb\n" in said and "Traceback" not in said


def test_the_kits_kernel_is_used_whatever_is_in_the_home(image, volume):
    podman(
        "run",
        *READ_ONLY,
        volume,
        image,
        "sh",
        "-c",
        "d=~/.local/share/jupyter/kernels/python3 && mkdir -p $d && "
        """echo '{"argv": ["false"], "display_name": "mine", "language": "python"}' > $d/kernel.json""",
    )
    said = podman("run", *READ_ONLY, volume, image, "jupyter", "kernelspec", "list")
    assert "/opt/pynq_tutorial/.venv/share/jupyter/kernels/python3" in said, said


def test_under_a_hub_it_is_the_hubs_single_user_server(image, volume):
    """That it serves a real hub's students, make test-hub tries."""
    assert (
        "jupyterhub=="
        + podman(
            "run", *READ_ONLY, volume, "--env=JUPYTERHUB_API_TOKEN=x", image, "--version"
        ).split()[-1]
        in (ROOT / "requirements/hub.txt").read_text()
    )
    assert (
        "jupyterlab==" + podman("run", *READ_ONLY, volume, image, "--version").split()[-1]
        in (ROOT / "requirements.txt").read_text()
    )
