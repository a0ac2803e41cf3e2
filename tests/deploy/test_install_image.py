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
from helpers.kit import ROOT

pytestmark = pytest.mark.slow

SOLUTIONS = sorted(path.name for path in (ROOT / "notebooks/solutions").glob("*.ipynb"))
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become somebody else, or mount a disk"
)


def installer(root, *options, **more):
    more.setdefault("cwd", str(ROOT))
    return subprocess.run(
        [sys.executable, "-m", "deploy.install", "--destdir", str(root)]
        + [str(option) for option in options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **more,
    )


@pytest.fixture
def root(tmp_path):
    """A tree that looks like an image's root, with a base overlay and somebody's notebooks
    folder."""
    root = tmp_path / "root"
    base_overlay.write(
        root / "usr/local/share/pynq-venv/lib/python3.10/site-packages/pynq/overlays/base"
    )
    folder = root / "home/xilinx/jupyter_notebooks"
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(str(folder), 1000, 1000)
    return root


@pytest.fixture
def installed(root):
    run = installer(root)
    assert run.returncode == 0, run.stderr
    return root / "home/xilinx/jupyter_notebooks/pynq_tutorial"


def test_an_image_gets_all_that_a_student_needs(installed):
    names = set(contents(installed))
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= names
    assert {
        "iop/pynq_tutorial.bin",
        "iop/pynq_tutorial.py",
        "bitstream/pynq_tutorial.bit",
        "bitstream/pynq_tutorial.hwh",
        "mb_src/pynq_tutorial.c",
        "images/system.svg",
    } <= names
    assert not [
        name for name in names if "__pycache__" in name or "virtual_board" in name or "test" in name
    ]
    owner = installed.parent.stat()
    for path in [installed] + list(installed.rglob("*")):
        assert not path.is_symlink()
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid), path
        assert oct(path.stat().st_mode)[-3:] == ("755" if path.is_dir() else "644"), path


def test_installer_says_what_it_does(root, installed):
    again = installer(root)
    assert again.stdout == f"{installed}: edition {EDITION} is there already; nothing to change.\n"
    (installed / "2_iop_example.ipynb").write_text("a student's")
    assert (
        "kept, because it is not as it was installed: 2_iop_example.ipynb"
        in installer(root, "--uninstall").stdout
    )
    assert "kept, because it was changed here: 2_iop_example.ipynb" in installer(root).stdout
    assert (installed / "2_iop_example.ipynb").read_text() == "a student's"


def test_names_that_are_no_text_can_be_told_too(root, installed):
    with open(os.path.join(os.fsencode(str(installed)), b"a\xffb\n"), "w"):
        pass
    (installed / "L\u00f6sung.ipynb").write_text("")
    run = installer(
        root, "--uninstall", env=dict(os.environ, PYTHONIOENCODING="utf-8:strict", PYTHONUTF8="1")
    )
    assert run.returncode == 0, run.stderr
    assert (
        "installed: 'a\\udcffb\\n'\n" in run.stdout
        and "installed: L\u00f6sung.ipynb\n" in run.stdout
    )


def test_the_image_says_where_its_notebooks_are(root):
    (root / "etc/profile.d").mkdir(parents=True)
    (root / "etc/profile.d/pynq_venv.sh").write_text(
        "export PYNQ_JUPYTER_NOTEBOOKS=/srv/notebooks\nexport BOARD='Pynq-Z2'\n"
    )
    assert installer(root).returncode == 0
    assert (root / "srv/notebooks/pynq_tutorial/2_iop_example.ipynb").exists()
    assert (
        image.setting("BOARD", str(root)) == "Pynq-Z2"
        and image.setting("XILINX_XRT", str(root)) is None
    )


