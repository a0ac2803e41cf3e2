"""Setting up: on whichever Python, in whatever folder, with whatever settings; cut off, twice at
once, and no longer whole."""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helpers.kit import ROOT
from helpers.programs import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
UV = shutil.which(str(ROOT / ".uv" / "uv")) or shutil.which("uv")
LINKS = "iop", "bitstream", "mb_src"
DIST_INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
    "entry_points.txt": "[console_scripts]\ntoy = toy:say\n",
}
TOY = {"toy.py": "answer = 42\n\ndef say():\n    print(answer)\n"}


def start(folder, *parts, command=("sh", "setup.sh"), **options):
    options.update(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return subprocess.Popen([*command, *parts], cwd=str(folder), **options)


def set_up(folder, *parts, **options):
    """(Exit status, what it said) of a set-up."""
    run = start(folder, *parts, **options)
    said = run.communicate(timeout=500)[0]
    return run.returncode, said


@pytest.fixture
def kit(tmp_path):
    """A kit with the real set-up and small parts: .deploy has one package, of a folder that pip is
    told of. Its path has a space and an umlaut, and is too long for the first line of a script."""
    kit = tmp_path / f"Ädas kit {'x' * 120}"
    for folder in ("notebooks", *LINKS):
        (kit / folder).mkdir(parents=True)
    for link in LINKS:
        (kit / "notebooks" / link).symlink_to("../" + link)
    for name in "setup.sh", "requirements.txt":
        shutil.copy(str(ROOT / name), str(kit / name))
    shutil.copytree(str(ROOT / "requirements"), str(kit / "requirements"))
    pin(kit, "deploy.txt", wheel(tmp_path, "toy", TOY))
    return kit


def wheel(folder, name, files):
    """Makes a wheel of version 1.0; returns its pin."""
    path = folder / "wheels" / f"{name}-1.0-py3-none-any.whl"
    path.parent.mkdir(exist_ok=True)
    dist_info = {f"{name}-1.0.dist-info/{one}": DIST_INFO[one].format(name) for one in DIST_INFO}
    with zipfile.ZipFile(str(path), "w") as archive:
        for inner, text in {**dist_info, **files}.items():
            entry = zipfile.ZipInfo(inner)
            entry.external_attr = 0o100755 << 16  # one of them may be a program
            archive.writestr(entry, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def pin(kit, name, text):
    (kit / "requirements" / name).write_text(text)


def variables(kit, **more):
    """Those of a user who has the packages in a folder and no network."""
    names = [name for name in os.environ if not re.match("PIP_|UV_|.*_proxy|.*_PROXY|XDG_", name)]
    bin = kit.parent / "bin"
    if not bin.exists():
        programs(bin, ssh="", **{"qemu-system-microblazeel": ""})
    own = {
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (kit.parent / "wheels").as_uri(),
        "PATH": f"{bin}:{os.path.dirname(UV)}:{os.environ['PATH']}",
    }
    return {**{name: os.environ[name] for name in names}, **own, **more}


def answer(kit):
    """From the package, by the program that it has."""
    return subprocess.check_output([str(kit / ".deploy/bin/toy")]).strip().decode()


def test_installs_once_whatever_the_folder_is_called(kit):
    status, said = set_up(kit, "deploy", env=variables(kit))
    assert status == 0 and "installing the packages of requirements/deploy.txt" in said, said
    assert set_up(kit, "deploy", env=variables(kit)) == (0, "") and answer(kit) == "42"
    assert list((kit / ".uv").iterdir()) == []


def test_a_kit_that_was_moved_is_set_up_again(kit):
    assert set_up(kit, "deploy", env=variables(kit))[0] == 0
    moved = kit.rename(kit.parent / "moved")
    assert "installing" in set_up(moved, "deploy", env=variables(moved))[1]
    assert answer(moved) == "42"


PIP_CONF = """
[install]
user = true
target = {elsewhere}
no-binary = :all:
[global]
require-virtualenv = true
find-links = {wheels} /no/such/folder
extra-index-url = file:///no/such/folder
"""
UV_TOML = """
no-build = true
required-version = "==0.0.1"
exclude-newer = "2010-01-01"
[pip]
target = "{elsewhere}"
python-version = "3.8"
"""
ELSEWHERE = "PIP_TARGET", "PIP_PREFIX", "UV_PROJECT_ENVIRONMENT", "PYTHONHOME", "PYTHONUSERBASE"
SURPRISING = {
    "PIP_USER": "1",
    "UV_PYTHON": "3.7",
    "UV_NO_BINARY": "1",
    "UV_SYSTEM_PYTHON": "1",
    "UV_CONSTRAINT": "/nowhere",
    "UV_OVERRIDE": "/nowhere",
    "UV_LINK_MODE": "symlink",
    "HOME": "/proc/nobody",
}


def test_settings_that_would_install_something_else(kit):
    """Of pip, which gets uv here, of uv and of Python; a home that cannot be written to; a umask
    that shuts others out."""
    wheels, elsewhere = kit.parent / "wheels", kit.parent / "elsewhere"
    script = f'#!/bin/sh\nexec {shlex.quote(UV)} "$@"\n'
    pin(kit, "uv.txt", wheel(kit.parent, "uv", {"uv-1.0.data/scripts/uv": script}))
    given = variables(kit, CDPATH=str(kit.parent), TMPDIR=str(elsewhere), PYTHONPATH=str(wheels))
    given.update(SURPRISING, **{name: str(elsewhere) for name in ELSEWHERE})
    for name, text in {"PIP_CONFIG_FILE": PIP_CONF, "UV_CONFIG_FILE": UV_TOML}.items():
        given[name] = str(kit.parent / name)
        (kit.parent / name).write_text(text.format(elsewhere=elsewhere, wheels=wheels.as_uri()))
    del given["PIP_FIND_LINKS"]  # which is in the file
    given["PATH"] = given["PATH"].replace(os.path.dirname(UV), "/nowhere")
    status, said = set_up(kit, "deploy", env=given, preexec_fn=lambda: os.umask(0o077))
    assert status == 0 and "getting uv" in said, said
    assert answer(kit) == "42" and not elsewhere.exists()
    for path in (kit / ".deploy").rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044, path


class Mirror(BaseHTTPRequestHandler):
    """A proxy, the only way to packages.invalid, where the one package is."""

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        (wheel,) = self.server.wheels.iterdir()
        link = f'<a href="{wheel.name}">{wheel.name}</a>'.encode()
        found = wheel.read_bytes() if name else link
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if name else "text/html")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *words):
        pass


