"""Setting up: on whichever Python, in whatever folder, with whatever settings; cut off, twice at
once, and no longer whole."""

import hashlib
import json
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
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import doctor
from helpers.kit import ROOT
from systems import images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
UV = shutil.which(str(ROOT / ".uv" / "uv")) or shutil.which("uv")
IS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount, or be without a network"
)
NO_NETWORK = "is there a network?"


def sh_setup(folder, *parts, **options):
    return subprocess.run(
        ["sh", "setup.sh"] + list(parts),
        cwd=str(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=500,
        **options,
    )


@pytest.fixture
def kit(tmp_path):
    """A kit with the real set-up and small parts: .deploy has one package, of a folder that pip is
    told of.

    Its path has a space and an umlaut, and is too long for the first line of a script."""
    kit = tmp_path / f"Ädas kit {'x' * 120}"
    for folder in ("deploy", "notebooks", "iop", "bitstream", "mb_src"):
        (kit / folder).mkdir(parents=True)
    for link in ("iop", "bitstream", "mb_src"):
        (kit / "notebooks" / link).symlink_to("../" + link)
    for name in ("setup.sh", "package_sources.py", "requirements.txt"):
        shutil.copy(str(ROOT / name), str(kit / name))
    pin(
        kit,
        "deploy/requirements.txt",
        wheel(
            tmp_path,
            "toy",
            {
                "toy.py": "answer = 42\n\ndef say():\n    print(answer)\n",
                "toy-1.0.dist-info/entry_points.txt": "[console_scripts]\ntoy = toy:say\n",
            },
        ),
    )
    return kit


def wheel(folder, name, files):
    """Makes a wheel of version 1.0; returns its pin."""
    files = dict(
        files,
        **{
            f"{name}-1.0.dist-info/METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            ),
            f"{name}-1.0.dist-info/WHEEL": (
                "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            ),
            f"{name}-1.0.dist-info/RECORD": "",
        },
    )
    path = folder / "wheels" / f"{name}-1.0-py3-none-any.whl"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(str(path), "w") as archive:
        for inner, text in files.items():
            entry = zipfile.ZipInfo(inner)
            entry.external_attr = 0o100755 << 16  # one of them may be a program
            archive.writestr(entry, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def pin(kit, requirements, text):
    (kit / requirements).write_text(text)


def offline(kit, **more):
    """The variables of a user who has the packages in a folder and no network."""
    others = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))
    }
    return dict(
        others,
        PYTHON=sys.executable,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=(kit.parent / "wheels").as_uri(),
        PATH=(
            f"{programs(kit.parent, 'ssh', 'qemu-system-microblazeel')}:{os.path.dirname(UV)}:{os.environ['PATH']}"
        ),
        **more,
    )


