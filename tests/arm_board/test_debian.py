"""arm_board/debian.py with packages made here, and an apt-get in the place of the system's that
hands them out. `make test-board` has the real one make a real root."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from arm_board import debian
from helpers import processes
from helpers.kit import ROOT
from helpers.programs import programs
from helpers.waiting import soon

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not here")

APT_GET = """
case "$*" in
*indextargets*) cat {0}/known ;;
*update) cat {0}/failure 2>/dev/null && exit 100 || true ;;
*--print-uris*)
    for name in {0}/*.deb; do echo "'http://mirror/pool' ${{name##*/}} 1000 SHA256:0"; done ;;
*--download-only*) echo "$*" >>{0}/downloads && cp {0}/*.deb . ;;
esac
"""
KNOWN = "Docker bookworm stable http://other/\nDebian bookworm main http://mirror/debian/\n"
# a file in a folder that is a link in a root, and one that update-alternatives would link
FILES = {"library": "lib/firmware/file", "blas": debian.LIBRARIES + "/blas/libblas.so.3"}
PROGRAM = "from arm_board import debian; print(debian.root('test', ['library', 'blas']))"


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """The folder of the packages, and of what apt-get was told."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name, file in FILES.items():
        tree = tmp_path / name
        for path, text in (
            (file, name),
            (
                "DEBIAN/control",
                f"Package: {name}\nVersion: 1\nArchitecture: armhf\nMaintainer: me\n"
                "Description: a package\n",
            ),
        ):
            (tree / path).parent.mkdir(parents=True)
            (tree / path).write_text(text)
        package = mirror / (name + "_1%3a1_armhf.deb")
        subprocess.check_call(["dpkg-deb", "-b", tree, package], stdout=subprocess.DEVNULL)
    (mirror / "known").write_text(KNOWN)
    path = programs(tmp_path / "bin", **{"apt-get": APT_GET.format(mirror)})
    monkeypatch.setenv("PATH", path + ":" + os.environ["PATH"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return mirror


def begin():
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_whole(root):
    assert os.readlink(root / "lib") == "usr/lib"
    assert (root / "usr/lib/firmware/file").read_text() == "library"
    assert (root / debian.LIBRARIES / "libblas.so.3").read_text() == "blas"
    return True


def test_a_root_is_made_once(mirror):
    root = debian.root("test", FILES)
    assert is_whole(root) and debian.root("test", reversed(list(FILES))) == root
    assert (mirror / "downloads").read_text().count("\n") == 1
    archives = debian.cache() / "bookworm-armhf"
    assert "http://mirror/debian/ bookworm main" in (archives / "apt/sources.list").read_text()
    assert not list(archives.glob("*.deb"))


def test_another_list_takes_the_place_of_the_old_one(mirror):
    other, old = debian.root("test-2", FILES), debian.root("test", FILES)
    new = debian.root("test", ["blas"])
    assert is_whole(new) and is_whole(other) and not old.exists()


def test_packages_alone(mirror):
    packages = debian.fetch(["library", "blas"], "amd64")
    assert [path.name for path in packages] == ["blas_1%3a1_armhf.deb", "library_1%3a1_armhf.deb"]
    assert all(path.exists() for path in packages)
    assert (mirror / "downloads").read_text().endswith(" download library blas\n")


def test_two_at_once_make_it_once(mirror):
    outputs = [process.communicate(timeout=300)[0] for process in [begin(), begin()]]
    assert outputs[0] == outputs[1] == f"{debian.root('test', FILES)}\n".encode()
    assert (mirror / "downloads").read_text().count("\n") == 1


def test_one_that_is_killed_leaves_nothing_that_passes_for_whole(mirror, tmp_path):
    started = tmp_path / "started"
    programs(tmp_path / "bin", tar=f"echo $$ >{started}; exec sleep 1000")
    process = begin()
    assert soon(lambda: started.exists() and started.read_text(), 300)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert processes.soon(int(started.read_text()), "XZ")
    assert [path.name[-5:] for path in debian.cache().glob("test-*")] == [".part"]
    (tmp_path / "bin/tar").unlink()
    assert is_whole(debian.root("test", FILES))
    assert len(list(debian.cache().glob("test-*"))) == 1


REASONS = {
    "E: Failed to fetch http://mirror/  Temporary failure resolving 'mirror'": "to the network",
    "E: Write error - write (28: No space left on device)": "free at least 2 GB",
    "E: The repository is not signed.": "install debian-archive-keyring",
    "E: something else": "try again",
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_of_apts_is_one_sentence_with_a_remedy(mirror, reason):
    (mirror / "failure").write_text(f"Reading\n{reason}\nE: more\n")
    with pytest.raises(debian.DebianError) as error:
        debian.root("test", FILES)
    said = str(error.value)
    assert reason in said and REASONS[reason] in said.rpartition(": ")[2], said
    (mirror / "failure").unlink()
    assert is_whole(debian.root("test", FILES))


def test_a_full_disk_has_room_again(mirror, tmp_path):
    said = "echo 'tar: ./file: Cannot write: No space left on device'; exit 2"
    programs(tmp_path / "bin", tar=said)
    with pytest.raises(debian.DebianError, match="Cannot write.*free at least 2 GB there"):
        debian.root("test", FILES)
    assert not list(debian.cache().glob("test-*"))


def test_a_machine_that_is_not_debian_is_told(mirror, monkeypatch):
    (mirror / "known").write_text("Ubuntu noble main http://mirror/ubuntu/\n")
    with pytest.raises(debian.DebianError, match="no list of them: type sudo apt-get update, or"):
        debian.root("test", FILES)
    monkeypatch.setenv("PATH", str(mirror))
    with pytest.raises(debian.DebianError, match="packages: use Debian 12 or newer"):
        debian.root("test", FILES)


def test_a_damaged_package_is_named(mirror):
    package = next(mirror.glob("*.deb"))
    package.write_bytes(package.read_bytes()[:-100])
    with pytest.raises(debian.DebianError, match=re.escape(package.name)):
        debian.root("test", FILES)


def test_a_cache_that_cannot_be_written_is_named(mirror, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(debian.DebianError, match="file/.* cannot be written .*XDG_CACHE_HOME"):
        debian.root("test", FILES)