INDEX = "http://packages.invalid/simple"
CONF = f"[global]\nindex-url = {INDEX}\ntrusted-host = packages.invalid\n"
OTHER = "[global]\nindex-url = http://other.invalid\n"
TOML = f'http-proxy = "PROXY"\n[[index]]\nurl = "{INDEX}"\ndefault = true\n'


@pytest.mark.parametrize(
    "file, text, given",
    [
        (".config/pip/pip.conf", CONF, {"http_proxy": "PROXY"}),
        (".config/pip/pip.conf", CONF + "proxy = PROXY\n", {}),
        (".pip/pip.conf", CONF, {"PIP_PROXY": "PROXY"}),
        (".config/uv/uv.toml", TOML, {}),
        (".config/pip/pip.conf", OTHER, {"UV_INDEX_URL": INDEX, "ALL_PROXY": "PROXY"}),
        (".config/pip/pip.conf", OTHER, {"UV_DEFAULT_INDEX": INDEX, "HTTP_PROXY": "PROXY"}),
    ],
)
def test_a_mirror_and_a_proxy(kit, file, text, given):
    if "toml" in file and sys.version_info < (3, 11):
        pytest.skip("Python 3.10 cannot read TOML")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as proxy:
        proxy.wheels, proxy.asked = kit.parent / "wheels", []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_port}"
        path = kit.parent / file
        path.parent.mkdir(parents=True)
        path.write_text(text.replace("PROXY", address))
        given = {name: value.replace("PROXY", address) for name, value in given.items()}
        online = variables(kit, HOME=str(kit.parent), UV_NO_CACHE="1", **given)
        del online["PIP_NO_INDEX"], online["PIP_FIND_LINKS"]
        status, said = set_up(kit, "deploy", env=online)
        proxy.shutdown()
    assert status == 0, said
    assert answer(kit) == "42" and proxy.asked[0] == f"{INDEX}/toy/"


