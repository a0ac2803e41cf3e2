"""The installer on trees that look like an image's: what comes where, and that no student's work is lost."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import base_overlay
from conftest import ROOT
from deploy import EDITION, image, tree
from deploy.install import files

OLD = {"1.ipynb": b"one", "iop/a.py": b"a", "iop/b.py": b"b", "images/x.svg": b"x"}
NEW = {"1.ipynb": b"ONE", "iop/a.py": b"A", "iop/b.py": b"b", "images/y.svg": b"y"}


def contents(folder):
    """{relative path: contents} of a folder's files, but for the manifest."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != tree.MANIFEST}


def snapshot(folder):
    """All that can be told of what is in a folder: contents, owners, rights, times, and which file it is."""
    return [(str(path), path.is_file() and path.read_bytes(), os.lstat(str(path))[:6], os.lstat(str(path)).st_mtime_ns)
            for path in sorted(folder.rglob("*"))]


@pytest.fixture
def target(tmp_path):
    """An installed edition."""
    tree.install(str(tmp_path / "tutorial"), OLD, "old")
    return tmp_path / "tutorial"


def test_a_new_edition_replaces_the_old_one(target):
    assert contents(target) == OLD
    report = tree.install(str(target), NEW, "new")
    assert contents(target) == NEW
    assert report == {"new": ["images/y.svg"], "replaced": ["1.ipynb", "iop/a.py"], "removed": ["images/x.svg"],
                      "kept": [], "beside": []}
    assert [path.name for path in target.parent.iterdir()] == ["tutorial"]


def test_installing_twice_changes_nothing(target):
    (target / "1.ipynb").write_bytes(b"one, by a student")
    tree.install(str(target), NEW, "new")
    before = snapshot(target.parent)
    assert not any(tree.install(str(target), NEW, "new").values())
    assert snapshot(target.parent) == before


def test_what_a_student_changed_stays_and_the_new_edition_comes_beside_it(target):
    (target / "1.ipynb").write_bytes(b"one, by a student")
    report = tree.install(str(target), NEW, "new")
    assert report["kept"] == ["1.ipynb"] and report["beside"] == ["1-new-edition.ipynb"]
    assert contents(target) == dict(NEW, **{"1.ipynb": b"one, by a student", "1-new-edition.ipynb": b"ONE"})
    # The next edition takes that one's place, unless the student has changed it too.
    tree.install(str(target), dict(NEW, **{"1.ipynb": b"ONE!"}), "newer")
    assert contents(target)["1-new-edition.ipynb"] == b"ONE!"
    (target / "1-new-edition.ipynb").write_bytes(b"ONE!, by a student")
    tree.install(str(target), dict(NEW, **{"1.ipynb": b"ONE!!"}), "newest")
    assert contents(target) == dict(NEW, **{"1.ipynb": b"one, by a student", "1-new-edition.ipynb": b"ONE!, by a student",
                                            "1-new-edition-2.ipynb": b"ONE!!"})


def test_a_student_who_takes_the_new_edition_is_back_in_step(target):
    (target / "1.ipynb").write_bytes(b"one, by a student")
    tree.install(str(target), NEW, "new")
    os.replace(str(target / "1-new-edition.ipynb"), str(target / "1.ipynb"))
    assert tree.install(str(target), dict(NEW, **{"1.ipynb": b"ONE!"}), "newer")["kept"] == []
    assert contents(target) == dict(NEW, **{"1.ipynb": b"ONE!"})


def test_a_change_that_no_edition_touches_needs_nothing_beside_it(target):
    (target / "iop/b.py").write_bytes(b"b, by a student")
    assert tree.install(str(target), NEW, "new")["beside"] == []
    assert contents(target) == dict(NEW, **{"iop/b.py": b"b, by a student"})


def test_a_file_that_the_new_edition_no_longer_has(target):
    (target / "images/x.svg").write_bytes(b"x, by a student")
    assert tree.install(str(target), NEW, "new")["removed"] == []
    assert contents(target) == dict(NEW, **{"images/x.svg": b"x, by a student"})


def students_work(target):
    """Puts all kinds of things into a folder; returns those that are files."""
    mine = {"mine.ipynb": b"mine", "iop/mine.py": b"mine too", "data/deep/er.csv": b"1,2", "1 copy.ipynb": b"one"}
    for name, text in mine.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(text)
    (target / "empty").mkdir(mode=0o700)
    (target / "link").symlink_to("nowhere")
    (target / "mine.ipynb").chmod(0o600)
    return mine


