"""The installer's care for a folder in which students work: what changes, what stays, and that no
work is lost. What happens when a run is cut off, test_kill.py tries."""

import fcntl
import hashlib
import json
import os

import pytest

from deploy import tree
from helpers.editions import NEW, OLD, contents, snapshot


@pytest.fixture
def target(tmp_path):
    """An installed edition."""
    tree.install(str(tmp_path / "tutorial"), OLD, "old")
    return tmp_path / "tutorial"


def test_a_new_edition_replaces_the_old_one(target):
    assert contents(target) == OLD
    report = tree.install(str(target), NEW, "new")
    assert contents(target) == NEW
    assert report == {
        "new": ["images/y.svg"],
        "replaced": ["1.ipynb", "iop/a.py"],
        "removed": ["images/x.svg"],
        "kept": [],
        "beside": [],
    }
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
    assert contents(target) == dict(
        NEW, **{"1.ipynb": b"one, by a student", "1-new-edition.ipynb": b"ONE"}
    )
    # The next edition takes that one's place, unless the student has changed it too.
    tree.install(str(target), dict(NEW, **{"1.ipynb": b"ONE!"}), "newer")
    assert contents(target)["1-new-edition.ipynb"] == b"ONE!"
    (target / "1-new-edition.ipynb").write_bytes(b"ONE!, by a student")
    tree.install(str(target), dict(NEW, **{"1.ipynb": b"ONE!!"}), "newest")
    assert contents(target) == dict(
        NEW,
        **{
            "1.ipynb": b"one, by a student",
            "1-new-edition.ipynb": b"ONE!, by a student",
            "1-new-edition-2.ipynb": b"ONE!!",
        },
    )


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
    mine = {
        "mine.ipynb": b"mine",
        "iop/mine.py": b"mine too",
        "data/deep/er.csv": b"1,2",
        "1 copy.ipynb": b"one",
    }
    for name, text in mine.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(text)
    (target / "empty").mkdir(mode=0o700)
    (target / "link").symlink_to("nowhere")
    (target / "mine.ipynb").chmod(0o600)
    return mine


@pytest.mark.parametrize(
    "step",
    [
        lambda target: tree.install(str(target), NEW, "new"),
        lambda target: tree.uninstall(str(target)),
    ],
)
def test_a_students_own_files_stay_the_same_files(target, step):
    mine = students_work(target)
    before = {name: os.lstat(str(target / name)) for name in mine}
    step(target)
    assert {name: text for name, text in contents(target).items() if name in mine} == mine
    for name in mine:
        assert os.path.samestat(os.lstat(str(target / name)), before[name])
    assert (
        oct((target / "mine.ipynb").stat().st_mode)[-3:] == "600"
        and os.readlink(str(target / "link")) == "nowhere"
    )
    assert (target / "empty").is_dir() and oct((target / "empty").stat().st_mode)[-3:] == "700"


def test_uninstall_removes_what_is_unchanged_and_names_what_it_kept(target):
    mine = students_work(target)
    (target / "1.ipynb").write_bytes(b"one, by a student")
    (target / ".ipynb_checkpoints").mkdir()
    # what Jupyter writes at the first save
    (target / ".ipynb_checkpoints" / "1-checkpoint.ipynb").write_bytes(b"one")
    (target / ".ipynb_checkpoints" / "2-checkpoint.ipynb").write_bytes(b"two")
    report = tree.uninstall(str(target))
    kept = dict(
        mine, **{"1.ipynb": b"one, by a student", ".ipynb_checkpoints/2-checkpoint.ipynb": b"two"}
    )
    assert contents(target) == kept and not (target / tree.MANIFEST).exists()
    assert report["kept"] == sorted(list(kept) + ["empty", "link"])
    assert report["removed"] == [
        ".ipynb_checkpoints/1-checkpoint.ipynb",
        "images/x.svg",
        "iop/a.py",
        "iop/b.py",
    ]
    before = snapshot(target.parent)
    assert not any(tree.uninstall(str(target)).values())
    assert snapshot(target.parent) == before