NOBODY = "http://127.0.0.1:9"  # where no server is
ONLINE = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "UV_HTTP_RETRIES": "0"}


@pytest.mark.parametrize(
    "given, says, remedy",
    [
        ({"PIN": "0" * 64}, "Hash mismatch for `toy==1.0`", ""),
        ({"PIP_FIND_LINKS": ""}, "toy was not found", ""),
        ({**ONLINE, "UV_DEFAULT_INDEX": NOBODY}, "Connection refused", f"through {NOBODY}, as you"),
        ({**ONLINE, "https_proxy": NOBODY}, "tunnel error", f"through {NOBODY}, as you have set"),
        ({"PIP_CONFIG_FILE": "setup.sh"}, "settings of pip or uv cannot be read", ""),
    ],
)
def test_an_error_is_the_tool_s_with_a_remedy_if_known(kit, given, says, remedy):
    if "PIN" in given:
        pin(kit, "deploy.txt", f"toy==1.0 --hash=sha256:{given['PIN']}\n")
    status, said = set_up(kit, "deploy", env=variables(kit, UV_NO_CACHE="1") | given)
    assert status == 1 and says in said and remedy in said, said
    assert "is there a network?" not in said and not (kit / ".deploy" / "bin").exists(), said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, or be without a network")
@pytest.mark.parametrize(
    "first, says, remedy",
    [
        ("ip link set lo up 2>/dev/null", "lookup address", "is there a network?"),
        ("mount -t tmpfs -o noexec tmpfs .deploy", "mounted noexec", "clone the kit into"),
        ("mount -t tmpfs -o size=64k tmpfs .deploy", "could not be made", "there is no space left"),
        ("mount -t tmpfs -o ro tmpfs .deploy", "Read-only file system", "clone the kit into"),
    ],
)
def test_a_machine_on_which_it_cannot_work(kit, first, says, remedy):
    (kit / ".deploy").mkdir()
    given = variables(kit, UV_NO_CACHE="1")
    if "network" in remedy:
        given.update(ONLINE)
    command = ["unshare", "--mount", "--net", "sh", "-c", f"{first}; exec sh setup.sh deploy"]
    status, said = set_up(kit, command=command, env=given)
    assert status == 1 and says in said and remedy in said, said
    assert ("is there a network?" in said) == ("network" in remedy), said


def test_two_at_once_install_once(kit):
    runs = [start(kit, "deploy", env=variables(kit)) for _ in range(2)]
    said = "".join(run.communicate(timeout=500)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0] and answer(kit) == "42"
    assert said.count("installing") == 1


@pytest.mark.long
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_cut_off_the_next_call_completes_it(kit, sent, after):
    """The programs that it has started are not, which a terminal's Ctrl-C would reach, and `kill`
    does not."""
    temporary = kit.parent / "tmp"
    temporary.mkdir()
    run = start(kit, "deploy", env=variables(kit, TMPDIR=str(temporary)))
    time.sleep(after)
    run.send_signal(sent)
    run.communicate(timeout=500)
    assert set_up(kit, "deploy", env=variables(kit))[0] == 0 and answer(kit) == "42"
    assert list(temporary.iterdir()) == [] and list((kit / ".uv").iterdir()) == []


