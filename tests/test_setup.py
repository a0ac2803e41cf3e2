"""Setting up: on whichever Python, in whatever folder, with whatever settings; cut off, twice at once, and no longer whole."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import doctor
import environment
import images
from conftest import ROOT

pytestmark = pytest.mark.slow


def sh_setup(folder, *parts, **options):
    return subprocess.run(["sh", "setup.sh"] + list(parts), cwd=str(folder), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=120, **options)


@pytest.fixture
def kit(tmp_path):
    """A kit with the real set-up and small parts: .deploy has one package, of a folder that pip is told of."""
    kit = tmp_path / "Ädas kit"
    for folder in ("deploy", "notebooks", "iop", "bitstream", "mb_src"):
        (kit / folder).mkdir(parents=True)
    for link in ("iop", "bitstream", "mb_src"):
        (kit / "notebooks" / link).symlink_to("../" + link)
    for name in ("setup.sh", "environment.py"):
        shutil.copy(str(ROOT / name), str(kit / name))
    wheel = tmp_path / "wheels" / "toy-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(str(wheel), "w") as file:
        file.writestr("toy.py", "answer = 42\n")
        file.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        file.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\n"
                                                 "Tag: py3-none-any\n")
        file.writestr("toy-1.0.dist-info/RECORD", "")
    pin(kit, hashlib.sha256(wheel.read_bytes()).hexdigest())
    return kit


def pin(kit, sha256):
    (kit / "deploy" / "requirements.txt").write_text("toy==1.0 \\\n    --hash=sha256:{}\n    # via nothing\n".format(sha256))


def offline(kit, **more):
    """The variables of a user who has the packages in a folder and no network."""
    return dict(os.environ, PYTHON=sys.executable, PIP_NO_INDEX="1", PIP_FIND_LINKS=(kit.parent / "wheels").as_uri(),
                PATH=programs(kit.parent, "ssh", "qemu-system-microblazeel") + ":" + os.environ["PATH"], **more)


def programs(folder, *names):
    """A folder with programs that do nothing."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in names:
        if not (folder / "bin" / name).exists():
            (folder / "bin" / name).symlink_to(shutil.which("true"))
    return str(folder / "bin")


def answer(kit):
    return subprocess.check_output([str(kit / ".deploy/bin/python"), "-I", "-c", "import toy; print(toy.answer)"]).strip()


def test_installs_once_whatever_the_folder_is_called(kit):
    first, second = (sh_setup(kit, "deploy", env=offline(kit)) for _ in range(2))
    assert first.returncode == 0 and "installing the packages of deploy/requirements.txt" in first.stdout
    assert (second.returncode, second.stdout) == (0, "") and answer(kit) == b"42"


def test_settings_of_pip_that_would_install_something_else(kit):
    (kit.parent / "pip.conf").write_text("[install]\nuser = true\ntarget = {0}/elsewhere\nno-binary = :all:\n"
                                         "[global]\nrequire-virtualenv = true\nfind-links = {1}\n".format(
                                             kit.parent, (kit.parent / "wheels").as_uri()))
    surprising = offline(kit, PIP_CONFIG_FILE=str(kit.parent / "pip.conf"), PIP_USER="1",
                         PIP_PREFIX=str(kit.parent / "prefix"), PYTHONPATH=str(kit.parent / "wheels"),
                         PYTHONUSERBASE=str(kit.parent / "user"))
    del surprising["PIP_FIND_LINKS"]  # it is in the file
    run = sh_setup(kit, "deploy", env=surprising, preexec_fn=lambda: os.umask(0o077))
    assert run.returncode == 0, run.stdout
    assert answer(kit) == b"42"
    assert not [name for name in ("elsewhere", "prefix", "user") if (kit.parent / name).exists()]


class Proxy(BaseHTTPRequestHandler):
    """The only way to packages.invalid, where the one package is."""

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        wheel = self.server.wheels / name
        found = wheel.read_bytes() if name else '<a href="{0}">{0}</a>'.format(next(self.server.wheels.iterdir()).name).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if name else "text/html")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *words):
        pass


@pytest.mark.parametrize("told", ["variable", "pip.conf"])
def test_a_proxy(kit, told):
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.wheels, proxy.asked = kit.parent / "wheels", []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = "http://127.0.0.1:{}".format(proxy.server_port)
        (kit.parent / "pip.conf").write_text("[global]\nindex-url = http://packages.invalid/simple\n"
                                             "trusted-host = packages.invalid\n" +
                                             ("proxy = {}\n".format(address) if told == "pip.conf" else ""))
        online = offline(kit, PIP_CONFIG_FILE=str(kit.parent / "pip.conf"))
        for name in "PIP_NO_INDEX", "PIP_FIND_LINKS", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY":
            online.pop(name, None)
        run = sh_setup(kit, "deploy", env=dict(online, **({"http_proxy": address} if told == "variable" else {})))
        proxy.shutdown()
    assert run.returncode == 0, run.stdout
    assert answer(kit) == b"42" and proxy.asked[0] == "http://packages.invalid/simple/toy/"


