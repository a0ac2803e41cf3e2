"""Settings that users have for other programs: none changes what the kit's notebooks do, and what a
user wants of Jupyter stays."""

import contextlib
import json
import os
import re
import signal
import subprocess
import urllib.request

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from helpers import checkout
from helpers.kit import ROOT, make
from helpers.waiting import soon

pytestmark = pytest.mark.slow

NOT_A_KERNEL = {"argv": ["/bin/false"], "display_name": "mine", "language": "python"}
FILES = {
    "python/numpy.py": "raise RuntimeError('another numpy')",
    "jupyter/kernels/python3/kernel.json": json.dumps(NOT_A_KERNEL),
    "ipython/profile_default/startup/00.py": "print('mine')\nraise RuntimeError('mine')",
    "ipython/profile_default/ipython_config.py": "raise RuntimeError('mine')",
    "matplotlib/matplotlibrc": "text.usetex: True\nfigure.dpi: 30\n",
    "config/jupyter_config.py": "raise RuntimeError('mine')",
}
FOLDERS = {
    "PYTHONPATH": "python",
    "JUPYTER_PATH": "jupyter",
    "JUPYTER_DATA_DIR": "jupyter",
    "IPYTHONDIR": "ipython",
    "MPLCONFIGDIR": "matplotlib",
    "JUPYTER_CONFIG_DIR": "config",
    "XILINX_XRT": "xrt",
    "CPATH": ".",
    "LD_LIBRARY_PATH": ".",
}
VARIABLES = {
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYNQ_REMOTE_DEVICES": "192.0.2.1",
    "MPLBACKEND": "TkAgg",
    "PYTEST_ADDOPTS": "--no-such-option",
}
NOT_IN_AN_EDITOR = "PYTHONPATH", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "IPYTHONDIR", "JUPYTER_PATH"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with settings that would break or change what the kit shows."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    for name, folder in FOLDERS.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def executed(folder, *sources, **options):
    """The cells of these sources, after a kernel of .venv in the folder has executed them."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, resources=resources, **options).execute()
    return notebook.cells


def says(folder, source):
    """What a kernel puts out for a cell."""
    (cell,) = executed(folder, source, allow_errors=True)
    return "".join(output.get("text") or output.get("evalue") or "" for output in cell.outputs)


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
            address = f"{json.loads(path.read_text())['url']}api/kernelspecs?token=my-own"
            with urllib.request.urlopen(address, timeout=300) as answer:
                return json.load(answer)["kernelspecs"]
    return None


def test_lab_starts_the_kits_kernel(home, monkeypatch, tmp_path):
    """A user's own settings of JupyterLab are obeyed; a kernel of the user's that is named python3,
    too, is not the notebooks'."""
    token = {"IdentityProvider": {"token": "my-own"}}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(token))
    (home / "config" / "jupyter_config.py").unlink()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    checkout.copy_with_environment(ROOT, tmp_path / "kit")  # in which it may lay out notebooks
    command = ["make", "lab", "LAB=--no-browser --port=0"]
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=str(tmp_path / "kit"), start_new_session=True, **output)
    try:
        kernel = soon(lambda: kernelspecs(home / "runtime"), 300)["python3"]["spec"]
        assert kernel["argv"][0] != "/bin/false" and kernel["display_name"] != "mine"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=300)


@pytest.mark.parametrize("backend", ["TkAgg", "no-such-backend", ""])
def test_pictures_come_in_any_kernel_of_the_environment(home, monkeypatch, backend):
    """As VS Code starts it, without make, so without what it leaves out."""
    for name in NOT_IN_AN_EDITOR:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MPLBACKEND", backend)
    students = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    (cell,) = executed(ROOT / "notebooks", students)
    assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.outputs


def test_a_kernel_has_a_board_whatever_its_users_settings_are(tmp_path, monkeypatch):
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_kernel_config.py").write_text(
        "c = get_config(); c.IPKernelApp.exec_lines = ['mine = 5']; c.IPKernelApp.extensions = []"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    source = "import pynq, checks; print(mine, pynq.Device.active_device.name)"
    assert says(tmp_path, source) == "5 virtual_board\n"


def test_a_kernel_in_another_folder_finds_the_overlay(tmp_path):
    source = (
        "from pynq import Overlay\nprint(Overlay('./bitstream/{}.bit').iop1.mb_info['rst_name'])"
    )
    assert says(tmp_path, source.format("pynq_tutorial")) == "mb_iop1_reset\n"
    assert "none.bit" in says(tmp_path, source.format("none"))


def test_a_public_notebook_needs_nothing_of_the_kit(tmp_path):
    """A cell of C whose notebook imports only pynq, and one after a run that did not compile."""
    cell = "%%microblaze overlay.iop1\nint {name}() {{ return {value}; }}"
    overlay = "from pynq import Overlay\noverlay = Overlay('./bitstream/pynq_tutorial.bit')"
    answers = executed(
        tmp_path,
        overlay + "\nimport pynq.lib",
        cell.format(name="five", value=5),
        "print(five())",
        cell.format(name="five", value="nothing"),
        "five()",
        "import os; print(os.environ['PYNQ_JUPYTER_NOTEBOOKS'])",
        allow_errors=True,
    )
    said = ["".join(o.get("text") or o.get("evalue") or "" for o in c.outputs) for c in answers]
    if "no mb-gcc here" in said[1]:
        pytest.skip("no compiler")
    assert said[2] == "5\n" and "last run of this function's cell failed" in said[4], said
    assert said[5] == f"{tmp_path}\n"


def test_a_kernel_says_why_it_has_no_board(tmp_path, monkeypatch):
    (tmp_path / "virtual_board.py").write_text(
        "def activate():\n    raise OSError('no memory for it')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    remedy = f"virtual board did not come up .OSError: no memory for it.: `make doctor` in {ROOT}"
    assert re.search(remedy, says(tmp_path, "import pynq; pynq.Device.active_device"))
