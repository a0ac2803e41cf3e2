"""The front ends, and a server for each of them.

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
import sysconfig
import tempfile
import urllib.request

from helpers.waiting import soon

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# How to start it and where it shows a notebook; then, as CSS selectors: its cells, the number of a
# code cell's run, where a cell's text, outputs and errors are, and what says that the kernel is
# ready.
MIME = "[data-mime-type='{}']".format
LAB = {
    "cells": ".jp-Notebook .jp-Cell",
    "prompt": ".jp-InputPrompt",
    "shown": ".jp-OutputArea-output, .jp-MarkdownOutput",
    "text": f"{MIME('application/vnd.jupyter.stdout')}, {MIME('text/plain')}",
    "error": f"{MIME('application/vnd.jupyter.error')}, {MIME('application/vnd.jupyter.stderr')}",
    "ready": ".jp-Notebook-ExecutionIndicator[data-status='idle']",
    "path": "lab/tree/{}.ipynb?reset",
}
NOTEBOOK6 = {
    "cells": "#notebook .cell",
    "prompt": ".input_prompt",
    "shown": ".output_subarea, .text_cell_render",
    "text": ".output_text:not(.output_stderr):not(.output_error)",
    "error": ".output_stderr, .output_error",
    "ready": ".kernel_idle_icon",
    "path": "notebooks/{}.ipynb?",
}
FRONT_ENDS = {
    "lab4": dict(LAB, environment=".venv", command="lab"),
    "lab3": dict(LAB, environment=".browser", command="notebook"),
    "notebook6": dict(NOTEBOOK6, environment=".browser", command="notebook"),
}


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
    """Serves a copy of the kit's notebooks, so that what Jupyter saves changes nothing here."""

    def __init__(self, name, folder):
        self.name, self.front_end, self.folder = name, FRONT_ENDS[name], folder / name
        self.notebooks = self.folder / "notebooks"
        shutil.copytree(ROOT / "notebooks", self.notebooks)
        self.token = secrets.token_hex()

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/"
        environment = dict(os.environ, JUPYTER_TOKEN=self.token)
        if self.front_end["environment"] != ".venv":
            environment["JUPYTER_PATH"] = self.kernel_of_the_kit()
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(
                [
                    *(
                        ROOT / self.front_end["environment"] / "bin/jupyter",
                        self.front_end["command"],
                    ),
                    *("--no-browser", "--ip=127.0.0.1", f"--port={port}"),
                    f"--notebook-dir={self.notebooks}",
                    *(["--allow-root"] if os.getuid() == 0 else []),
                ],
                cwd=ROOT,
                env=environment,
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

    def kernel_of_the_kit(self):
        """A folder that makes an old front end start .venv's kernel, with the ipywidgets that this
        front end can show."""
        kernel, packages = self.folder / "kernels" / "python3", self.folder / "packages"
        kernel.mkdir(parents=True)
        packages.mkdir()
        for name in ("ipywidgets", "ipython_genutils"):
            (packages / name).symlink_to(os.path.join(sysconfig.get_path("purelib"), name))
        python = str(ROOT / ".venv/bin/python")
        spec = {
            "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
            "env": {"PYTHONPATH": str(packages)},
        }
        (kernel / "kernel.json").write_text(json.dumps(spec))
        return str(self.folder)

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

    def end_kernels(self):
        for session in json.loads(self.request("api/sessions")):
            self.request("api/sessions/" + session["id"], "DELETE")