def test_a_checkout_is_what_was_committed_whatever_gits_settings():
    """As with those of Windows, which would change the ends of lines."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    lines = subprocess.check_output(["git", "-C", str(ROOT), "ls-files", "--eol"]).decode()
    assert [line for line in lines.splitlines() if "attr/-text" not in line] == []


def test_files_in_place_of_links_become_links(kit):
    """As git on Windows leaves them, or a downloaded zip; not on a file system without links."""
    for link in "iop", "mb_src":
        (kit / "notebooks" / link).unlink()
    (kit / "notebooks" / "iop").write_text("../iop")
    given = variables(kit)
    no_links = dict(given, PATH=f"{programs(kit.parent / 'no', ln='exit 1')}:{given['PATH']}")
    status, said = set_up(kit, "nothing", env=no_links)
    assert status == 1 and re.search("notebooks/iop must be a link.*git clone", said)
    status, said = set_up(kit, "nothing", env=given)
    assert status == 0 and said.count("a link to ../") == 2
    assert all(os.readlink(str(kit / "notebooks" / link)) == f"../{link}" for link in LINKS)


OLD = 'if [ "$1" = -V ]; then echo Python 3.9.2; else exit 1; fi'
WITHOUT_PYTHON = ["Python 3.10, 3.11, 3.12, 3.13 or 3.14", "Debian, Ubuntu", "Fedora", "macOS"]
NO_CHROMIUM = ["sudo apt-get install chromium libatomic1"]


@pytest.mark.parametrize(
    "python, part, says",
    [
        (OLD, "kit", ["is Python 3.9.2, and the kit needs 3.10 to 3.14"]),
        ("echo no libpython >&2; exit 1", "kit", ["does not start: no libpython"]),
        (None, "kit", WITHOUT_PYTHON),
        (f'exec {sys.executable} "$@"', "kit", ["sudo apt-get install qemu-system-misc", "macOS"]),
        (f'exec {sys.executable} "$@"', "browser", NO_CHROMIUM),
        (f'exec {sys.executable} "$@"', "deploy", ["sudo apt-get install openssh-client"]),
    ],
)
def test_says_what_is_missing_and_how_to_get_it(kit, python, part, says):
    """A system that has little more than a shell, and no rights to install anything."""
    given = {"PATH": programs(kit.parent / "bin", "sh", "dirname", "cat", "env")}
    if python:
        given["PYTHON"] = programs(kit.parent / "pythons", python=python) + "/python"
    status, said = set_up(kit, part, env=given)
    assert status == 1 and all(part in said for part in says), said
    assert not (kit / ".venv").exists()


def test_a_pinned_package_that_was_changed_is_put_back(kit):
    """And what the user has installed beside it stays."""
    assert set_up(kit, "deploy", env=variables(kit))[0] == 0
    (packages,) = (kit / ".deploy" / "lib").glob("*/site-packages")
    (packages / "of_the_students_own-1.0.dist-info").mkdir()
    assert set_up(kit, "deploy", env=variables(kit)) == (0, "")
    newer = packages / "toy-2.0.dist-info"
    (packages / "toy-1.0.dist-info").rename(newer)
    (newer / "METADATA").write_text(DIST_INFO["METADATA"].format("toy").replace("1.0", "2.0"))
    unreachable = variables(kit, UV_NO_CACHE="1", PIP_FIND_LINKS="")
    status, said = set_up(kit, "deploy", env=unreachable)
    assert status == 0 and "toy was not found" in said  # and goes on with what is there
    said = "setup: putting back into .deploy what is pinned: toy-1.0\n"
    assert set_up(kit, "deploy", env=variables(kit)) == (0, said)
    assert answer(kit) == "42" and (packages / "of_the_students_own-1.0.dist-info").exists()
    assert set_up(kit, "deploy", env=variables(kit)) == (0, "")


@pytest.mark.parametrize("part", ["kit", "deploy", "hub", "browser", "lint"])
def test_requirements_txt_is_what_requirements_in_asks_for(part):
    """With every file's hash, for each Python."""
    path = "requirements.txt" if part == "kit" else f"requirements/{part}.txt"
    written = (ROOT / path).read_text()
    asked = (ROOT / "requirements" / f"{part}.in").read_text()
    lines = re.findall(r"(?m)^([\w-]+)==([\w.]+)( ;)?", asked)
    assert lines
    for name, version, marker in lines:
        pinned = f"{name.lower().replace('_', '-')}=={version}{marker} "
        assert re.search(rf"(?m)^{re.escape(pinned)}", written), name
    for package in re.split(r"\n(?=[\w.-]+==)", written)[1:]:  # after the header
        assert "--hash=sha256:" in package, package
