"""The kit as a Python package: what `pynq get-notebooks` delivers from it."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.install import files
from helpers.editions import contents
from helpers.kit import ROOT

pytestmark = pytest.mark.deploy


TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "universal_newlines": True}
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
WHEEL = ["wheel", "--no-deps", "-w"]


def command(*words, **environment):
    variables = dict(os.environ, **environment)
    return subprocess.run([str(word) for word in words], env=variables, timeout=300, **TEXT)


def pack_into(folder):
    script = """sh deploy/pack.sh | tar -x -z -C "$0"; cp pyproject.toml README.md "$0" """
    subprocess.run(["sh", "-c", script, str(folder)], cwd=str(ROOT), check=True)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder that the package was installed into, from a wheel."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"  # setuptools writes into it
    source.mkdir()
    pack_into(source)
    for draft in ("iop/draft.py", "notebooks/exam.ipynb", "mb_src/pynq_tutorial.c~", "draft.py"):
        (source / draft).write_text("a draft")
    (source / "deploy/draft.py").write_text("a draft")
    built = command(*PIP, *WHEEL, folder, "--no-build-isolation", source)
    assert built.returncode == 0, built.stdout
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    installed = command(*PIP, "install", "--no-deps", "--target", folder / "installed", wheel)
    assert installed.returncode == 0, installed.stdout
    return folder / "installed"


@pytest.mark.parametrize(
    "python, setuptools",
    [("python3.8", ">=61"), ("python3.10", ">=61"), (sys.executable, "==61.0.0")],
    ids=["3.8", "3.10", "the oldest setuptools"],
)
def test_an_images_python_can_build_it(tmp_path, python, setuptools):
    """pyproject.toml says which setuptools it needs, and names the class that builds."""
    home = command("sh", "-c", f"command -v {python} && {python} -m pip --version")
    if home.returncode:
        pytest.skip(f"there is no {python} with pip")
    pack_into(tmp_path)
    settings = tmp_path / "pyproject.toml"
    settings.write_text(settings.read_text().replace("setuptools>=61", "setuptools" + setuptools))
    built = command(python, "-m", *PIP[2:], *WHEEL, tmp_path, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert "pynq_tutorial/iop/pynq_tutorial.bin" in ZipFile(wheel).namelist(), built.stdout


def get_notebooks(package, folder, *options):
    """Delivers them into a folder; returns the folder of the tutorial."""
    pynq = Path(sys.executable).parent / "pynq"
    variables = {"PYTHONPATH": str(package), "PYNQ_VIRTUAL_BOARD": "0"}
    options = "--ignore-overlays", *options, "-p", folder / "here", "pynq_tutorial"
    run = command(pynq, "get-notebooks", *options, **variables)
    assert run.returncode == 0, run.stdout
    return folder / "here/pynq_tutorial"


def test_get_notebooks_delivers_what_make_install_does_and_keeps_work(package, tmp_path):
    there = get_notebooks(package, tmp_path)
    assert contents(there) == files()
    (there / "2_iop_example.ipynb").write_text("a student's")
    get_notebooks(package, tmp_path, "--force")
    assert (there / "2_iop_example.ipynb").read_text() == "a student's"


def test_the_package_has_the_editions_files_and_no_others(package):
    listed = set((ROOT / "deploy" / "edition.txt").read_text().splitlines())
    there = {name for name in contents(package / "pynq_tutorial") if "__pycache__" not in name}
    assert there == listed | {"__init__.py", "build.py"}  # of deploy/package/


def test_get_notebooks_makes_the_overlay_from_the_one_that_pynq_has(package, tmp_path):
    """... or says that there is none. Here pynq is a folder with nothing but a base overlay."""
    code = """
import os, sys
sys.path[:0] = [{tests!r}, {package!r}]
import pynq, pynq_tutorial
from helpers import base_overlay
from pathlib import Path
try:
    pynq_tutorial.deliver_notebooks("Pynq-Z1", "", {there!r}, "pynq_tutorial", folder=True)
except Exception as error:
    print(error)
pynq.__file__ = {there!r} + "/pynq/__init__.py"
base_overlay.write(Path({there!r}) / "pynq/overlays/base")
pynq_tutorial.deliver_notebooks("Pynq-Z1", "", {there!r}, "pynq_tutorial", folder=True)
""".format(tests=str(ROOT / "tests"), package=str(package), there=str(tmp_path))
    run = command(sys.executable, "-c", code)
    assert run.returncode == 0 and "overlays/base/base.bit cannot be read" in run.stdout, run.stdout
    assert (tmp_path / "pynq_tutorial/bitstream/pynq_tutorial.bit").exists()