def test_what_pynq_leaves_is_no_students_but_a_file_of_that_name_may_be(target):
    (target / "iop" / "loaded.xclbin").write_bytes(b"xclbin2\0 and more")
    (target / "loaded.xclbin").write_bytes(b"my notes")
    assert tree.uninstall(str(target))["kept"] == ["loaded.xclbin"]
    assert contents(target) == {"loaded.xclbin": b"my notes"}


def test_uninstall_leaves_nothing_where_nothing_was_changed(target):
    tree.uninstall(str(target))
    assert list(target.parent.iterdir()) == []


def test_a_folder_of_that_name_that_was_there_before(tmp_path):
    (tmp_path / "tutorial").mkdir()
    (tmp_path / "tutorial" / "1.ipynb").write_bytes(b"somebody's")
    tree.install(str(tmp_path / "tutorial"), OLD, "old")
    assert contents(tmp_path / "tutorial") == dict(
        OLD, **{"1.ipynb": b"somebody's", "1-new-edition.ipynb": b"one"}
    )


@pytest.mark.parametrize("name", ["images/y.svg", "1-new-edition.ipynb"])
def test_a_link_or_an_empty_folder_counts_as_a_students_too(target, name):
    (target / "1.ipynb").write_bytes(b"one, by a student")
    (target / name).symlink_to("mine")
    (target / "iop/a.py").unlink()
    tree.uninstall(str(target))
    (target / "iop/a.py").mkdir(parents=True)
    report = tree.install(str(target), NEW, "new")
    assert os.readlink(str(target / name)) == "mine" and (target / "iop/a.py").is_dir()
    assert (
        "iop/a.py" in report["kept"]
        and report["replaced"] == []
        and name not in report["new"] + report["beside"]
    )
    assert not [path for path in contents(target) if "new-edition-new-edition" in path]


def sha(text):
    return hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "{",
        "[]",
        "[" * 100000,
        "\udc80",
        '{"files": 1, "beside": {}}',
        '{"files": {}, "beside": {}, "coming": 1}',
        json.dumps({"files": dict.fromkeys(OLD), "beside": {"1.ipynb": [], "iop": None}}),
    ],
)
def test_without_a_manifest_all_counts_as_a_students(target, manifest):
    (target / tree.MANIFEST).write_bytes(manifest.encode("utf-8", "surrogateescape"))
    tree.install(str(target), NEW, "new")
    assert (
        contents(target)["1.ipynb"] == b"one" and contents(target)["1-new-edition.ipynb"] == b"ONE"
    )


def test_a_manifest_leads_to_nothing_outside_the_folder(target):
    outside = target.parent / "outside"
    (outside / "empty").mkdir(parents=True)
    (outside / "x").write_bytes(b"x")
    (target / "link").symlink_to(str(outside))
    names = (
        "../outside/x",
        str(outside / "x"),
        "link/x",
        "../outside/empty/y",
        "/",
        "",
        ".",
        "..",
        "a\0b",
        "x" * 5000,
    )
    for part in "files", "beside", "coming":
        manifest = {"files": {}, "beside": {}, "coming": {}}
        manifest[part] = dict.fromkeys(names, sha(b"x"))
        (target / tree.MANIFEST).write_text(json.dumps(manifest))
        before = snapshot(outside)
        tree.install(str(target), NEW, "new")
        tree.uninstall(str(target))
        assert snapshot(outside) == before


def test_a_folder_of_edition_1_1_0(target):
    """Its manifest has more in it. And what it left when it was killed is named, and not
    touched."""
    (target / "iop/b.py").write_bytes(b"b, by a student")
    manifest = json.loads((target / tree.MANIFEST).read_text())
    manifest.update(generation=1, linked={"iop/b.py": [1, 2, 3]})
    (target / tree.MANIFEST).write_text(json.dumps(manifest))
    left = [target.parent / ".tutorial.staging", target.parent / ".tutorial.staging.part"]
    for folder in left:
        folder.mkdir()
        (folder / "saved.ipynb").write_bytes(b"saved")
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"iop/b.py": b"b, by a student"})
    assert tree.left_over(str(target)) == [str(folder) for folder in left]
    assert [contents(folder) for folder in left] == [{"saved.ipynb": b"saved"}] * 2


