"""The installer's care for a folder in which students work: what changes, what stays, and that no
work is lost. What happens when a run is cut off, test_kill.py tries."""

import fcntl
import json
import os
from contextlib import suppress

import pytest

from deploy import tree
from helpers.editions import NEW, OLD, contents, sha, snapshot, write

ONE = b"one, by a student"


@pytest.fixture
def target(tmp_path):
    """An installed edition."""
    tree.install(str(tmp_path / "tutorial"), OLD, "old")
    return tmp_path / "tutorial"


def edition(**files):
    """The new edition with other files: one="..." is 1.ipynb, more="..." is more/z.py."""
    names = {"one": "1.ipynb", "more": "more/z.py"}
    return dict(NEW, **{names[name]: text for name, text in files.items()})


def test_a_new_edition_replaces_the_old_one(target):
    assert contents(target) == OLD
    assert tree.install(str(target), NEW, "new") == {
        "new": ["images/y.svg"],
        "replaced": ["1.ipynb", "iop/a.py"],
        "removed": ["images/x.svg"],
        "kept": [],
        "beside": [],
    }
    assert contents(target) == NEW
    assert [path.name for path in target.parent.iterdir()] == ["tutorial"]


def test_installing_twice_changes_nothing(target):
    (target / "1.ipynb").write_bytes(ONE)
    tree.install(str(target), NEW, "new")
    before = snapshot(target.parent)
    assert not any(tree.install(str(target), NEW, "new").values())
    assert snapshot(target.parent) == before


def test_a_changed_file_stays_and_the_new_edition_comes_beside_it(target):
    """The next edition takes that one's place, unless the student has changed it too."""
    (target / "1.ipynb").write_bytes(ONE)
    report = tree.install(str(target), NEW, "new")
    assert report["kept"] == ["1.ipynb"] and report["beside"] == ["1-new-edition.ipynb"]
    assert contents(target) == dict(edition(one=ONE), **{"1-new-edition.ipynb": b"ONE"})
    tree.install(str(target), edition(one=b"ONE!"), "newer")
    assert contents(target) == dict(edition(one=ONE), **{"1-new-edition.ipynb": b"ONE!"})
    (target / "1-new-edition.ipynb").write_bytes(b"ONE!, by a student")
    tree.install(str(target), edition(one=b"ONE!!"), "newest")
    beside = {"1-new-edition.ipynb": b"ONE!, by a student", "1-new-edition-2.ipynb": b"ONE!!"}
    assert contents(target) == dict(edition(one=ONE), **beside)


def test_a_student_who_takes_the_new_edition_is_back_in_step(target):
    (target / "1.ipynb").write_bytes(ONE)
    tree.install(str(target), NEW, "new")
    os.replace(str(target / "1-new-edition.ipynb"), str(target / "1.ipynb"))
    assert tree.install(str(target), edition(one=b"ONE!"), "newer")["kept"] == []
    assert contents(target) == edition(one=b"ONE!")


@pytest.mark.parametrize("name", ["iop/b.py", "images/x.svg"])
def test_a_changed_file_that_no_new_one_is_for_has_none_beside_it(target, name):
    """The edition has it as it was, or no longer has it."""
    (target / name).write_bytes(ONE)
    assert tree.install(str(target), NEW, "new")["beside"] == []
    assert contents(target) == dict(NEW, **{name: ONE})


MINE = {
    "mine.ipynb": b"mine",
    "iop/mine.py": b"mine too",
    "data/deep/er.csv": b"1,2",
    "1 copy.ipynb": b"one",
}


@pytest.fixture
def work(target):
    """The edition, and a student's things of all kinds."""
    write(target, MINE)
    (target / "empty").mkdir(mode=0o700)
    (target / "link").symlink_to("nowhere")
    (target / "mine.ipynb").chmod(0o600)
    return target


def test_a_students_own_files_stay_the_same_files(work):
    mine = [work / name for name in [*MINE, "link", "empty"]]
    before = [os.lstat(str(path))[:6] for path in mine]
    tree.install(str(work), NEW, "new")
    tree.uninstall(str(work))
    assert contents(work) == MINE
    assert [os.lstat(str(path))[:6] for path in mine] == before


def test_uninstall_removes_what_is_unchanged_and_names_what_it_kept(work):
    checkpoints = {".ipynb_checkpoints/1-checkpoint.ipynb": b"one"}
    kept = {"1.ipynb": ONE, ".ipynb_checkpoints/2-checkpoint.ipynb": b"two"}
    write(work, {**kept, **checkpoints})
    report = tree.uninstall(str(work))
    assert contents(work) == {**MINE, **kept} and not (work / tree.MANIFEST).exists()
    assert report["kept"] == sorted([*MINE, *kept, "link"])
    assert report["removed"] == [*checkpoints, "images/x.svg", "iop/a.py", "iop/b.py"]
    before = snapshot(work.parent)
    assert not any(tree.uninstall(str(work)).values())
    assert snapshot(work.parent) == before


def test_what_pynq_and_python_leave_goes_and_a_students_namesake_stays(target):
    mine = {"loaded.xclbin": b"my notes", "iop/__pycache__/notes": b"mine"}
    theirs = {"iop/loaded.xclbin": b"xclbin2\0 and more", "iop/__pycache__/a.cpython-36.pyc": b""}
    for step, kit in (lambda path: tree.install(path, NEW, "new"), NEW), (tree.uninstall, {}):
        write(target, {**mine, **theirs})
        step(str(target))
        assert contents(target) == {**kit, **mine}