def test_the_image_v2_6_has_its_python_elsewhere(tmp_path):
    base = base_overlay.write(tmp_path / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base")
    assert image.base_overlay(str(tmp_path)) == str(base)
    assert image.python(str(tmp_path)) == str(tmp_path / "usr/bin/python3")


def refused(run, *words):
    """A refusal is one sentence."""
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1, run.stderr
    for word in words:
        assert word in run.stderr
    return True


def test_no_base_overlay(tmp_path):
    assert refused(installer(tmp_path), "There is no base overlay", "BASE_OVERLAY=")
    assert list(tmp_path.iterdir()) == []
    assert refused(
        installer(tmp_path, "--base-overlay", tmp_path / "base.bit"), "base.bit cannot be read"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_destdir_that_cannot_be_one(tmp_path):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "file").write_text("")
    assert refused(
        installer(tmp_path / "file", "--base-overlay", base), "/file/home: Not a directory."
    )


def test_a_pc_is_no_board():
    assert refused(
        installer("/"), "This machine is not a PYNQ board", "HOST=192.168.2.99", "DESTDIR="
    )


@ROOT_ONLY
@pytest.mark.parametrize("step", [lambda target: tree.install(target, NEW, "new"), tree.uninstall])
def test_a_folder_of_somebody_else(step):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own nobody else may enter
        os.chmod(folder, 0o755)
        tree.install(folder + "/tutorial", OLD, "old")
        before = snapshot(Path(folder))
        os.seteuid(65534)
        try:
            with pytest.raises(
                tree.InstallError, match=f"You may not write into {folder}.*use sudo"
            ):
                step(folder + "/tutorial")
        finally:
            os.seteuid(0)
        assert snapshot(Path(folder)) == before


# A disk that nobody else sees, and that ends with the process. What it prints is what is on it,
# twice.
DISK = """
set -e
mkdir "$1/disk"; mount -t tmpfs -o size=10m disk "$1/disk"; cp -a "$1/home" "$1/disk"; cd "$1/disk"
rm home/xilinx/jupyter_notebooks/pynq_tutorial/iop/xlnk.py
{filled}
list() {{ find . -type f ! -name filler -exec sha256sum {{}} + | sort; find . -type d | sort; }}
list; cd "$3"; "$2" -m deploy.install --destdir "$1/disk" --base-overlay "$4" || code=$?
cd "$1/disk"; list; exit ${{code:-0}}"""


@ROOT_ONLY
@pytest.mark.parametrize(
    "filled, words",
    [
        ("head -c 20000000 /dev/zero > filler || true", "There is no room left"),
        ("mount -o remount,ro disk .", "read-only"),
    ],
)
def test_a_disk_that_takes_nothing_more(root, installed, filled, words):
    (installed / "mine.ipynb").write_text("mine")
    run = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            DISK.format(filled=filled),
            "sh",
            str(root),
            sys.executable,
            str(ROOT),
            image.base_overlay(str(root)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if "permitted" in run.stderr or "permission denied" in run.stderr:
        pytest.skip("no disk may be mounted here")
    run.stderr = "\n".join(
        line for line in run.stderr.splitlines() if not line.startswith("head: ")
    )
    assert refused(run, words, "nothing was changed")
    there = run.stdout.splitlines()
    assert len(there) > 10 and there[: len(there) // 2] == there[len(there) // 2 :]


# $4: the installed folder. The installer runs twice, and then prints what it left under temporary
# names.
MOUNTED = """
set -e
mount --make-rprivate /
{mount}
cd "$3"
for option in "" --uninstall; do "$2" -m deploy.install --destdir "$1" $option || code=$?; done
find "$4" -name "*.pynq_tutorial-*"; cat "$4/mine.ipynb"; exit ${{code:-0}}"""


def mounted(mount, root, installed):
    (installed / "iop/xlnk.py").unlink()
    (installed / "mine.ipynb").write_text("mine")
    run = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            MOUNTED.format(mount=mount),
            "sh",
            str(root),
            sys.executable,
            str(ROOT),
            str(installed),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if "permitted" in run.stderr or "permission denied" in run.stderr:
        pytest.skip("nothing may be mounted here")
    return run


@ROOT_ONLY
@pytest.mark.parametrize(
    "mount",
    [
        'mkdir "$4/my data"; mount -t tmpfs mine "$4/my data"',
        'mount --bind "$4/iop" "$4/iop"',
        'mount --bind "$4" "$4"',
        'mount -t tmpfs other "$4"; echo mine > "$4/mine.ipynb"',
        (
            "mount -t tmpfs other /mnt; mkdir /mnt/upper /mnt/work; "
            'mount -t overlay -o lowerdir="$4",upperdir=/mnt/upper,workdir=/mnt/work overlay "$4"'
        ),
    ],
)
def test_file_systems_in_the_folder_and_of_its_own(root, installed, mount):
    run = mounted(mount, root, installed)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (
        " files new" in run.stdout
        and "files removed" in run.stdout
        and run.stdout.strip().endswith("mine")
    )
    assert "-coming" not in run.stdout and "-leaving" not in run.stdout


@ROOT_ONLY
def test_a_file_that_cannot_be_replaced_does_not_keep_the_others_from_it(root, installed):
    """A mount stands for what the kernel refuses, as for an immutable file."""
    run = mounted('mount --bind "$4/iop/cells.py" "$4/iop/cells.py"', root, installed)
    assert (
        run.returncode == 1 and "iop/cells.py" in run.stderr and "same command again" in run.stderr
    )
    assert "-coming" not in run.stdout and (installed / "iop/cells.py").exists()
    assert not (installed / "iop/pynq_tutorial.py").exists()


def test_the_editions_list_is_gits():
    listed = (ROOT / "deploy" / "edition.txt").read_text().splitlines()
    tracked = subprocess.run(
        [
            "git",
            "ls-files",
            "-s",
            "notebooks",
            "iop",
            "mb_src",
            "bitstream",
            "deploy",
            ":!deploy/container",
            ":!deploy/hub",
        ],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    ).stdout.splitlines()
    # a link
    files_of_git = [line.split("\t")[1] for line in tracked if not line.startswith("120000 ")]
    assert listed == sorted(files_of_git), "type `git add` and `make edition`"


def test_only_what_belongs_to_the_edition_is_installed():
    names = set(files())
    assert "bitstream/pynq_tutorial.bit" not in names and "bitstream/derive.py" not in names
    listed = (ROOT / "deploy" / "edition.txt").read_text().splitlines()
    known = {
        name[len("notebooks/") :] if name.startswith("notebooks/") else name
        for name in listed
        if not name.startswith("deploy/") and name != "bitstream/derive.py"
    }
    assert names == known


def solutions(names):
    return {name for name in names if "solutions/" in name}


def test_a_board_without_answers(root, tmp_path):
    """Also from a kit that was packed without them."""
    installed = root / "home/xilinx/jupyter_notebooks/pynq_tutorial"
    assert installer(root, "--no-answers").returncode == 0
    assert set(contents(installed)) == set(files()) - solutions(files()) | {
        "bitstream/pynq_tutorial.bit"
    }
    assert "nothing to change" in installer(root, "--no-answers").stdout
    assert f"{len(SOLUTIONS)} files new" in installer(root).stdout and len(
        solutions(contents(installed))
    ) == len(SOLUTIONS)
    (installed / "solutions" / SOLUTIONS[0]).write_text("a student's")
    subprocess.run(
        [
            "sh",
            "-c",
            'sh "$0/deploy/pack.sh" --no-answers | tar -x -z -C "$1"',
            str(ROOT),
            str(tmp_path),
        ],
        check=True,
    )
    run = installer(root, "--no-answers", cwd=str(tmp_path))
    assert run.returncode == 0, run.stderr
    # which is not the kit's any more
    assert solutions(contents(installed)) == {"solutions/" + SOLUTIONS[0]}


def test_answers_are_yes_or_no():
    run = subprocess.run(
        ["make", "install", "ANSWERS=none", "DESTDIR=/nowhere"],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert run.returncode == 2 and "ANSWERS is none: give yes or no" in run.stdout


def kit_with_drafts(folder):
    """A kit that was packed for a board, and in which an instructor works."""
    subprocess.run(
        [
            "sh",
            "-c",
            (
                'sh "$0/deploy/pack.sh" | tar -x -z -C "$1"; cd "$0"; '
                'cp pyproject.toml setup.py README.md "$1"'
            ),
            str(ROOT),
            str(folder),
        ],
        check=True,
    )
    for name in DRAFTS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("a draft")
    return folder


DRAFTS = [
    "notebooks/exam_solution.ipynb",
    "notebooks/.~2_iop_example.ipynb",
    "notebooks/checks/draft.py",
    "iop/draft.py",
    "iop/pynq_tutorial.py~",
    "mb_src/pynq_tutorial.c~",
    "mb_src/build/pynq_tutorial.elf",
    "deploy/draft.py",
    "notebooks/.ipynb_checkpoints/1_memory-checkpoint.ipynb",
    "notebooks/my_firmware/mine.c",
    "bitstream/draft.md",
]


def test_an_instructors_drafts_reach_no_board(tmp_path, root):
    kit = kit_with_drafts(tmp_path)
    run = installer(root, cwd=str(kit))
    assert run.returncode == 0, run.stderr
    there = set(contents(root / "home/xilinx/jupyter_notebooks/pynq_tutorial"))
    assert there == set(files()) | {"bitstream/pynq_tutorial.bit"}
    packed = subprocess.run(
        "sh deploy/pack.sh | tar -t -z",
        shell=True,
        cwd=str(kit),
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    ).stdout.splitlines()
    assert packed and not set(packed) & set(DRAFTS)


def test_a_file_of_the_edition_that_is_missing_is_named_and_nothing_changes(tmp_path, root):
    kit = kit_with_drafts(tmp_path)
    (kit / "iop/xlnk.py").unlink()
    before = snapshot(root)
    assert refused(
        installer(root, cwd=str(kit)),
        "/iop/xlnk.py belongs to the edition and cannot be read",
        "git checkout",
    )
    assert snapshot(root) == before