@pytest.mark.parametrize("step", [lambda target: tree.install(str(target), NEW, "new"),
                                  lambda target: tree.uninstall(str(target))])
def test_a_students_own_files_stay_the_same_files(target, step):
    mine = students_work(target)
    before = {name: os.lstat(str(target / name)) for name in mine}
    step(target)
    assert {name: text for name, text in contents(target).items() if name in mine} == mine
    for name in mine:
        assert os.path.samestat(os.lstat(str(target / name)), before[name])
    assert oct((target / "mine.ipynb").stat().st_mode)[-3:] == "600" and os.readlink(str(target / "link")) == "nowhere"
    assert (target / "empty").is_dir() and oct((target / "empty").stat().st_mode)[-3:] == "700"


def test_uninstall_removes_what_is_unchanged_and_names_what_it_kept(target):
    mine = students_work(target)
    (target / "1.ipynb").write_bytes(b"one, by a student")
    (target / ".ipynb_checkpoints").mkdir()
    (target / ".ipynb_checkpoints" / "1-checkpoint.ipynb").write_bytes(b"one")  # what Jupyter writes at the first save
    (target / ".ipynb_checkpoints" / "2-checkpoint.ipynb").write_bytes(b"two")
    report = tree.uninstall(str(target))
    kept = dict(mine, **{"1.ipynb": b"one, by a student", ".ipynb_checkpoints/2-checkpoint.ipynb": b"two"})
    assert contents(target) == kept and not (target / tree.MANIFEST).exists()
    assert report["kept"] == sorted(list(kept) + ["empty", "link"])
    assert report["removed"] == [".ipynb_checkpoints/1-checkpoint.ipynb", "images/x.svg", "iop/a.py", "iop/b.py"]
    before = snapshot(target.parent)
    assert not any(tree.uninstall(str(target)).values())
    assert snapshot(target.parent) == before


def test_uninstall_leaves_nothing_where_nothing_was_changed(target):
    tree.uninstall(str(target))
    assert list(target.parent.iterdir()) == []


def test_a_folder_of_that_name_that_was_there_before(tmp_path):
    (tmp_path / "tutorial").mkdir()
    (tmp_path / "tutorial" / "1.ipynb").write_bytes(b"somebody's")
    tree.install(str(tmp_path / "tutorial"), OLD, "old")
    assert contents(tmp_path / "tutorial") == dict(OLD, **{"1.ipynb": b"somebody's", "1-new-edition.ipynb": b"one"})


@pytest.mark.parametrize("name", ["images/y.svg", "1-new-edition.ipynb"])
def test_a_link_or_an_empty_folder_counts_as_a_students_too(target, name):
    (target / "1.ipynb").write_bytes(b"one, by a student")
    (target / name).symlink_to("mine")
    (target / "iop/a.py").unlink()
    tree.uninstall(str(target))
    (target / "iop/a.py").mkdir(parents=True)
    report = tree.install(str(target), NEW, "new")
    assert os.readlink(str(target / name)) == "mine" and (target / "iop/a.py").is_dir()
    assert "iop/a.py" in report["kept"] and report["replaced"] == [] and name not in report["new"] + report["beside"]
    assert not [path for path in contents(target) if "new-edition-new-edition" in path]


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"files": 1, "beside": {}, "generation": 1}'])
def test_without_a_manifest_all_counts_as_a_students(target, manifest):
    (target / tree.MANIFEST).write_text(manifest)
    tree.install(str(target), NEW, "new")
    assert contents(target)["1.ipynb"] == b"one" and contents(target)["1-new-edition.ipynb"] == b"ONE"


@pytest.mark.parametrize("saved", ["1.ipynb", "iop/b.py", "mine.ipynb", "brand/new.ipynb"])
@pytest.mark.parametrize("killed", [False, True])
def test_what_is_saved_in_the_last_moment_is_not_lost(target, monkeypatch, saved, killed):
    """A student saves between the copy and the exchange, as Jupyter does: a new file takes the old one's name."""
    (target / "mine.ipynb").write_bytes(b"mine")
    exchange = tree._exchange

    def save_then_exchange(one, other):
        (target / saved).parent.mkdir(exist_ok=True)
        (target / "saving").write_bytes(b"saved late")
        os.replace(str(target / "saving"), str(target / saved))
        exchange(one, other)
        if killed:
            raise KeyboardInterrupt

    monkeypatch.setattr(tree, "_exchange", save_then_exchange)
    try:
        tree.install(str(target), NEW, "new")
    except KeyboardInterrupt:
        monkeypatch.undo()
        tree.install(str(target), NEW, "new")
    there = contents(target)
    assert there[saved] == b"saved late"
    assert there["iop/a.py"] == b"A"
    if saved == "1.ipynb":
        assert there["1-new-edition.ipynb"] == b"ONE"
    assert [path.name for path in target.parent.iterdir()] == ["tutorial"]


