"""The installer's care for a folder in which students work: what changes, what stays, and that no work is lost.

Some tests replace a step of tree.py's, by its private name: no other way has something happen just before or after that step.
"""

import errno
import os
import threading

import pytest

from deploy import tree

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


@pytest.mark.parametrize("step", [lambda target: tree.install(str(target), NEW, "new"),
                                  lambda target: tree.uninstall(str(target))])
def test_an_error_after_the_exchange_does_not_say_that_nothing_was_changed(target, monkeypatch, step):
    (target / "mine.ipynb").write_bytes(b"mine")

    def fails(path, *options, **more):
        raise OSError(errno.EIO, "Input/output error", path)
    rmtree = tree.shutil.rmtree
    monkeypatch.setattr(tree.shutil, "rmtree", lambda path, ignore_errors=False: ignore_errors or fails(path))
    with pytest.raises(tree.InstallError) as raised:
        step(target)
    assert "nothing was changed" not in str(raised.value)
    assert "Input/output error" in str(raised.value) and "the same command again" in str(raised.value)
    assert contents(target) in (dict(NEW, **{"mine.ipynb": b"mine"}), {"mine.ipynb": b"mine"})
    monkeypatch.setattr(tree.shutil, "rmtree", rmtree)
    step(target)
    assert "mine.ipynb" in contents(target) and [path.name for path in target.parent.iterdir()] == ["tutorial"]


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


@pytest.mark.parametrize("make, message", [
    (link_to_a_folder, "/tutorial/more is not a folder, and the tutorial has one of that name.*: rename yours"),
    (lambda target: (target / "more").write_bytes(b"mine"), "/tutorial/more is not a folder"),
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
    first.join(60)
    assert contents(target) == NEW
