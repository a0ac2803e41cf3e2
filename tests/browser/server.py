"""The kit's own JupyterLab.

All that runs here keeps its files in one temporary folder, and is known by that folder in its
environment. So nothing of the user's own Jupyter is read or written, and at the end, whatever end
it is, what still runs is found."""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from deploy import install
from helpers.waiting import soon

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def started_with(folder):
    """{pid: command line} of the processes that have this folder in their environment."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if os.fsencode(folder) in (process / "environ").read_bytes():
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = words.decode(errors="replace")
    return found


@contextlib.contextmanager
def temporary_folder():
    """The folder, which stands in the environment of all that is started while it is there."""
    folder = tempfile.mkdtemp(prefix="notebooks-")
    os.environ.update(TMPDIR=folder, IPYTHONDIR=folder + "/ipython")
    for name in "CONFIG", "DATA", "RUNTIME":
        os.environ[f"JUPYTER_{name}_DIR"] = f"{folder}/{name.lower()}"
    try:
        yield pathlib.Path(folder)
    finally:
        soon(lambda: not started_with(folder))
        left = started_with(folder)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        soon(lambda: not started_with(folder))
        shutil.rmtree(folder)
        assert not left, "still there at the end, and killed:\n" + "\n".join(left.values())


class Server:
    """Serves a student's folder, so that what Jupyter saves changes nothing here."""

    def __init__(self, folder):
        self.folder, self.notebooks = folder, folder / "notebooks"
        install.lay_out(self.notebooks)
        self.token = secrets.token_hex()

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/"
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(
                [
                    *(ROOT / ".venv/bin/jupyter", "lab"),
                    *("--no-browser", "--ip=127.0.0.1", f"--port={port}"),
                    f"--notebook-dir={self.notebooks}",
                    *(["--allow-root"] if os.getuid() == 0 else []),
                ],
                cwd=ROOT,
                env=dict(os.environ, JUPYTER_TOKEN=self.token),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the tests alone, which end the server
            )
        if not soon(self.answers, 60):
            self.process.kill()
            raise RuntimeError("the server did not start:\n" + (self.folder / "log").read_text())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def request(self, path, method="GET"):
        request = urllib.request.Request(
            self.address + path, method=method, headers={"Authorization": "token " + self.token}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def answers(self):
        try:
            return self.process.poll() is None and self.request("api")
        except OSError:
            return False

    def is_idle(self):
        """Whether there is a kernel, and all have started and have nothing to do."""
        sessions = json.loads(self.request("api/sessions"))
        states = {session["kernel"]["execution_state"] for session in sessions}
        return states == {"idle"}

    def end_kernels(self):
        for session in json.loads(self.request("api/sessions")):
            self.request("api/sessions/" + session["id"], "DELETE")