def programs(folder, *names):
    """A folder with programs that do nothing."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in names:
        if not (folder / "bin" / name).exists():
            (folder / "bin" / name).symlink_to(shutil.which("true"))
    return str(folder / "bin")


def answer(kit):
    """From the package, by the program that it has."""
    return subprocess.check_output([str(kit / ".deploy/bin/toy")]).strip()


def test_installs_once_whatever_the_folder_is_called(kit):
    first, second = (sh_setup(kit, "deploy", env=offline(kit)) for _ in range(2))
    assert (
        first.returncode == 0
        and "installing the packages of deploy/requirements.txt" in first.stdout
    )
    assert (second.returncode, second.stdout) == (0, "") and answer(kit) == b"42"
    assert list((kit / ".uv").iterdir()) == []


def test_a_kit_that_was_moved_is_set_up_again(kit):
    assert sh_setup(kit, "deploy", env=offline(kit)).returncode == 0
    moved = kit.rename(kit.parent / "moved")
    assert (
        "installing" in sh_setup(moved, "deploy", env=offline(moved)).stdout
        and answer(moved) == b"42"
    )


def test_settings_that_would_install_something_else(kit):
    """Of pip, which gets uv here, of uv and of Python; a home that cannot be written to; a umask
    that shuts others out."""
    wheels, elsewhere = kit.parent / "wheels", kit.parent / "elsewhere"
    uv = wheel(
        kit.parent, "uv", {"uv-1.0.data/scripts/uv": f'#!/bin/sh\nexec {shlex.quote(UV)} "$@"\n'}
    )
    pin(kit, "requirements-uv.txt", uv)
    (kit.parent / "pip.conf").write_text(
        f"[install]\nuser = true\ntarget = {elsewhere}\nno-binary = :all:\n"
        f"[global]\nrequire-virtualenv = true\nfind-links = {wheels.as_uri()} /nowhere\n"
    )
    (kit.parent / "uv.toml").write_text(
        'no-build = true\nrequired-version = "==0.0.1"\nexclude-newer = "2010-01-01"\n'
        f'[pip]\ntarget = "{elsewhere}"\npython-version = "3.8"\n'
    )
    surprising = offline(
        kit,
        PIP_CONFIG_FILE=str(kit.parent / "pip.conf"),
        PIP_USER="1",
        PIP_TARGET=str(elsewhere),
        PIP_PREFIX=str(elsewhere),
        UV_CONFIG_FILE=str(kit.parent / "uv.toml"),
        UV_PYTHON="3.7",
        UV_PROJECT_ENVIRONMENT=str(elsewhere),
        UV_NO_BINARY="1",
        UV_SYSTEM_PYTHON="1",
        UV_CONSTRAINT="/nowhere",
        UV_OVERRIDE="/nowhere",
        UV_LINK_MODE="symlink",
        PYTHONPATH=str(wheels),
        PYTHONHOME=str(elsewhere),
        PYTHONUSERBASE=str(elsewhere),
        VIRTUAL_ENV=str(elsewhere),
        CONDA_PREFIX=str(elsewhere),
        CDPATH=str(kit.parent),
        HOME="/proc/nobody",
        TMPDIR=str(elsewhere / "tmp"),
    )
    for name in "PIP_FIND_LINKS", "XDG_CACHE_HOME":  # the first is in the file
        surprising.pop(name, None)
    surprising["PATH"] = surprising["PATH"].replace(os.path.dirname(UV), "/nowhere")
    run = sh_setup(kit, "deploy", env=surprising, preexec_fn=lambda: os.umask(0o077))
    assert run.returncode == 0 and "getting uv" in run.stdout, run.stdout
    assert answer(kit) == b"42" and not elsewhere.exists()
    for folder, _, names in os.walk(str(kit / ".deploy")):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            assert os.stat(path).st_mode & 0o044 == 0o044, path


class Proxy(BaseHTTPRequestHandler):
    """The only way to packages.invalid, where the one package is."""

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        wheel = self.server.wheels / name
        found = (
            wheel.read_bytes()
            if name
            else '<a href="{0}">{0}</a>'.format(next(self.server.wheels.iterdir()).name).encode()
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if name else "text/html")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *words):
        pass


INDEX = "http://packages.invalid/simple"
PIP_CONF = f"[global]\nindex-url = {INDEX}\ntrusted-host = packages.invalid\n"


@pytest.mark.parametrize(
    "file, text, variables",
    [
        ("pip.conf", PIP_CONF, {"http_proxy": "PROXY"}),
        ("pip.conf", PIP_CONF + "proxy = PROXY\n", {}),
        ("home/.config/pip/pip.conf", PIP_CONF, {"PIP_PROXY": "PROXY"}),
        ("home/.pip/pip.conf", PIP_CONF, {"ALL_PROXY": "PROXY"}),
        ("environment/pip.conf", PIP_CONF, {"HTTP_PROXY": "PROXY"}),
        (
            "home/.config/uv/uv.toml",
            f'http-proxy = "PROXY"\n[[index]]\nurl = "{INDEX}"\ndefault = true\n',
            {},
        ),
        ("uv.toml", f'index-url = "{INDEX}"\n', {"http_proxy": "PROXY"}),
        (
            "pip.conf",
            "[global]\nindex-url = http://other.invalid\n",
            {"UV_INDEX_URL": INDEX, "http_proxy": "PROXY"},
        ),
        ("pip.conf", "", {"UV_DEFAULT_INDEX": INDEX, "http_proxy": "PROXY"}),
    ],
)
def test_a_mirror_and_a_proxy(kit, file, text, variables):
    if "toml" in file and sys.version_info < (3, 11):
        pytest.skip("Python 3.10 cannot read TOML")
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.wheels, proxy.asked = kit.parent / "wheels", []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_port}"
        path = kit.parent / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("PROXY", address))
        online = offline(
            kit,
            HOME=str(kit.parent / "home"),
            UV_NO_CACHE="1",
            VIRTUAL_ENV=str(kit.parent / "environment"),
            **{name: value.replace("PROXY", address) for name, value in variables.items()},
        )
        if file in ("pip.conf", "uv.toml"):
            online["PIP_CONFIG_FILE" if file == "pip.conf" else "UV_CONFIG_FILE"] = str(path)
        for name in (
            "PIP_NO_INDEX",
            "PIP_FIND_LINKS",
            "no_proxy",
            "NO_PROXY",
            "http_proxy",
            "HTTP_PROXY",
            "XDG_CONFIG_HOME",
        ):
            if name not in variables:
                online.pop(name, None)
        run = sh_setup(kit, "deploy", env=online)
        proxy.shutdown()
    assert run.returncode == 0, run.stdout
    assert answer(kit) == b"42" and proxy.asked[0] == INDEX + "/toy/"


ONLINE = {"PIP_NO_INDEX": "0", "UV_HTTP_RETRIES": "0", "no_proxy": ""}


@pytest.mark.parametrize(
    "variables, says, remedy",
    [
        ({"PIN": "0" * 64}, "Hash mismatch for `toy==1.0`", None),
        ({"PIP_FIND_LINKS": ""}, "toy was not found", None),
        (
            {**ONLINE, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"},
            "Connection refused",
            "from http://127.0.0.1:9/simple, which is what you have set",
        ),
        (
            {**ONLINE, "https_proxy": "http://127.0.0.1:9", "PIP_FIND_LINKS": ""},
            "tunnel error",
            "through the proxy http://127.0.0.1:9, which is what you have set",
        ),
        ({"PIP_CONFIG_FILE": "CONF"}, "pip cannot read", None),
    ],
)
def test_an_error_is_the_tool_s_first_and_a_remedy_is_for_what_was_found(
    kit, variables, says, remedy
):
    if "PIN" in variables:
        pin(kit, "deploy/requirements.txt", f"toy==1.0 --hash=sha256:{variables['PIN']}\n")
    (kit.parent / "conf").write_text("no section\n")
    run = sh_setup(
        kit,
        "deploy",
        env=offline(kit, UV_NO_CACHE="1")
        | {
            name: value.replace("CONF", str(kit.parent / "conf"))
            for name, value in variables.items()
        },
    )
    assert run.returncode == 1 and says in run.stdout, run.stdout
    assert NO_NETWORK not in run.stdout and (remedy is None or remedy in run.stdout), run.stdout
    assert not (kit / ".deploy" / "made-from").exists() and not (kit / ".deploy" / "bin").exists()


@IS_ROOT
@pytest.mark.parametrize(
    "first, says, network",
    [
        ("ip link set lo up 2>/dev/null", "lookup address", True),
        ("mount -t tmpfs -o noexec tmpfs .deploy", "mounted noexec", False),
        ("mount -t tmpfs -o size=64k tmpfs .deploy", "no space left", False),
        ("mount -t tmpfs -o ro tmpfs .deploy", "Read-only file system", False),
    ],
)
def test_a_machine_on_which_it_cannot_work(kit, first, says, network):
    (kit / ".deploy").mkdir()
    online = offline(kit, UV_HTTP_RETRIES="0", **{"UV_NO_CACHE": "1"})
    for name in (
        ("PIP_NO_INDEX", "PIP_FIND_LINKS", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        if network
        else ()
    ):
        online.pop(name, None)
    run = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", f"{first}; exec sh setup.sh deploy"],
        cwd=str(kit),
        env=online,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=500,
    )
    assert run.returncode == 1 and says in run.stdout, run.stdout
    assert (NO_NETWORK in run.stdout) == network, run.stdout


def test_two_at_once_install_once(kit):
    runs = [
        subprocess.Popen(
            ["sh", "setup.sh", "deploy"],
            cwd=str(kit),
            env=offline(kit),
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=500)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0] and answer(kit) == b"42"
    assert "".join(said).count("installing") == 1


@pytest.mark.long
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_cut_off_the_next_call_completes_it(kit, sent, after):
    """The programs that it has started are not, which a terminal's Ctrl-C would reach, and `kill`
    does not."""
    temporary = kit.parent / "tmp"
    temporary.mkdir()
    run = subprocess.Popen(
        ["sh", "setup.sh", "deploy"],
        cwd=str(kit),
        env=offline(kit, TMPDIR=str(temporary)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    run.send_signal(sent)
    run.wait(timeout=300)
    again = sh_setup(kit, "deploy", env=offline(kit))
    assert again.returncode == 0 and answer(kit) == b"42"
    assert list(temporary.iterdir()) == [] and list((kit / ".uv").iterdir()) == []


def test_an_image_s_environment_is_made_once_by_all_who_ask_at_once(tmp_path, monkeypatch):
    ran = []

    def slowly(what, *command, **variables):
        ran.append(what)
        time.sleep(0.1)

    monkeypatch.setattr(images, "ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr(images, "run", slowly)
    with ThreadPoolExecutor(4) as workers:
        asked = [
            workers.submit(
                images.environment,
                "2.6.2",
                "3.6",
                "tests/systems/environments/python-3.6.txt",
                "python3.6",
            )
            for _ in range(4)
        ]
    assert {each.result() for each in asked} == {str(tmp_path / "pynq-2.6.2-python-3.6/bin/python")}
    assert ran == ["making the environment"] + 3 * ["installing"]


def test_a_checkout_by_a_git_of_windows_settings_is_what_was_committed(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    subprocess.check_call(
        [
            "git",
            "-c",
            "core.autocrlf=true",
            "-c",
            "core.eol=crlf",
            "clone",
            "-q",
            str(ROOT),
            str(tmp_path / "kit"),
        ]
    )
    names = subprocess.check_output(
        ["git", "-C", str(ROOT), "ls-tree", "-r", "--name-only", "-z", "HEAD"]
    )
    for name in names.decode().split("\0")[:-1]:
        there = tmp_path / "kit" / name
        if not there.is_symlink() and there.is_file():
            assert there.read_bytes() == subprocess.check_output(
                ["git", "-C", str(ROOT), "show", "HEAD:" + name]
            ), name


def test_files_in_place_of_links_become_links(kit):
    """As git on Windows leaves them, or a downloaded zip."""
    for link in ("iop", "mb_src"):
        (kit / "notebooks" / link).unlink()
    (kit / "notebooks" / "iop").write_text("../iop")
    # no part is called so, and no environment is made
    run = sh_setup(kit, "links", env=offline(kit))
    assert run.returncode == 0 and run.stdout.count("the link that it should be") == 2
    assert all(
        os.readlink(str(kit / "notebooks" / link)) == "../" + link
        for link in ("iop", "bitstream", "mb_src")
    )


def test_a_file_system_without_links_says_so(kit):
    (kit / "notebooks" / "iop").unlink()
    (kit.parent / "bin").mkdir()
    (kit.parent / "bin" / "ln").symlink_to(shutil.which("false"))
    run = sh_setup(kit, "deploy", env=offline(kit))
    assert run.returncode == 1 and re.search(
        "notebooks/iop has to be a link to ../iop.*git clone", run.stdout
    )


def test_refuses_a_python_that_the_kit_does_not_work_on(kit):
    for script, says in (
        ("echo 3.9", "is Python 3.9, and the kit needs one from 3.10 to 3.14"),
        ("echo no libpython >&2; exit 1", "does not start: no libpython"),
    ):
        (kit.parent / "python").write_text(f"#!/bin/sh\n{script}\n")
        (kit.parent / "python").chmod(0o755)
        run = sh_setup(kit, env=dict(os.environ, PYTHON=str(kit.parent / "python")))
        assert run.returncode == 1 and says in run.stdout, run.stdout


def test_says_which_python_and_how_to_get_one(kit):
    """As on a system whose only Python is too old."""
    folder = programs(kit.parent)
    for program in ("sh", "dirname", "cat"):
        os.symlink(shutil.which(program), os.path.join(folder, program))
    (kit.parent / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (kit.parent / "bin" / "python3").chmod(0o755)
    run = sh_setup(kit, env={"PATH": folder})
    assert (
        run.returncode == 1 and "the kit needs Python 3.10, 3.11, 3.12, 3.13 or 3.14" in run.stdout
    )
    for system in ("Debian, Ubuntu", "Fedora", "macOS"):
        assert system in run.stdout
    assert not (kit / ".venv").exists()


def test_says_how_to_get_a_browser(kit):
    folder = programs(kit.parent, "qemu-system-microblaze")
    for program in ("sh", "dirname"):
        os.symlink(shutil.which(program), os.path.join(folder, program))
    run = sh_setup(kit, "browser", env={"PATH": folder, "PYTHON": sys.executable})
    assert run.returncode == 1 and "sudo apt-get install chromium libatomic1" in run.stdout


def test_a_pinned_package_that_was_changed_is_put_back(kit, monkeypatch):
    """And what the user has installed beside it stays."""
    assert sh_setup(kit, "deploy", env=offline(kit)).returncode == 0
    (packages,) = (kit / ".deploy" / "lib").glob("*/site-packages")
    (packages / "of_the_students_own-1.0.dist-info").mkdir()
    assert sh_setup(kit, "deploy", env=offline(kit)).stdout == ""
    (packages / "toy-1.0.dist-info").rename(packages / "toy-2.0.dist-info")
    (packages / "toy-2.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toy\nVersion: 2.0\n"
    )
    (kit / ".venv").symlink_to(".deploy")
    monkeypatch.setattr(doctor, "ROOT", str(kit))
    assert doctor.packages() == (
        False,
        "no longer has toy-1.0, which is pinned: `make lab` and `make test` put it back",
    )
    unreachable = sh_setup(
        kit, "deploy", env=offline(kit, UV_NO_CACHE="1") | {"PIP_FIND_LINKS": ""}
    )
    # and goes on with what is there
    assert unreachable.returncode == 0 and "toy was not found" in unreachable.stdout
    again = sh_setup(kit, "deploy", env=offline(kit))
    assert again.stdout == "setup: putting back into .deploy what is pinned: toy-1.0\n"
    assert answer(kit) == b"42" and (packages / "of_the_students_own-1.0.dist-info").exists()
    assert sh_setup(kit, "deploy", env=offline(kit)).stdout == ""


@pytest.mark.parametrize("folder", [".", "deploy", "deploy/hub", "tests/browser"])
def test_requirements_txt_is_what_requirements_in_asks_for(folder):
    """With every file's hash, for each Python."""
    written = (ROOT / folder / "requirements.txt").read_text()
    asked = re.findall(
        r"(?m)^([\w-]+)==([\w.]+)(?: ; python_version (.*))?$",
        (ROOT / folder / "requirements.in").read_text(),
    )
    assert asked
    for name, version, marker in asked:
        assert re.search(
            r"(?m)^{}=={}{}".format(
                name.lower().replace("_", "-"), re.escape(version), " ; " if marker else " "
            ),
            written,
        ), name
    for package in re.split(r"\n(?=[\w.-]+==)", written)[1:]:  # after the header
        assert "--hash=sha256:" in package, package