def test_uninstall_leaves_nothing_where_nothing_was_changed(target):
    write(target, {".ipynb_checkpoints/1-checkpoint.ipynb": b"one"})
    tree.uninstall(str(target))
    assert list(target.parent.iterdir()) == []


BROKEN = ["", "{", "[]", "[" * 100000, "\udc80", '{"files": 1}', '{"files": {}, "coming": 1}']


@pytest.mark.parametrize("manifest", [*BROKEN, json.dumps({"files": dict.fromkeys(OLD)})])
def test_without_a_manifest_all_counts_as_a_students(target, manifest):
    (target / tree.MANIFEST).write_bytes(manifest.encode("utf-8", "surrogateescape"))
    tree.install(str(target), NEW, "new")
    there = contents(target)
    assert there["1.ipynb"] == b"one" and there["1-new-edition.ipynb"] == b"ONE"


def test_a_manifest_leads_to_nothing_outside_the_folder(target):
    outside = target.parent / "outside"
    write(outside, {"x": b"x"})
    (outside / "empty").mkdir()
    (target / "link").symlink_to(str(outside))
    names = ["../outside/x", str(outside / "x"), "link/x", "../outside/empty/y", "link/empty/y"]
    names += ["/", "", ".", "..", "a\0b", "x" * 5000]
    before = snapshot(outside)
    for part in "files", "coming":
        manifest = {"files": {}, part: dict.fromkeys(names, sha(b"x"))}
        (target / tree.MANIFEST).write_text(json.dumps(manifest))
        tree.install(str(target), NEW, "new")
        tree.uninstall(str(target))
        assert snapshot(outside) == before


def test_a_folder_of_edition_1_1_0(target):
    """Its manifest has more in it."""
    write(target, {"iop/b.py": ONE, "1.ipynb": ONE, "1-new-edition.ipynb": b"one"})
    manifest = json.loads((target / tree.MANIFEST).read_text())
    manifest.update(beside={"1-new-edition.ipynb": sha(b"one")}, generation=1)
    (target / tree.MANIFEST).write_text(json.dumps(manifest))
    tree.install(str(target), NEW, "new")
    mine = {"iop/b.py": ONE, "1.ipynb": ONE}
    assert contents(target) == dict(NEW, **mine, **{"1-new-edition.ipynb": b"ONE"})


ODD = {
    "a file": lambda path: open(path, "w").close(),
    "a pipe": os.mkfifo,
    "a dangling link": lambda path: os.symlink("nowhere", path),
    "a link to itself": lambda path: os.symlink(path, path),
    "an empty folder": os.mkdir,
}
NAMES = ["1.ipynb", "images/y.svg", "1-new-edition.ipynb", "mine", tree.MANIFEST]


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_neither_read_nor_replaced(target, what, name):
    write(target, {"1.ipynb": ONE})
    if (target / name).exists():
        (target / name).unlink()
    ODD[what](str(target / name))
    before = os.lstat(str(target / name))
    if name == tree.MANIFEST:  # then all counts as a student's
        with suppress(tree.InstallError):
            tree.install(str(target), NEW, "new")
        assert contents(target)["iop/a.py"] == b"a"
        return
    report = tree.install(str(target), NEW, "new")
    assert os.path.samestat(os.lstat(str(target / name)), before)
    assert "1.ipynb" in report["kept"] and report["replaced"] == ["iop/a.py"]
    assert name not in report["new"] + report["beside"] and contents(target)["iop/a.py"] == b"A"
    assert not [path for path in contents(target) if "new-edition-new-edition" in path]


@pytest.mark.parametrize("what", ODD)
def test_what_is_in_the_folders_place(tmp_path, what):
    path = tmp_path / "tutorial"
    ODD[what](str(path))
    if what in ("an empty folder", "a dangling link"):
        tree.install(str(path), OLD, "old")
        assert contents(path) == OLD
        return
    with pytest.raises(tree.InstallError, match="tutorial is not a folder, .*: rename yours"):
        tree.install(str(path), OLD, "old")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to(".."), lambda path: path.touch()])
def test_a_link_or_a_file_where_a_folder_is_to_go(target, make):
    make(target / "more")
    before = snapshot(target.parent)
    with pytest.raises(tree.InstallError, match="/tutorial/more is not a folder.*: rename yours"):
        tree.install(str(target), edition(more=b"z"), "new")
    assert snapshot(target.parent) == before


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_users_umask_and_a_clock_of_1970(target, umask):
    write(target, {"a\nb": b"mine"})
    for path in target.rglob("*"):
        os.utime(str(path), (0, 0))
    before = os.umask(umask)
    try:
        tree.install(str(target), edition(more=b"z"), "new")
    finally:
        os.umask(before)
    modes = [(target / name).stat().st_mode & 0o777 for name in ("1.ipynb", "more/z.py", "more")]
    assert modes == [0o644, 0o644, 0o755] and (target / "a\nb").read_bytes() == b"mine"


def test_two_at_once(target):
    other = os.open(str(target.parent), os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(tree.InstallError, match="Another installation into .* is under way"):
            tree.install(str(target), NEW, "new")
    finally:
        os.close(other)
    tree.install(str(target), NEW, "new")
    assert contents(target) == NEW