ODD = {
    "a pipe": os.mkfifo,
    "a dangling link": lambda path: os.symlink("nowhere", path),
    "a link to itself": lambda path: os.symlink(path, path),
    "an empty folder": os.mkdir,
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", ["1.ipynb", "iop/a.py", "images/y.svg", tree.MANIFEST, "mine"])
def test_what_is_no_file_is_neither_read_nor_replaced(target, what, name):
    if (target / name).exists():
        (target / name).unlink()
    ODD[what](str(target / name))
    before = os.lstat(str(target / name))
    try:
        tree.install(str(target), NEW, "new")
    except tree.InstallError as error:
        assert (
            what == "an empty folder"
            and name == tree.MANIFEST
            and "nothing was changed" in str(error)
        )
    if name != tree.MANIFEST:
        assert os.path.samestat(os.lstat(str(target / name)), before)
        assert contents(target)["iop/b.py"] == b"b"


@pytest.mark.parametrize("what", ["a file", *ODD])
def test_what_is_in_the_folders_place(tmp_path, what):
    path = tmp_path / "tutorial"
    ODD.get(what, lambda name: open(name, "w").close())(str(path))
    if what in ("an empty folder", "a dangling link"):
        tree.install(str(path), OLD, "old")
        assert contents(path) == OLD
        return
    with pytest.raises(
        tree.InstallError, match="tutorial is not a folder, .*nothing was changed: rename yours"
    ):
        tree.install(str(path), OLD, "old")
    assert not any(tree.uninstall(str(tmp_path / "elsewhere")).values())


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_users_umask_and_a_clock_of_1970(target, umask):
    mine = target / "a\nb"
    mine.write_bytes(b"mine")
    for path in target.rglob("*"):
        os.utime(str(path), (0, 0))
    before = os.umask(umask)
    try:
        tree.install(str(target), dict(NEW, **{"more/z.py": b"z"}), "new")
    finally:
        os.umask(before)
    assert (
        oct((target / "1.ipynb").stat().st_mode)[-3:]
        == oct((target / "more/z.py").stat().st_mode)[-3:]
        == "644"
    )
    assert oct((target / "more").stat().st_mode)[-3:] == "755" and mine.read_bytes() == b"mine"


def test_what_is_not_pythons_own_in_its_cache_folder_is_kept(target):
    (target / "iop/__pycache__").mkdir()
    (target / "iop/__pycache__/a.cpython-36.pyc").write_bytes(b"cached")
    (target / "iop/__pycache__/notes").write_bytes(b"mine")
    tree.install(str(target), NEW, "new")
    assert contents(target) == dict(NEW, **{"iop/__pycache__/notes": b"mine"})
    tree.uninstall(str(target))
    assert contents(target) == {"iop/__pycache__/notes": b"mine"}


def link_to_a_folder(target):
    (target.parent / "elsewhere").mkdir()
    (target / "more").symlink_to("../elsewhere")


def folder_with_a_file(target):
    (target / "images/y.svg").mkdir()
    (target / "images/y.svg/mine").write_bytes(b"mine")


@pytest.mark.parametrize(
    "make, message",
    [
        (
            link_to_a_folder,
            "/tutorial/more is not a folder, and the tutorial has one of that name.*: rename yours",
        ),
        (lambda target: (target / "more").write_bytes(b"mine"), "/tutorial/more is not a folder"),
        (
            folder_with_a_file,
            "/tutorial/images/y.svg is a folder, and the tutorial has a file of that name",
        ),
    ],
)
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
