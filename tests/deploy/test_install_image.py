"""The installer on trees that look like an image's: where things come, and what it says when it
cannot."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy import EDITION, image, tree
from deploy.install import files
from helpers import base_overlay
from helpers.editions import NEW, OLD, contents, snapshot
from helpers.kit import ROOT, make

pytestmark = pytest.mark.slow

ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become somebody else, or mount a disk"
)


NOTEBOOKS = "home/xilinx/jupyter_notebooks/pynq_tutorial"


def run(*words, cwd=ROOT, **more):
    """Runs a command; returns its end, with its output and its errors as text."""
    options = {"cwd": str(cwd), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run([str(word) for word in words], universal_newlines=True, **options)


def installer(root, *options, **more):
    return run(sys.executable, "-m", "deploy.install", "--destdir", root, *options, **more)


def pack_into(folder, option=""):
    """A kit that was packed for a board."""
    packed = run("sh", "-c", f'sh deploy/pack.sh {option} | tar -x -z -C "$0"', folder)
    assert packed.returncode == 0, packed.stderr
    return folder


@pytest.fixture
def root(tmp_path):
    """A tree that looks like an image's root, with a base overlay and somebody's notebooks
    folder."""
    root = tmp_path / "root"
    package = root / image.VENV / "lib/python3.10/site-packages/pynq"
    base_overlay.write(package / "overlays/base")
    folder = root / "home/xilinx/jupyter_notebooks"
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(str(folder), 1000, 1000)
    return root


@pytest.fixture
def installed(root):
    said = installer(root)
    assert said.returncode == 0, said.stderr
    return root / NOTEBOOKS


def test_an_image_gets_all_that_a_student_needs(installed):
    names = set(contents(installed))
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= names
    needed = "iop/pynq_tutorial.bin iop/pynq_tutorial.py mb_src/pynq_tutorial.c images/system.svg"
    overlay = {"bitstream/pynq_tutorial.bit", "bitstream/pynq_tutorial.hwh"}
    assert {*needed.split(), *overlay} <= names
    assert not [n for n in names if "__pycache__" in n or "virtual_board" in n or "test" in n]
    owner = installed.parent.stat()
    for path in [installed, *installed.rglob("*")]:
        stat = path.lstat()
        assert (stat.st_uid, stat.st_gid) == (owner.st_uid, owner.st_gid), path
        assert stat.st_mode == (0o40755 if path.is_dir() else 0o100644), path


def test_installer_says_what_it_does(root, installed):
    again = installer(root)
    assert again.stdout == f"{installed}: edition {EDITION} is there already; nothing to change.\n"
    (installed / "2_iop_example.ipynb").write_text("a student's")
    kept = "kept, because it is not as it was installed: 2_iop_example.ipynb"
    assert kept in installer(root, "--uninstall").stdout
    assert "kept, because it was changed here: 2_iop_example.ipynb" in installer(root).stdout
    assert (installed / "2_iop_example.ipynb").read_text() == "a student's"


def test_names_that_are_no_text_can_be_told_too(root, installed):
    for name in b"a\xffb\n", b"L\xc3\xb6sung":
        (installed / os.fsdecode(name)).touch()
    for encoding, told in ("utf-8", "L\u00f6sung"), ("ascii", "L\\xf6sung"):  # ascii: Python 3.6
        settings = dict(os.environ, PYTHONIOENCODING=encoding + ":strict", PYTHONUTF8="1")
        assert installer(root, env=settings).returncode == 0
        said = installer(root, "--uninstall", env=settings).stdout
        assert "installed: 'a\\udcffb\\n'\n" in said and f"installed: {told}\n" in said


def test_the_image_says_where_its_notebooks_are(root):
    (root / "etc/profile.d").mkdir(parents=True)
    (root / "etc/profile.d/pynq_venv.sh").write_text(
        "export PYNQ_JUPYTER_NOTEBOOKS=/srv/notebooks\nexport BOARD='Pynq-Z2'\n"
    )
    assert installer(root).returncode == 0
    assert (root / "srv/notebooks/pynq_tutorial/2_iop_example.ipynb").exists()
    assert image.setting("BOARD", str(root)) == "Pynq-Z2"
    assert image.setting("XILINX_XRT", str(root)) is None


def test_the_image_v2_6_has_its_python_elsewhere(tmp_path):
    base = base_overlay.write(tmp_path / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base")
    assert image.base_overlay(str(tmp_path)) == str(base)
    assert image.python(str(tmp_path)) == str(tmp_path / "usr/bin/python3")


def refused(said, *words):
    """Whether a run ended with one sentence that has these words in it."""
    assert said.returncode == 1 and len(said.stderr.splitlines()) == 1, said.stderr
    return all(word in said.stderr for word in words)


def test_no_base_overlay(tmp_path):
    assert refused(installer(tmp_path), "There is no base overlay", "BASE_OVERLAY=")
    missing = installer(tmp_path, "--base-overlay", tmp_path / "base.bit")
    assert refused(missing, "base.bit cannot be read")
    assert list(tmp_path.iterdir()) == []


def test_a_destdir_that_cannot_be_one(tmp_path):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "file").write_text("")
    said = installer(tmp_path / "file", "--base-overlay", base)
    assert refused(said, "/file/home: Not a directory.")


def test_a_pc_is_no_board():
    assert refused(installer("/"), "not a PYNQ board", "HOST=192.168.2.99", "DESTDIR=")


@ROOT_ONLY
@pytest.mark.parametrize("step", [lambda target: tree.install(target, NEW, "new"), tree.uninstall])
def test_a_folder_of_somebody_else(step):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own nobody else may enter
        os.chmod(folder, 0o755)
        tree.install(folder + "/tutorial", OLD, "old")
        before = snapshot(Path(folder))
        os.seteuid(65534)
        try:
            with pytest.raises(tree.InstallError, match=f"not write into {folder}.*use sudo"):
                step(folder + "/tutorial")
        finally:
            os.seteuid(0)
        assert snapshot(Path(folder)) == before


def mounted(script, *words):
    """Runs a shell script that may mount what nobody else sees, and that ends with the process.
    Its $0 is this Python."""
    said = run("unshare", "-m", "sh", "-e", "-c", script, sys.executable, *words)
    if "permitted" in said.stderr or "permission denied" in said.stderr:
        pytest.skip("nothing may be mounted here")
    return said


# $1: the root. $2: a base overlay. A disk on which something is missing; prints the sum of what is
# on it before and after.
DISK = """
mkdir "$1/disk"; mount -t tmpfs -o size=10m disk "$1/disk"; cp -a "$1/home" "$1/disk"
(cd "$1/disk"; rm home/xilinx/jupyter_notebooks/pynq_tutorial/iop/xlnk.py; {filled})
sum() {{ tar -C "$1/disk" -c --sort=name --mtime=@0 --exclude=filler . | sha256sum; }}
sum "$1"; "$0" -m deploy.install --destdir "$1/disk" --base-overlay "$2" || code=$?
sum "$1"; exit ${{code:-0}}"""


@ROOT_ONLY
@pytest.mark.parametrize(
    "filled, words",
    [
        ("head -c 20000000 /dev/zero > filler 2>/dev/null || true", "There is no room left"),
        ("mount -o remount,ro disk .", "Read-only file system"),
    ],
)
def test_a_disk_that_takes_nothing_more(root, installed, filled, words):
    said = mounted(DISK.format(filled=filled), root, image.base_overlay(str(root)))
    assert refused(said, words, "nothing was changed")
    before, after = said.stdout.splitlines()
    assert before == after


# $1: the root. $2: the installed folder. Installs and uninstalls, then prints what it left under
# temporary names.
MOUNTED = """
mount --make-rprivate /
{mount}
for option in "" --uninstall; do "$0" -m deploy.install --destdir "$1" $option || code=$?; done
find "$2" -name "*.pynq_tutorial-*"; cat "$2/mine.ipynb"; exit ${{code:-0}}"""
MOUNTS = [
    'mkdir "$2/my data"; mount -t tmpfs mine "$2/my data"',
    'mount --bind "$2/iop" "$2/iop"',
    'mount --bind "$2" "$2"',
    'mount -t tmpfs other "$2"; echo mine > "$2/mine.ipynb"',
    "mount -t tmpfs other /mnt; mkdir /mnt/upper /mnt/work; "
    'mount -t overlay -o lowerdir="$2",upperdir=/mnt/upper,workdir=/mnt/work overlay "$2"',
]


def install_mounted(mount, root, installed):
    (installed / "iop/xlnk.py").unlink()
    (installed / "mine.ipynb").write_text("mine")
    said = mounted(MOUNTED.format(mount=mount), root, installed)
    assert "-coming" not in said.stdout and "-leaving" not in said.stdout
    assert said.stdout.strip().endswith("mine")
    return said


@ROOT_ONLY
@pytest.mark.parametrize("mount", MOUNTS)
def test_file_systems_in_the_folder_and_of_its_own(root, installed, mount):
    said = install_mounted(mount, root, installed)
    assert said.returncode == 0, said.stdout + said.stderr
    assert " files new" in said.stdout and "files removed" in said.stdout


@ROOT_ONLY
def test_a_file_that_cannot_be_replaced(root, installed):
    """The others are. A mount stands for what the kernel refuses, as for an immutable file."""
    said = install_mounted('mount --bind "$2/iop/cells.py" "$2/iop/cells.py"', root, installed)
    assert said.returncode == 1, said.stdout
    assert "iop/cells.py" in said.stderr and "same command again" in said.stderr
    assert (installed / "iop/cells.py").exists()
    assert not (installed / "iop/pynq_tutorial.py").exists()


def listed():
    return (ROOT / "deploy" / "edition.txt").read_text().splitlines()


def test_the_editions_list_is_gits():
    folders = "notebooks iop mb_src bitstream deploy :!deploy/container :!deploy/hub".split()
    tracked = run("git", "ls-files", "-s", *folders).stdout.splitlines()
    # without links
    names = [line.split("\t")[1] for line in tracked if not line.startswith("120000 ")]
    assert listed() == sorted(names), "type `git add` and `make edition`"


def test_only_what_belongs_to_the_edition_is_installed():
    ours = [n for n in listed() if not n.startswith("deploy/") and n != "bitstream/derive.py"]
    assert set(files()) == {name.replace("notebooks/", "", 1) for name in ours}


def solutions(names):
    return {name for name in names if "solutions/" in name}


def test_a_board_without_answers(root, tmp_path):
    """Also from a kit that was packed without them."""
    installed = root / NOTEBOOKS
    assert installer(root, "--no-answers").returncode == 0
    overlay = {"bitstream/pynq_tutorial.bit"}
    assert set(contents(installed)) == set(files()) - solutions(files()) | overlay
    assert "nothing to change" in installer(root, "--no-answers").stdout
    assert f"{len(solutions(files()))} files new" in installer(root).stdout
    changed, *_ = sorted(solutions(contents(installed)))
    (installed / changed).write_text("a student's")
    said = installer(root, "--no-answers", cwd=pack_into(tmp_path, "--no-answers"))
    assert said.returncode == 0, said.stderr
    assert solutions(contents(installed)) == {changed}  # which is not the kit's any more


def test_answers_are_yes_or_no():
    said = make("install", "ANSWERS=none", "DESTDIR=/nowhere")
    assert said.returncode == 2 and "ANSWERS is none: give yes or no" in said.stdout


DRAFTS = """
notebooks/exam_solution.ipynb notebooks/.~2_iop_example.ipynb notebooks/checks/draft.py
notebooks/.ipynb_checkpoints/1_memory-checkpoint.ipynb notebooks/my_firmware/mine.c iop/draft.py
iop/pynq_tutorial.py~ mb_src/pynq_tutorial.c~ mb_src/build/pynq_tutorial.elf deploy/draft.py
bitstream/draft.md
""".split()


def test_an_instructors_drafts_reach_no_board(tmp_path, root):
    kit = pack_into(tmp_path)
    for name in DRAFTS:
        (kit / name).parent.mkdir(exist_ok=True)
        (kit / name).write_text("a draft")
    said = installer(root, cwd=kit)
    assert said.returncode == 0, said.stderr
    assert set(contents(root / NOTEBOOKS)) == set(files()) | {"bitstream/pynq_tutorial.bit"}
    packed = run("sh", "-c", "sh deploy/pack.sh | tar -t -z", cwd=kit).stdout.splitlines()
    assert packed == listed()


def test_a_file_of_the_edition_that_is_missing_is_named(tmp_path, root):
    kit = pack_into(tmp_path)
    (kit / "iop/xlnk.py").unlink()
    before = snapshot(root)
    said = installer(root, cwd=kit)
    assert refused(said, "/iop/xlnk.py belongs to the edition and cannot be read", "git checkout")
    assert snapshot(root) == before


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", "[]", '{"cells": [1]}', "{}", "\xff"])
def test_a_notebook_that_is_not_one_is_named(tmp_path, root, text):
    """Such as one with a conflict, after git pull."""
    kit = pack_into(tmp_path)
    (kit / "notebooks/3_mailbox.ipynb").write_bytes(text.encode("latin-1"))
    before = snapshot(root)
    said = installer(root, cwd=kit)
    assert refused(said, "/3_mailbox.ipynb belongs to the edition and", "it is not a notebook")
    assert snapshot(root) == before