@pytest.mark.parametrize("saved", ["1.ipynb", "brand/new.ipynb"])
def test_what_is_saved_while_all_else_is_uninstalled_is_not_lost(target, monkeypatch, saved):
    exchange = tree._exchange

    def save_then_exchange(one, other):
        (target / saved).parent.mkdir(exist_ok=True)
        (target / saved).write_bytes(b"saved late")
        exchange(one, other)

    monkeypatch.setattr(tree, "_exchange", save_then_exchange)
    report = tree.uninstall(str(target))
    assert contents(target) == {saved: b"saved late"} and report["kept"] == [saved] and saved not in report["removed"]


def test_an_uninstallation_that_was_killed_at_the_end_is_completed(target, monkeypatch):
    monkeypatch.setattr(tree, "_remove_empty", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tree.uninstall(str(target))
    monkeypatch.undo()
    tree.uninstall(str(target))
    assert list(target.parent.iterdir()) == []


def test_what_is_saved_after_a_kill_wins_over_what_was_before(target, monkeypatch):
    (target / "mine.ipynb").write_bytes(b"mine")
    settle = tree._settle
    monkeypatch.setattr(tree, "_settle", lambda *paths: 1 / 0 if os.path.exists(paths[1]) else settle(*paths))
    with pytest.raises(ZeroDivisionError):
        tree.install(str(target), NEW, "new")
    monkeypatch.undo()
    (target / "saving").write_bytes(b"mine, later")
    os.replace(str(target / "saving"), str(target / "mine.ipynb"))
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"mine.ipynb": b"mine, later"})
    assert [path.name for path in target.parent.iterdir()] == ["tutorial"]


def killed_after_the_exchange(target, monkeypatch, before_exchange=lambda: None):
    settle, exchange = tree._settle, tree._exchange
    monkeypatch.setattr(tree, "_exchange", lambda *paths: (before_exchange(), exchange(*paths)))
    monkeypatch.setattr(tree, "_settle", lambda *paths: 1 / 0 if os.path.exists(paths[1]) else settle(*paths))
    with pytest.raises(ZeroDivisionError):
        tree.install(str(target), NEW, "new")
    monkeypatch.undo()


@pytest.mark.parametrize("mine", [lambda path: path.write_bytes(b"mine"), lambda path: path.symlink_to("nowhere")])
def test_a_clock_that_stood_still_without_power_costs_no_work(target, monkeypatch, mine):
    mine(target / "mine.ipynb")
    (target / "deleted.ipynb").write_bytes(b"deleted later")
    killed_after_the_exchange(target, monkeypatch)
    (target / "deleted.ipynb").unlink()
    (target / "saving").write_bytes(b"mine, later")
    os.utime(str(target / "saving"), (0, 0))
    os.replace(str(target / "saving"), str(target / "mine.ipynb"))
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"mine.ipynb": b"mine, later"})
    assert [path.name for path in target.parent.iterdir()] == ["tutorial"]


def test_what_is_saved_both_before_and_after_a_kill_is_all_kept(target, monkeypatch):
    def save(text):
        (target / "saving").write_bytes(text)
        os.replace(str(target / "saving"), str(target / "mine.ipynb"))

    save(b"mine")
    killed_after_the_exchange(target, monkeypatch, lambda: save(b"mine, late"))
    save(b"mine, later")
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"mine.ipynb": b"mine, later", "mine-new-edition.ipynb": b"mine, late"})


def test_what_is_saved_late_where_a_folder_is_now_goes_beside_it(target, monkeypatch):
    (target / "mine.ipynb").write_bytes(b"mine")
    killed_after_the_exchange(target, monkeypatch, lambda: (target / "mine.ipynb").write_bytes(b"mine, late"))
    (target / "mine.ipynb").unlink()
    (target / "mine.ipynb").mkdir()
    (target / "mine.ipynb/x").write_bytes(b"x")
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"mine.ipynb/x": b"x", "mine-new-edition.ipynb": b"mine, late"})