def test_another_file_than_the_pinned_one_is_refused(kit):
    pin(kit, "0" * 64)
    run = sh_setup(kit, "deploy", env=offline(kit))
    assert run.returncode == 1 and re.search("packages could not be installed.*\n(.*\n)*.*(HASH|hash)", run.stdout)
    assert not (kit / ".deploy").exists()


def test_two_at_once_install_once(kit):
    runs = [subprocess.Popen(["sh", "setup.sh", "deploy"], cwd=str(kit), env=offline(kit), stdout=subprocess.PIPE,
                             universal_newlines=True) for _ in range(2)]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0] and answer(kit) == b"42"
    assert "".join(said).count("installing") == 1


@pytest.mark.long
@pytest.mark.parametrize("sent, after", [(signal.SIGTERM, 0.1), (signal.SIGINT, 0.5), (signal.SIGHUP, 1), (signal.SIGTERM, 1.5),
                                         (signal.SIGINT, 2), (signal.SIGHUP, 3), (signal.SIGKILL, 0.5), (signal.SIGKILL, 1.5),
                                         (signal.SIGKILL, 3)])
def test_cut_off_it_leaves_nothing_half_made(kit, sent, after):
    """By the programs that it has started neither, which a terminal's Ctrl-C would reach, and `kill` does not."""
    temporary = kit.parent / "tmp"
    temporary.mkdir()
    run = subprocess.Popen(["sh", "setup.sh", "deploy"], cwd=str(kit), env=offline(kit, TMPDIR=str(temporary)),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    run.send_signal(sent)
    run.wait(timeout=30)
    assert not (kit / ".deploy" / "made-from").exists() or run.returncode == 0
    assert sent == signal.SIGKILL or run.returncode == 0 or not (kit / ".deploy").exists()
    again = sh_setup(kit, "deploy", env=offline(kit))
    assert again.returncode == 0 and answer(kit) == b"42"
    assert list(temporary.iterdir()) == [] and not (kit / ".deploy" / "tmp").exists()


def test_an_image_s_environment_is_made_once_by_all_who_ask_at_once(tmp_path, monkeypatch):
    made = []

    def slowly(folder, *pins):
        made.append(folder)
        time.sleep(0.2)
        Path(folder).mkdir()

    monkeypatch.setattr(images, "ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr(images, "_make", slowly)
    with ThreadPoolExecutor(4) as workers:
        asked = [workers.submit(images.environment, "3.1.2", "3.11", "requirements.txt", sys.executable) for _ in range(4)]
    assert {each.result() for each in asked} == {str(tmp_path / "pynq-3.1.2-python-3.11/bin/python")}
    assert len(made) == 1


def test_a_checkout_by_a_git_of_windows_settings_is_what_was_committed(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    subprocess.check_call(["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "-q", str(ROOT),
                           str(tmp_path / "kit")])
    names = subprocess.check_output(["git", "-C", str(ROOT), "ls-tree", "-r", "--name-only", "-z", "HEAD"])
    for name in names.decode().split("\0")[:-1]:
        there = tmp_path / "kit" / name
        if not there.is_symlink() and there.is_file():
            assert there.read_bytes() == subprocess.check_output(["git", "-C", str(ROOT), "show", "HEAD:" + name]), name


def test_files_in_place_of_links_become_links(kit):
    """As git on Windows leaves them, or a downloaded zip."""
    for link in ("iop", "mb_src"):
        (kit / "notebooks" / link).unlink()
    (kit / "notebooks" / "iop").write_text("../iop")
    run = sh_setup(kit, "links", env=offline(kit))  # no part is called so, and no environment is made
    assert run.returncode == 0 and run.stdout.count("the link that it should be") == 2
    assert all(os.readlink(str(kit / "notebooks" / link)) == "../" + link for link in ("iop", "bitstream", "mb_src"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_checkout_that_cannot_be_written_to(kit):
    os.chmod(str(kit), 0o555)
    try:
        run = sh_setup(kit, "deploy", env=offline(kit))
    finally:
        os.chmod(str(kit), 0o755)
    assert run.returncode == 1 and "cannot be written to" in run.stdout and "clone the kit into a folder" in run.stdout


def test_a_file_system_without_links_says_so(kit):
    (kit / "notebooks" / "iop").unlink()
    (kit.parent / "bin").mkdir()
    (kit.parent / "bin" / "ln").symlink_to(shutil.which("false"))
    run = sh_setup(kit, "deploy", env=offline(kit))
    assert run.returncode == 1 and re.search("notebooks/iop has to be a link to ../iop.*git clone", run.stdout)


def test_refuses_a_python_that_the_kit_does_not_work_on(kit):
    (kit.parent / "python3.9").symlink_to("/bin/false")
    run = sh_setup(kit, env=dict(os.environ, PYTHON=str(kit.parent / "python3.9")))
    assert run.returncode == 1 and "is not a Python from 3.10 to 3.14" in run.stdout


def test_says_which_python_and_how_to_get_one(kit):
    """As on a system whose only Python is too old."""
    folder = programs(kit.parent)
    for program in ("sh", "dirname", "cat"):
        os.symlink(shutil.which(program), os.path.join(folder, program))
    (kit.parent / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (kit.parent / "bin" / "python3").chmod(0o755)
    run = sh_setup(kit, env={"PATH": folder})
    assert run.returncode == 1 and "the kit needs Python 3.10, 3.11, 3.12, 3.13 or 3.14" in run.stdout
    for system in ("Debian, Ubuntu", "Fedora", "macOS"):
        assert system in run.stdout
    assert not (kit / ".venv").exists()


def test_says_how_to_get_a_browser(kit):
    folder = programs(kit.parent, "qemu-system-microblaze")
    for program in ("sh", "dirname"):
        os.symlink(shutil.which(program), os.path.join(folder, program))
    run = sh_setup(kit, "browser", env={"PATH": folder, "PYTHON": sys.executable})
    assert run.returncode == 1 and "sudo apt-get install chromium libatomic1" in run.stdout


def test_drift_is_named_with_the_remedy(kit, monkeypatch):
    assert sh_setup(kit, "deploy", env=offline(kit)).returncode == 0
    packages, = (kit / ".deploy" / "lib").glob("*/site-packages")
    (packages / "of_the_students_own-1.0.dist-info").mkdir()
    assert sh_setup(kit, "deploy", env=offline(kit)).stdout == ""
    (packages / "toy-1.0.dist-info").rename(packages / "toy-2.0.dist-info")
    named = sh_setup(kit, "deploy", env=offline(kit))
    assert named.returncode == 0
    assert re.search("toy 2.0 in place of 1.0.*type rm -rf .deploy and the command again", named.stdout)
    changed = environment.drift(str(kit / ".deploy"))
    monkeypatch.setattr(environment, "drift", lambda: changed)
    good, said = doctor.packages()
    assert not good and "toy 2.0 in place of 1.0" in said and "rm -rf .venv" in said
    shutil.rmtree(str(packages / "toy-2.0.dist-info"))
    assert "no toy 1.0" in sh_setup(kit, "deploy", env=offline(kit)).stdout


def test_this_environment_has_not_drifted():
    assert environment.drift() == "" and len(environment.installed(sys.prefix)) > 100


def test_requirements_txt_is_what_requirements_in_asks_for():
    """With every file's hash, for each Python."""
    written = (ROOT / "requirements.txt").read_text()
    pins = dict(re.findall(r"(?m)^([\w-]+)==(\S+)", written))
    for name, version, marker in re.findall(r"(?m)^([\w-]+)==([\w.]+)(?: ; python_version (.*))?$",
                                            (ROOT / "requirements.in").read_text()):
        assert re.search(r"(?m)^{}=={}{}".format(name.lower(), re.escape(version), " ; " if marker else " "), written), name
    assert len(pins) > 100 and written.count("--hash=sha256:") > 2 * len(pins)
    for package in re.split(r"\n(?=[\w.-]+==)", written)[1:]:  # after the header
        assert "--hash=sha256:" in package, package


def kernel_says(source, folder, **more):
    """What a kernel of .venv that is started in a folder puts out for a cell."""
    run = subprocess.run([sys.executable, "-c", """
import json, nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[1])])
NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": sys.argv[2]}}).execute()
print(json.dumps([output.get("text") or output.get("evalue") or "" for output in notebook.cells[0].outputs]))
""", source, str(folder)], stdout=subprocess.PIPE, universal_newlines=True, timeout=120, env=dict(os.environ, **more))
    return "".join(json.loads(run.stdout))


def test_a_kernel_has_a_board_whatever_its_users_settings_are(tmp_path):
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_kernel_config.py").write_text(
        "c = get_config(); c.IPKernelApp.exec_lines = ['mine = 5']; c.IPKernelApp.extensions = []")
    said = kernel_says("import pynq, checks; print(mine, pynq.Device.active_device.name)", tmp_path, IPYTHONDIR=str(tmp_path))
    assert said == "5 virtual_board\n"


def test_a_kernel_in_another_folder_finds_the_overlay(tmp_path):
    said = kernel_says("from pynq import Overlay\nprint(Overlay('./bitstream/pynq_tutorial.bit').iop1.mb_info['rst_name'])",
                       tmp_path)
    assert said == "mb_iop1_reset\n"
    assert "none.bit" in kernel_says("from pynq import Overlay; Overlay('./bitstream/none.bit')", tmp_path)


def test_a_kernel_says_why_it_has_no_board(tmp_path):
    (tmp_path / "virtual_board.py").write_text("def activate():\n    raise OSError('no memory for it')\n")
    said = kernel_says("import pynq; pynq.Device.active_device", tmp_path, PYTHONPATH=str(tmp_path))
    assert re.search("virtual board did not come up .OSError: no memory for it.: `make doctor` in {}".format(ROOT), said)
