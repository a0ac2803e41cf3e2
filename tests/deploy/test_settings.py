"""The user's own settings for the programs that the kit calls: those that say how a board is
reached are obeyed, and those that would make a program do something else are shut out."""

import os
import subprocess

import pytest

from helpers.kit import make

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
NAMES = "HOST DESTDIR BASE_OVERLAY BOARDS DIR ONLY ANSIBLE LAB BUILD VENV".split()
OTHERS = dict.fromkeys(NAMES, "/nowhere/other")
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


@pytest.mark.parametrize("tmpdir", ["/nowhere", "/proc", "with a space " + "x" * 100])
def test_variables_of_a_shell_and_options_of_make(boards, install, tmp_path, tmpdir):
    folder = tmp_path / tmpdir
    if not folder.exists():
        folder.mkdir()
    (tmp_path / "deploy").mkdir()
    mine = {"CDPATH": f".:{tmp_path}", "TMPDIR": str(folder), "PYTHONPATH": str(tmp_path)}
    flags = "rkj4 --warn-undefined-variables"
    run = install(**SHELL, **OTHERS, **mine, MAKEFLAGS=flags)
    assert run.returncode == 0 and boards[0].has_edition(), run.stdout
    assert len(run.stdout.splitlines()) == 1, run.stdout


def test_variables_that_a_command_also_has():
    run = make("--dry-run", "install", **OTHERS)
    assert run.stdout.split() == ["python3", "-m", "deploy.install"]
    assert "collected" in make("--dry-run", "report", **OTHERS).stdout


def test_a_users_ssh_config(boards, servers, install, classroom):
    config = servers.folder / "ssh_config"
    before = config.read_text()
    config.write_text(SSH.format(folder=servers.folder, port=boards[1].port) + before)
    try:
        run = install()
        assert run.returncode == 0 and boards[0].has_edition(), run.stdout
        run, recap = classroom()
        assert recap["one"]["failed"] == recap["two"]["failed"] == "0", run.stdout
        assert boards[1].has_edition(), run.stdout
    finally:
        config.write_text(before)
    assert not (servers.folder / "local").exists()
    assert not [path for path in servers.folder.iterdir() if path.is_socket()]


def test_a_users_settings_of_ansible(boards, servers, classroom, tmp_path):
    """One of them, the key, says how boards are reached."""
    config, home = servers.folder / "ssh_config", tmp_path / "a home"
    home.mkdir()
    (home / ".ansible.cfg").write_text(ANSIBLE_CFG)
    before = config.read_text()
    config.write_text(before.replace("IdentityFile", "# IdentityFile"))
    own = {"CDPATH": f".:{tmp_path}", "TMPDIR": "/nowhere", "HOME": str(home)}
    key = {"ANSIBLE_PRIVATE_KEY_FILE": f"{servers.folder}/key"}
    try:
        run, recap = classroom(**SHELL, **OTHERS, **ANSIBLE, **own, **key)
    finally:
        config.write_text(before)
    for board, name in zip(boards, ("one", "two")):
        assert recap[name]["failed"] == "0" and board.has_edition(), run.stdout
    assert os.listdir(str(home)) == [".ansible.cfg"]


def test_a_kit_of_an_awkward_name_and_a_private_umask(boards, install, classroom, kit):
    for path in kit.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
            if path.name != "Makefile":
                os.utime(str(path), (4e9, 4e9))  # as seen by a board, whose clock is behind
    run = install(cwd=str(kit))
    assert run.returncode == 0 and boards[0].has_edition(), run.stdout
    assert len(run.stdout.splitlines()) == 1, run.stdout
    run, recap = classroom("SETUP=@:", inventory="Ada's boards, room 5.yml", cwd=str(kit))
    assert recap["two"]["failed"] == "0" and boards[1].has_edition(), run.stdout
    for board in boards[:2]:
        for path in board.notebooks.rglob("*"):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_the_list_of_an_edition_is_this_kits(kit, tmp_path):
    edition = kit / "deploy/edition.txt"
    files = sorted([*edition.read_text().splitlines(), "iop/ü.py"])
    (kit / "iop/ü.py").write_text("")
    git = 'git init -q "$0"; git init -q; git config core.quotePath true; git add --all'
    subprocess.run(["sh", "-ec", git, str(tmp_path / "other")], cwd=str(kit), check=True)
    other = {"GIT_DIR": str(tmp_path / "other/.git"), "GIT_WORK_TREE": str(tmp_path)}
    run = make("edition", cwd=str(kit), **other)
    assert run.returncode == 0 and edition.read_text().splitlines() == files, run.stdout
    (kit / ".git/HEAD").write_text("")  # now git knows nothing of these files
    run = make("edition", cwd=str(kit))
    assert run.returncode != 0 and edition.read_text().splitlines() == files, run.stdout
