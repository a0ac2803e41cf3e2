"""The user's own settings for the programs that the kit calls: those that say how a board is
reached are obeyed, and those that would make a program do something else are shut out."""

import os
import subprocess

import pytest

from helpers import checkout
from helpers.kit import ROOT, make

pytestmark = [pytest.mark.deploy, pytest.mark.usefixtures("nothing_is_left")]

SHELL = {
    "BASH_ENV": "/nowhere/bash_env",
    "BASH_FUNC_tar%%": "() { echo a function; }",
    "ENV": "/nowhere/env",
    "POSIXLY_CORRECT": "1",
    "TAR_OPTIONS": "--nonsense",
    "GZIP": "--nonsense",
    "GREP_OPTIONS": "--invert-match",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "/nowhere/startup",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "GIT_DIR": "/nowhere/.git",
    "GIT_INDEX_FILE": "/nowhere/index",
}
# Of the user's own, for other programs
OTHERS = {
    name: "/nowhere/other"
    for name in (
        "HOST",
        "DESTDIR",
        "BASE_OVERLAY",
        "BOARDS",
        "DIR",
        "ONLY",
        "ANSIBLE",
        "LAB",
        "BUILD",
        "VENV",
    )
}
SSH = """
Host *
    User somebody
    RemoteCommand tmux attach
    RequestTTY force
    LogLevel DEBUG
    ControlMaster auto
    ControlPath {folder}/%C
    ControlPersist 10m
    PermitLocalCommand yes
    LocalCommand cat; touch {folder}/local
    LocalForward {port} 127.0.0.1:{port}
    ExitOnForwardFailure yes
    SendEnv LANG LC_*
"""
ANSIBLE = {
    "ANSIBLE_STDOUT_CALLBACK": "json",
    "ANSIBLE_STRATEGY": "nonsense",
    "ANSIBLE_REMOTE_TMP": "/proc/nowhere",
    "ANSIBLE_LOG_PATH": "/nowhere/log",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/nowhere/vault",
    "ANSIBLE_BECOME": "true",
    "ANSIBLE_FORKS": "1",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_SSH_ARGS": "-o nonsense",
    "ANSIBLE_PYTHON_INTERPRETER": "/nowhere/python",
    "ANSIBLE_SSH_CONTROL_PATH_DIR": "/tmp/" + 100 * "x",
    "ANSIBLE_CONFIG": "/nowhere/ansible.cfg",
}
ANSIBLE_CFG = """
[defaults]
stdout_callback = nonsense
vault_password_file = /nowhere/vault
strategy = nonsense
become = true
"""


def installed(board):
    return (board.notebooks / "bitstream/pynq_tutorial.bit").exists()


@pytest.fixture
def kit(tmp_path):
    """A checkout in a folder of an awkward name, with this one's Ansible."""
    folder = tmp_path / "Ada's kit"
    checkout.copy(ROOT, folder)
    (folder / ".deploy").symlink_to(ROOT / ".deploy")
    return folder


@pytest.mark.parametrize("tmpdir", ["/nowhere", "/proc", "x" * 100, "with a space"])
def test_variables_of_a_shell(boards, ssh, tmp_path, tmpdir):
    folder = tmp_path / tmpdir
    if not folder.exists():
        folder.mkdir()
    (tmp_path / "deploy").mkdir()
    run = make(
        "install",
        "HOST=127.0.0.1",
        f"DESTDIR={boards[0].root}",
        ssh(boards[0]),
        **SHELL,
        **OTHERS,
        CDPATH=f".:{tmp_path}",
        TMPDIR=str(folder),
        PYTHONPATH=str(tmp_path),
    )
    assert run.returncode == 0 and installed(boards[0]), run.stdout
    assert len(run.stdout.splitlines()) == 1, run.stdout


def test_variables_that_a_command_also_has():
    run = make("--dry-run", "install", **OTHERS)
    assert run.stdout.split() == ["python3", "-m", "deploy.install"]
    assert "collected" in make("--dry-run", "report", **OTHERS).stdout


def test_options_of_make(boards, ssh):
    run = make(
        "install",
        "HOST=127.0.0.1",
        f"DESTDIR={boards[0].root}",
        ssh(boards[0]),
        MAKEFLAGS="rkj4 --warn-undefined-variables",
    )
    assert run.returncode == 0 and installed(boards[0]), run.stdout
    assert len(run.stdout.splitlines()) == 1, run.stdout


