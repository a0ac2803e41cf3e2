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
ANSWERS_WITHIN = 60  # seconds, of the engine, to whether it has the image
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
SECONDS = 300  # for a notebook, the container's start and end included
# Of the limits, cpu is in seconds of a process. The two beside it podman would else set to the most
# there is, and not every machine lets it.
BOUNDS = f"""
    --network=none --read-only --tmpfs=/tmp:size=256m,mode=1777 --env=HOME=/tmp --cap-drop=all
    --security-opt=no-new-privileges --memory=1g --pids-limit=256 --log-driver=none
    --no-healthcheck --ulimit=cpu={SECONDS} --ulimit=nofile=1024:1024 --ulimit=nproc=4096:4096
""".split()
# A cell's seconds are those of make test; the kernel, whatever an editor put into the notebook.
EXECUTE = """
    python3 -m nbconvert --to=notebook --execute --allow-errors --stdin --stdout --log-level=ERROR
    --ExecutePreprocessor.timeout=60 --ExecutePreprocessor.interrupt_on_timeout=True
    --ExecutePreprocessor.kernel_name=python3
""".split()
# A student may print without end: the notebook is at most so long, and of the complaints on
# standard error, the end is needed.
BOUNDED = '{ "$@" 2>&1 >&3 3>&- | tail -c 2000 >&2; } 3>&1 | head -c ' + str(LARGEST + 1)


class NoContainer(Exception):
    """Why nothing can be executed here, and the remedy, in a sentence."""


def find_engine():
    """The program that runs containers, podman or else Docker, and has the image. NoContainer"""
    engine = shutil.which("podman") or shutil.which("docker")
    if engine is None:
        raise NoContainer(
            "EXECUTE=yes runs the notebooks in containers, and needs podman or Docker, and neither"
            " is here: sudo apt-get install podman."
        )
    inspect = [engine, "image", "inspect", IMAGE]
    try:
        asked = subprocess.run(inspect, input=b"", **PIPES, timeout=ANSWERS_WITHIN)
    except subprocess.TimeoutExpired:
        raise NoContainer(
            f"{engine} has not answered in {ANSWERS_WITHIN} s: find out whether `{engine} image"
            " list` ends."
        ) from None
    said = asked.stderr.decode(errors="replace").strip()
    if asked.returncode and re.search("(?i)no such image|image not known", said):
        raise NoContainer(f"{engine} has no image {IMAGE} here: type make image, which builds it.")
    if asked.returncode:
        raise NoContainer(f"{engine} does not work here: {printable(said)}")
    return engine


def executed(notebook, engine):
    """The bytes of a notebook after all its cells have run, in order and with a new kernel; a cell
    may end with an error. They are not more than one byte too many for a notebook.

    Raises:
        ValueError: why its run did not end well
    """
    name = f"{IMAGE}-{uuid.uuid4().hex}"
    run = [engine, "run", "--rm", "--interactive", "--name", name, *BOUNDS, IMAGE, *EXECUTE]
    # From a folder of its own: conmon, which podman starts, may leave a file named oom where it was
    # started.
    with tempfile.TemporaryDirectory() as folder:
        try:
            ended = subprocess.run(
                ["sh", "-c", BOUNDED, "sh", *run],
                input=notebook.encode(),
                **PIPES,
                timeout=SECONDS,
                cwd=folder,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"its run had not ended after {SECONDS} s") from None
        finally:
            remove = [engine, "rm", "--force", name]  # which also ends it
            subprocess.run(remove, **PIPES, timeout=60)
    if not ended.stdout:
        said = ended.stderr.decode(errors="replace").strip() or "no reason"
        raise ValueError(f"its run did not end well: {said.splitlines()[-1]}")
    return ended.stdout