def link_to_a_folder(target):
    (target.parent / "elsewhere").mkdir()
    (target / "more").symlink_to("../elsewhere")


def folder_with_a_file(target):
    (target / "images/y.svg").mkdir()
    (target / "images/y.svg/mine").write_bytes(b"mine")


@pytest.mark.parametrize("make, message", [
    (link_to_a_folder, "/tutorial/more is no folder, and the tutorial has one of that name.*: rename yours"),
    (lambda target: (target / "more").write_bytes(b"mine"), "/tutorial/more is no folder"),
    (folder_with_a_file, "/tutorial/images/y.svg is a folder, and the tutorial has a file of that name"),
])
def test_a_folder_where_a_file_is_to_go_and_the_reverse(target, make, message):
    make(target)
    before = snapshot(target.parent)
    with pytest.raises(tree.InstallError, match=message):
        tree.install(str(target), dict(NEW, **{"more/z.py": b"z"}), "new")
    assert snapshot(target.parent) == before


def test_an_edition_that_makes_a_folder_of_a_file_and_the_reverse(target):
    edition = {"1.ipynb/x": b"x", "iop": b"iop"}
    tree.install(str(target), edition, "new")
    assert contents(target) == edition
    tree.install(str(target), OLD, "old")
    assert contents(target) == OLD


@pytest.mark.parametrize("step", ["_hash", "_make_folders"])
def test_a_file_that_goes_away_meanwhile(target, monkeypatch, step):
    """As Jupyter's temporary files do, while a student saves."""
    temporary, meant = target / "iop" / ".~saving", getattr(tree, step)
    temporary.write_bytes(b"half")

    def go_away(*given):
        if ".~saving" in str(given) or step == "_make_folders":
            if temporary.exists():
                temporary.unlink()
        return meant(*given)

    monkeypatch.setattr(tree, step, go_away)
    tree.install(str(target), NEW, "new")
    assert contents(target) == NEW


def test_two_at_once(target, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    build = tree._build
    monkeypatch.setattr(tree, "_build", lambda *given: (inside.set(), go_on.wait(10), build(*given)))
    first = threading.Thread(target=tree.install, args=(str(target), NEW, "new"))
    first.start()
    inside.wait(10)
    with pytest.raises(tree.InstallError, match="Another installation into .* is under way"):
        tree.install(str(target), NEW, "new")
    go_on.set()
    first.join()
    assert contents(target) == NEW


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else, or mount a disk")


def installer(root, *options, **more):
    return subprocess.run([sys.executable, "-m", "deploy.install", "--destdir", str(root)] + [str(option) for option in options],
                          cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **more)


@pytest.fixture
def root(tmp_path):
    """A tree that looks like an image's root, with a base overlay and somebody's notebooks folder."""
    root = tmp_path / "root"
    base_overlay.write(root / "usr/local/share/pynq-venv/lib/python3.10/site-packages/pynq/overlays/base")
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
    assert {"iop/pynq_tutorial.bin", "iop/pynq_tutorial.py", "bitstream/pynq_tutorial.bit", "bitstream/pynq_tutorial.hwh",
            "mb_src/pynq_tutorial.c", "images/system.svg"} <= names
    assert not [name for name in names if "__pycache__" in name or "virtual_board" in name or "test" in name]
    owner = installed.parent.stat()
    for path in [installed] + list(installed.rglob("*")):
        assert not path.is_symlink()
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid), path
        assert oct(path.stat().st_mode)[-3:] == ("755" if path.is_dir() else "644"), path


def test_installer_says_what_it_does(root, installed):
    again = installer(root)
    assert again.stdout == "{}: edition {} is there already; nothing to change.\n".format(installed, EDITION)
    (installed / "2_iop_example.ipynb").write_text("a student's")
    assert "kept, because it is not as it was installed: 2_iop_example.ipynb" in installer(root, "--uninstall").stdout
    assert "kept, because it was changed here: 2_iop_example.ipynb" in installer(root).stdout
    assert (installed / "2_iop_example.ipynb").read_text() == "a student's"