def test_a_users_ssh_config(boards, servers, ssh, classroom):
    config = servers.folder / "ssh_config"
    before = config.read_text()
    config.write_text(SSH.format(folder=servers.folder, port=boards[1].port) + before)
    try:
        run = make("install", "HOST=127.0.0.1", f"DESTDIR={boards[0].root}", ssh(boards[0]))
        assert run.returncode == 0 and installed(boards[0]), run.stdout
        run, recap = classroom()
        assert recap["one"]["failed"] == recap["two"]["failed"] == "0", run.stdout
        assert installed(boards[1]), run.stdout
    finally:
        config.write_text(before)
    assert not (servers.folder / "local").exists()
    assert not [path for path in servers.folder.iterdir() if path.is_socket()]


def test_a_users_settings_of_ansible(boards, servers, classroom, tmp_path):
    home = tmp_path / "a home"
    home.mkdir()
    (home / ".ansible.cfg").write_text(ANSIBLE_CFG)
    run, recap = classroom(
        **SHELL, **OTHERS, **ANSIBLE, CDPATH=f".:{tmp_path}", TMPDIR="/nowhere", HOME=str(home)
    )
    for board, name in zip(boards, ("one", "two")):
        assert recap[name]["failed"] == "0" and installed(board), run.stdout
    assert os.listdir(str(home)) == [".ansible.cfg"]


def test_a_key_from_a_variable_of_ansible(boards, servers, classroom):
    config = servers.folder / "ssh_config"
    before = config.read_text()
    config.write_text(before.replace("IdentityFile", "# IdentityFile"))
    try:
        run, recap = classroom()
        assert recap["one"]["unreachable"] == "1", run.stdout
        run, recap = classroom(ANSIBLE_PRIVATE_KEY_FILE=f"{servers.folder}/key")
        assert recap["one"]["failed"] == recap["one"]["unreachable"] == "0", run.stdout
    finally:
        config.write_text(before)


def test_a_kit_and_an_inventory_with_awkward_names(boards, classroom, kit, tmp_path):
    inventory = tmp_path / "Ada's boards, room 5.yml"
    (tmp_path / "boards.yml").rename(inventory)
    run, recap = classroom(f"BOARDS={inventory}", "SETUP=@:", cwd=str(kit))
    assert recap["one"]["failed"] == "0" and installed(boards[0]), run.stdout


def test_a_kit_of_a_private_umask(boards, ssh, classroom, kit):
    for path in kit.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
            if path.name != "Makefile":
                os.utime(str(path), (4e9, 4e9))  # as seen by a board, whose clock is behind
    run = make(
        "install", "HOST=127.0.0.1", f"DESTDIR={boards[0].root}", ssh(boards[0]), cwd=str(kit)
    )
    assert run.returncode == 0 and installed(boards[0]), run.stdout
    assert len(run.stdout.splitlines()) == 1, run.stdout
    run, recap = classroom("SETUP=@:", cwd=str(kit))
    assert recap["two"]["failed"] == "0" and installed(boards[1]), run.stdout
    for board in boards[:2]:
        for path in board.notebooks.rglob("*"):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_the_list_of_an_edition_is_this_kits(kit, tmp_path):
    def git(*words):
        subprocess.run(["git", *words], cwd=str(kit), check=True, stdout=subprocess.DEVNULL)

    edition = kit / "deploy/edition.txt"
    files = sorted([*edition.read_text().splitlines(), "iop/ü.py"])
    git("init", "-q", str(tmp_path / "other"))
    git("init", "-q")
    git("config", "core.quotePath", "true")
    (kit / "iop/ü.py").write_text("")
    git("add", "--all")
    run = make(
        "edition", cwd=str(kit), GIT_DIR=str(tmp_path / "other/.git"), GIT_WORK_TREE=str(tmp_path)
    )
    assert run.returncode == 0 and edition.read_text().splitlines() == files, run.stdout
    (kit / ".git/HEAD").write_text("")  # now git knows nothing of these files
    run = make("edition", cwd=str(kit))
    assert run.returncode != 0 and edition.read_text().splitlines() == files, run.stdout
