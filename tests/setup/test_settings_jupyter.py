"""Settings that users have for other programs: none changes what the kit's notebooks do, and what a
user wants of Jupyter stays."""

import contextlib
import json
import os
import signal
import subprocess
import urllib.request

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from helpers.kit import ROOT
from helpers.waiting import soon

pytestmark = pytest.mark.slow

PICTURES = """
from iop.pictures import draw_words
draw_words({"before": [1, 2], "after": [1, 3]})
"""
PLOT = """
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with settings that would break or change what the kit shows."""
    files = {
        "python/numpy.py": "raise RuntimeError('another numpy')",
        "jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/bin/false"], "display_name": "mine", "language": "python"}
        ),
        "ipython/profile_default/startup/00.py": (
            "print('from my start-up file')\nraise RuntimeError('mine')"
        ),
        "ipython/profile_default/ipython_config.py": (
            "c.InteractiveShell.ast_node_interactivity = 'all'"
        ),
        "matplotlib/matplotlibrc": "text.usetex: True\nfigure.dpi: 30\n",
        "config/jupyter_config.py": "raise RuntimeError('mine')",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    for name, value in {
        "PYTHONPATH": "python",
        "JUPYTER_PATH": "jupyter",
        "JUPYTER_DATA_DIR": "jupyter",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
        "JUPYTER_CONFIG_DIR": "config",
        "XILINX_XRT": "xrt",
        "CPATH": ".",
        "LD_LIBRARY_PATH": ".",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    for name, value in {
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYNQ_REMOTE_DEVICES": "192.0.2.1",
        "MPLBACKEND": "TkAgg",
        "PYTEST_ADDOPTS": "--no-such-option",
    }.items():
        monkeypatch.setenv(name, value)
    # as typed into a new terminal
    for name in [name for name in os.environ if name.startswith("MAKE")]:
        monkeypatch.delenv(name)
    return tmp_path


def make(*words):
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=300,
    )


def test_run_shows_the_same(home):
    run = make("run")
    assert run.returncode == 0, run.stdout
    assert "State of buffer after IOP write\n1\n2\n" in run.stdout and "mine" not in run.stdout


def test_test_runs_the_same(home):
    run = make("test", "ONLY=test_links")
    assert run.returncode == 0 and " passed" in run.stdout, run.stdout


def kernelspecs(runtime):
    """What a server says that it would start, or None as long as it does not answer."""
    for path in runtime.glob("jpserver-*.json"):
        with contextlib.suppress(OSError, ValueError):
            address = json.loads(path.read_text())["url"]
            with urllib.request.urlopen(
                f"{address}api/kernelspecs?token=my-own", timeout=300
            ) as answer:
                return json.load(answer)["kernelspecs"]
    return None


def test_lab_starts_the_kits_kernel(home, monkeypatch):
    """A user's own settings of JupyterLab are obeyed; a kernel of the user's that is named python3,
    too, is not the notebooks'."""
    (home / "config" / "jupyter_server_config.json").write_text(
        json.dumps({"IdentityProvider": {"token": "my-own"}})
    )
    (home / "config" / "jupyter_config.py").unlink()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    server = subprocess.Popen(
        ["make", "lab", "LAB=--no-browser --port=0"],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        kernel = soon(lambda: kernelspecs(home / "runtime"), 300)["python3"]
        assert (
            kernel["spec"]["argv"][0] != "/bin/false" and kernel["spec"]["display_name"] != "mine"
        )
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=300)


@pytest.mark.parametrize("backend", ["TkAgg", "Agg", "no-such-backend", None])
def test_pictures_come_in_any_kernel_of_the_environment(home, monkeypatch, backend):
    """As VS Code starts it, without make, so without what it leaves out."""
    for name in "PYTHONPATH", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "IPYTHONDIR", "JUPYTER_PATH":
        monkeypatch.delenv(name)
    (
        monkeypatch.delenv("MPLBACKEND")
        if backend is None
        else monkeypatch.setenv("MPLBACKEND", backend)
    )
    notebook = new_notebook(cells=[new_code_cell(PICTURES), new_code_cell(PLOT)])
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}}
    ).execute()
    assert all(
        any("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in notebook.cells
    )


def test_pictures_come_where_only_iop_is_the_kits(home, monkeypatch):
    """On a board no kernel's settings are the kit's."""
    from iop import pictures

    shown = []
    monkeypatch.setattr(pictures, "display", shown.append)
    with pictures.style.context({"text.usetex": True, "figure.dpi": 30}):
        pictures.draw_words({"before": [1, 2]})
    assert (
        shown[0]._repr_png_().startswith(b"\x89PNG")
        and repr(shown[0]) == "<Figure size 990x104.5 with 1 Axes>"
    )
