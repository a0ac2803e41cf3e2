"""Runs a student's notebook in a container of its own, which has no network, and bounds for its
time, memory and processes.

The container is the kit's image (`make image`), so that the checks are the kit's, whatever a
student's folder has."""

import re
import shutil
import subprocess
import tempfile
import uuid

from .collect import LARGEST, printable

IMAGE = "pynq-tutorial"
ANSWERS_WITHIN = 60  # seconds in which the engine says whether it has the image
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
SECONDS = 300  # for a notebook, the container's start and end included
# The limit cpu is in seconds of a process. Without nofile and nproc, podman would set these two to
# the largest values that there are, and some machines refuse that.
BOUNDS = f"""
    --network=none --read-only --tmpfs=/tmp:size=256m,mode=1777 --env=HOME=/tmp --cap-drop=all
    --security-opt=no-new-privileges --memory=1g --pids-limit=256 --log-driver=none
    --no-healthcheck --ulimit=cpu={SECONDS} --ulimit=nofile=1024:1024 --ulimit=nproc=4096:4096
""".split()
# A cell has as many seconds as in make test. An editor may have put another kernel's name into the
# notebook.
EXECUTE = """
    python3 -m nbconvert --to=notebook --execute --allow-errors --stdin --stdout --log-level=ERROR
    --ExecutePreprocessor.timeout=60 --ExecutePreprocessor.interrupt_on_timeout=True
    --ExecutePreprocessor.kernel_name=python3
""".split()
# A student may print without end, so the notebook is cut off after its largest size, and of
# standard error only the end is kept.
BOUNDED = '{ "$@" 2>&1 >&3 3>&- | tail -c 2000 >&2; } 3>&1 | head -c ' + str(LARGEST + 1)


class NoContainer(Exception):
    """Why nothing can be executed here, and the remedy, in a sentence."""


def find_engine():
    """The path of podman, or else of Docker.

    Raises:
        NoContainer: neither is here, or it does not work, or it does not have the image
    """
    engine = shutil.which("podman") or shutil.which("docker")
    if engine is None:
        raise NoContainer(
            "EXECUTE=yes runs the notebooks in containers and needs podman or Docker, but neither"
            " is here: sudo apt-get install podman."
        )
    inspect = [engine, "image", "inspect", IMAGE]
    try:
        asked = subprocess.run(inspect, input=b"", **PIPES, timeout=ANSWERS_WITHIN)
    except subprocess.TimeoutExpired as error:
        raise NoContainer(f"{engine} does not work here: {error}") from None
    said = asked.stderr.decode(errors="replace").strip()
    if asked.returncode and re.search("(?i)no such image|image not known", said):
        raise NoContainer(f"{engine} has no image {IMAGE} here: type make image, which builds it.")
    if asked.returncode:
        raise NoContainer(f"{engine} does not work here: {printable(said)}")
    return engine


def executed(notebook, engine):
    """Runs all cells of a notebook, in order and in a new kernel. A cell may end with an error.

    Args:
        notebook: its text
        engine: the program that runs the container

    Returns:
        The notebook with the new outputs, as bytes. If it is larger than LARGEST, it is cut off one
        byte after that.

    Raises:
        ValueError: why there is no such notebook
    """
    name = f"{IMAGE}-{uuid.uuid4().hex}"
    run = [engine, "run", "--rm", "--interactive", "--name", name, *BOUNDS, IMAGE, *EXECUTE]
    # In a folder of its own, because podman's conmon may leave a file named oom there.
    with tempfile.TemporaryDirectory() as folder:
        try:
            bounded = ["sh", "-c", BOUNDED, "sh", *run]
            options = {**PIPES, "timeout": SECONDS, "cwd": folder}
            ended = subprocess.run(bounded, input=notebook.encode(), **options)
        except subprocess.TimeoutExpired:
            raise ValueError(f"its run had not ended after {SECONDS} s") from None
        finally:
            subprocess.run([engine, "rm", "--force", name], **PIPES, timeout=60)  # also ends it
    if not ended.stdout:
        said = ended.stderr.decode(errors="replace").strip() or "no reason"
        raise ValueError(f"its run did not end well: {said.splitlines()[-1]}")
    return ended.stdout