def test_names_that_are_no_text_can_be_told_too(root, installed):
    with open(os.path.join(os.fsencode(str(installed)), b"a\xffb\n"), "w"):
        pass
    (installed / "L\u00f6sung.ipynb").write_text("")
    run = installer(root, "--uninstall", env=dict(os.environ, PYTHONIOENCODING="utf-8:strict", PYTHONUTF8="1"))
    assert run.returncode == 0, run.stderr
    assert "installed: 'a\\udcffb\\n'\n" in run.stdout and "installed: L\u00f6sung.ipynb\n" in run.stdout


def test_the_image_says_where_its_notebooks_are(root):
    (root / "etc/profile.d").mkdir(parents=True)
    (root / "etc/profile.d/pynq_venv.sh").write_text("export PYNQ_JUPYTER_NOTEBOOKS=/srv/notebooks\nexport BOARD='Pynq-Z2'\n")
    assert installer(root).returncode == 0
    assert (root / "srv/notebooks/pynq_tutorial/2_iop_example.ipynb").exists()
    assert image.setting("BOARD", str(root)) == "Pynq-Z2" and image.setting("XILINX_XRT", str(root)) is None


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
    assert refused(installer(tmp_path, "--base-overlay", tmp_path / "base.bit"), "base.bit cannot be read")
    assert list(tmp_path.iterdir()) == []


def test_a_destdir_that_cannot_be_one(tmp_path):
    base = base_overlay.write(tmp_path / "base")
    (tmp_path / "file").write_text("")
    assert refused(installer(tmp_path / "file", "--base-overlay", base), "/file/home: Not a directory.")


def test_a_pc_is_no_board():
    assert refused(installer("/"), "This machine is no PYNQ board", "HOST=192.168.2.99", "DESTDIR=")


@ROOT_ONLY
@pytest.mark.parametrize("step", [lambda target: tree.install(target, NEW, "new"), tree.uninstall])
def test_a_folder_of_somebody_else(step):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own nobody else may enter
        os.chmod(folder, 0o755)
        tree.install(folder + "/tutorial", OLD, "old")
        before = snapshot(Path(folder))
        os.seteuid(65534)
        try:
            with pytest.raises(tree.InstallError, match="You may not write into {}.*use sudo".format(folder)):
                step(folder + "/tutorial")
        finally:
            os.seteuid(0)
        assert snapshot(Path(folder)) == before


# A disk that nobody else sees, and that ends with the process. What it prints is what is on it, twice.
DISK = """
set -e
mkdir "$1/disk"; mount -t tmpfs -o size=10m disk "$1/disk"; cp -a "$1/home" "$1/disk"; cd "$1/disk"
rm home/xilinx/jupyter_notebooks/pynq_tutorial/iop/xlnk.py
{filled}
list() {{ find . -type f ! -name filler -exec sha256sum {{}} + | sort; find . -name "*.staging*"; }}
list; cd "$3"; "$2" -m deploy.install --destdir "$1/disk" --base-overlay "$4" || code=$?
cd "$1/disk"; list; exit ${{code:-0}}"""


@ROOT_ONLY
@pytest.mark.parametrize("filled, words", [("head -c 20000000 /dev/zero > filler || true", "There is no room left"),
                                           ("mount -o remount,ro disk .", "read-only")])
def test_a_disk_that_takes_nothing_more(root, installed, filled, words):
    (installed / "mine.ipynb").write_text("mine")
    run = subprocess.run(["unshare", "-m", "sh", "-c", DISK.format(filled=filled), "sh", str(root), sys.executable, str(ROOT),
                          image.base_overlay(str(root))], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         universal_newlines=True)
    if "permitted" in run.stderr or "permission denied" in run.stderr:
        pytest.skip("no disk may be mounted here")
    run.stderr = "\n".join(line for line in run.stderr.splitlines() if not line.startswith("head: "))
    assert refused(run, words, "nothing was changed")
    there = run.stdout.splitlines()
    assert len(there) > 10 and there[:len(there) // 2] == there[len(there) // 2:]


def test_only_what_is_the_kits_is_installed():
    names = set(files())
    assert "bitstream/pynq_tutorial.bit" not in names and "bitstream/derive.py" not in names
    tracked = subprocess.run(["git", "ls-files", "notebooks", "iop", "mb_src"], cwd=str(ROOT), stdout=subprocess.PIPE,
                             universal_newlines=True, check=True).stdout.split()
    known = {name[len("notebooks/"):] if name.startswith("notebooks/") else name for name in tracked}
    assert names - {"bitstream/README.md", "bitstream/pynq_tutorial.hwh"} == known - {"iop", "bitstream", "mb_src"}