def kernel_says(source, folder, **more):
    """What a kernel of .venv that is started in a folder puts out for a cell."""
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            """
import json, nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[1])])
NotebookClient(notebook, timeout=300, allow_errors=True, resources={"metadata": {"path": sys.argv[2]}}).execute()
print(json.dumps([output.get("text") or output.get("evalue") or "" for output in notebook.cells[0].outputs]))
""",
            source,
            str(folder),
        ],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        timeout=500,
        env=dict(os.environ, **more),
    )
    return "".join(json.loads(run.stdout))


def test_a_kernel_has_a_board_whatever_its_users_settings_are(tmp_path):
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_kernel_config.py").write_text(
        "c = get_config(); c.IPKernelApp.exec_lines = ['mine = 5']; c.IPKernelApp.extensions = []"
    )
    said = kernel_says(
        "import pynq, checks; print(mine, pynq.Device.active_device.name)",
        tmp_path,
        IPYTHONDIR=str(tmp_path),
    )
    assert said == "5 virtual_board\n"


def test_a_kernel_in_another_folder_finds_the_overlay(tmp_path):
    said = kernel_says(
        "from pynq import"
        " Overlay\nprint(Overlay('./bitstream/pynq_tutorial.bit').iop1.mb_info['rst_name'])",
        tmp_path,
    )
    assert said == "mb_iop1_reset\n"
    assert "none.bit" in kernel_says(
        "from pynq import Overlay; Overlay('./bitstream/none.bit')", tmp_path
    )


def test_a_kernel_says_why_it_has_no_board(tmp_path):
    (tmp_path / "virtual_board.py").write_text(
        "def activate():\n    raise OSError('no memory for it')\n"
    )
    said = kernel_says("import pynq; pynq.Device.active_device", tmp_path, PYTHONPATH=str(tmp_path))
    assert re.search(
        f"virtual board did not come up .OSError: no memory for it.: `make doctor` in {ROOT}", said
    )
