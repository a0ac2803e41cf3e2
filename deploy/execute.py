"""Runs a student's notebook in a container of its own, which has no network, and bounds for its
time, memory and processes.

The container is the kit's image (`make image`), so that the checks are the kit's, whatever a
student's folder has."""

import re
import shutil
import subprocess
import tempfile
import threading
import uuid

from .collect import LARGEST, printable

IMAGE = "pynq-tutorial"
CELL_SECONDS = 60  # as for make test
ANSWERS_WITHIN = 60  # seconds, of the engine, to whether it has the image
SECONDS = 300  # for a notebook, the container's start and end included
BOUNDS = [
    "--network=none",
    "--read-only",
    "--tmpfs=/tmp:size=256m,mode=1777",
    "--env=HOME=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--memory=1g",
    "--pids-limit=256",
    "--log-driver=none",
    "--no-healthcheck",
    # Seconds of a process. The two beside it podman would else set to the most there is, and
    # not every machine lets it.
    f"--ulimit=cpu={SECONDS}",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
]
EXECUTE = [
    "python3",
    "-m",
    "nbconvert",
    "--to=notebook",
    "--execute",
    "--allow-errors",
    "--stdin",
    "--stdout",
    "--log-level=ERROR",
    f"--ExecutePreprocessor.timeout={CELL_SECONDS}",
    "--ExecutePreprocessor.interrupt_on_timeout=True",
    "--ExecutePreprocessor.kernel_name=python3",
]  # whatever an editor put into the notebook


class NoContainer(Exception):
    """Why nothing can be executed here, and the remedy, in a sentence."""


def find_engine():
    """The program that runs containers, podman or else Docker, and has the image. NoContainer"""
    engine = next(filter(None, map(shutil.which, ("podman", "docker"))), None)
    if engine is None:
        raise NoContainer(
            "EXECUTE=yes runs the notebooks in containers, and needs podman or Docker, and neither"
            " is here: sudo apt-get install podman."
        )
    try:
        asked = subprocess.run(
            [engine, "image", "inspect", IMAGE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=ANSWERS_WITHIN,
        )
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
    """The bytes of a notebook after all its cells have run, in order and with a new kernel.
    ValueError, with the reason, if its run does not end well; a cell may end with an error."""
    name = f"{IMAGE}-{uuid.uuid4().hex}"
    late, complaint = threading.Event(), bytearray()

    def remove():
        subprocess.call(
            [engine, "rm", "--force", name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )

    def end():
        late.set()
        remove()

    def listen():  # a student may print without end, and what is needed of it is the last line
        for piece in iter(lambda: run.stderr.read1(1 << 16), b""):
            complaint[:] = (complaint + piece)[-2000:]

    # From a folder of its own: conmon, which podman starts, may leave a file named oom where it was
    # started.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as given:
        given.write(notebook.encode())
        given.seek(0)
        run = subprocess.Popen(
            [engine, "run", "--rm", "--interactive", "--name", name] + BOUNDS + [IMAGE] + EXECUTE,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        )
        bound, listener = threading.Timer(SECONDS, end), threading.Thread(target=listen)
        bound.start()
        listener.start()
        try:
            text = run.stdout.read(LARGEST + 1)
            if len(text) <= LARGEST:
                run.wait()
        finally:
            bound.cancel()
            if run.poll() is None:
                remove()
                run.kill()
                run.wait()
            listener.join()
            run.stdout.close()
            run.stderr.close()
    if late.is_set():
        raise ValueError(f"its run had not ended after {SECONDS} s")
    if len(text) > LARGEST:
        raise ValueError(f"after its run it had more than {LARGEST >> 20} MB")
    if run.returncode:
        said = complaint.decode(errors="replace").split("\n")
        raise ValueError(
            "its run did not end well: {}".format(
                next((line for line in reversed(said) if line.strip()), "no reason")
            )
        )
    return text
