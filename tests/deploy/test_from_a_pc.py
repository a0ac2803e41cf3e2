"""make install HOST=... and make classroom, against real SSH servers on loopback, one of which is
down."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from deploy import EDITION
from helpers import checkout
from helpers.kit import ROOT, make, run_program
from helpers.programs import programs
from helpers.waiting import soon

pytestmark = [pytest.mark.deploy, pytest.mark.usefixtures("nothing_is_left")]

BASE = "usr/local/lib/python3.6/dist-packages/pynq/overlays/base"


def test_install_upgrade_and_uninstall_over_ssh(boards, servers, install):
    """sshd runs a file at each login, and what that prints comes before what the command prints."""
    board, rc = boards[0], servers.folder / "home/.ssh/rc"
    rc.parent.mkdir()
    rc.write_text("echo Welcome to your board; printf 'no end of line'")
    servers.own(rc.parent)
    try:
        run = install("ANSWERS=no")
        assert run.returncode == 0 and f"edition {EDITION}; " in run.stdout, run.stdout
        assert board.has_edition() and not (board.notebooks / "solutions").exists()
    finally:
        shutil.rmtree(str(rc.parent))
    (board.notebooks / "iop/xlnk.py").write_text("a student's")
    assert "nothing to change" in install("ANSWERS=no").stdout
    run = install(command="uninstall")
    kept = "kept, because it is not as it was installed: iop/xlnk.py"
    assert run.returncode == 0 and kept in run.stdout, run.stdout
    files = [path for path in board.notebooks.rglob("*") if path.is_file()]
    assert files == [board.notebooks / "iop/xlnk.py"]


def test_paths_with_quotes_and_spaces(boards, servers, install):
    root, base = servers.folder / "o'ther 'root'", boards[0].root / BASE
    try:
        (root / "home").mkdir(parents=True)
        servers.own(root)
        base.rename(base.with_name("b'ase "))
        options = [f"DESTDIR={root}", f"BASE_OVERLAY={base.parent}/b'ase /base.bit"]
        run = install(*options)
        assert run.returncode == 0 and " 0 removed" in run.stdout, run.stdout
        # This Python may be another one than the board's, and notebooks name the one that installs.
        again = make("install", *options).stdout
        assert re.search(r"nothing to change|; 0 files new, 19 replaced, 0 removed\.", again), again
    finally:
        shutil.rmtree(str(root))


@pytest.mark.parametrize(
    "number, option, said",
    [
        (0, "BASE_OVERLAY=/no such/base.bit", "/no such/base.bit cannot be read"),
        (0, "DESTDIR=root", "root is on the board: give a path that begins with /"),
        (0, "BASE_OVERLAY=~/base.bit", "give a path that begins with /"),
        (0, "SSH=/nowhere/ssh", "/nowhere/ssh, which reaches the board, is not here"),
        (2, "ANSWERS=yes", "Connection refused"),
    ],
)
def test_what_is_refused_changes_nothing(boards, install, number, option, said):
    before = boards[number].files()
    run = install(option, board=boards[number])
    assert run.returncode != 0 and said in run.stdout, run.stdout
    assert boards[number].files() == before


@pytest.fixture
def start(boards, ssh):
    """Starts an installation on a port of this machine, in a process group of its own."""

    def start(port, *options, kit=ROOT, more=""):
        client = ssh(boards[0]).split("=", 1)[1].replace(f"-p {boards[0].port}", f"-p {port}")
        return subprocess.Popen(
            ["sh", "deploy/over_ssh.sh", "127.0.0.1", "--destdir", str(boards[0].root), *options],
            cwd=str(kit),
            env={**os.environ, "SSH": client + more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def test_a_kit_that_cannot_be_read_is_not_installed_in_part(boards, start, tmp_path):
    checkout.copy(ROOT, tmp_path)
    (tmp_path / "mb_src/mailbox.h").unlink()
    run = start(boards[0].port, kit=tmp_path)
    assert "could not pack the kit, so nothing was changed" in run.communicate(timeout=300)[0]
    assert run.returncode and not boards[0].notebooks.exists()


def copies():
    return [name for name in os.listdir("/tmp") if re.match(r"pynq_tutorial-\w{10}", name)]


def waiting_writer(fifo):
    """A pipe's other end, once somebody reads from it; None until then."""
    try:
        return os.open(str(fifo), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


@pytest.fixture
def waits(boards, servers, start):
    """Starts an installation whose installer waits for a base overlay, and waits until it does."""
    base, ends = boards[0].root / "base.bit", []
    os.mkfifo(str(base))
    servers.own(base)

    def waits(**more):
        run = start(boards[0].port, "--base-overlay", str(base), **more)
        ends.append(soon(lambda: waiting_writer(base), 300))
        assert ends[0] is not None and copies()
        return run

    yield waits
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_nothing_stays_on_a_board_when_it_is_cut_off(boards, waits, number):
    """Cut off while the installer runs."""
    before = set(Path("/tmp").glob("pynq_tutorial.*"))
    run = waits()
    os.killpg(run.pid, number)
    run.communicate(timeout=300)
    assert soon(lambda: not copies()), copies()
    if number == signal.SIGKILL:  # which leaves the archive on this PC
        for folder in set(Path("/tmp").glob("pynq_tutorial.*")) - before:
            shutil.rmtree(str(folder))
    assert not boards[0].notebooks.exists()


def test_a_board_that_falls_silent(servers, waits):
    """As when its cable is pulled: the server's process for the connection is stopped."""
    run = waits(more=" -o ServerAliveInterval=1")
    connection = servers.processes[0].pid
    for _ in "the one that listens", "the one that is root's":
        connection = Path(f"/proc/{connection}/task/{connection}/children").read_text().strip()
    os.kill(int(connection), signal.SIGSTOP)
    try:
        said = run.communicate(timeout=300)[0]
    finally:
        os.kill(int(connection), signal.SIGCONT)
    reason = "the connection to xilinx@127.0.0.1 broke during the installation"
    assert run.returncode != 0 and reason in said, said
    assert soon(lambda: not copies()), copies()


def only(folder, *names):
    """A line of sshd_config, with which a board has these programs."""
    return f"SetEnv PATH={programs(folder, 'sh', 'mkdir', 'head', 'rm', 'cat', *names)}\n"


def with_tmp(servers, options):
    """A command that starts another, with an empty /tmp of its own."""
    if os.geteuid():
        pytest.skip("only root can mount a /tmp for a board")
    folder = servers.folder
    script = f"""
        mount --bind {folder} /mnt && mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp
        mkdir {folder} && mount --move /mnt {folder} && mount -o remount,{options} /tmp
        exec "$@\""""
    return ["unshare", "-m", "sh", "-c", script, "sh"]


def login_shell(servers, commands):
    name = f"login.{len(servers.processes)}"
    programs(servers.folder, **{name: commands})
    return servers.folder / name


@pytest.mark.parametrize(
    "tmp, names, shell, said",
    [
        ("rw", None, "/bin/sh", "No space left on device"),
        ("ro", None, "/bin/sh", "Read-only file system"),
        (None, (), "/bin/sh", "tar: not found"),
        (None, ("tar",), "/bin/sh", "gzip: Cannot exec"),
        (None, None, "/bin/false", "could not unpack the kit"),
        (None, None, "/nowhere", "was not reached"),
    ],
)
def test_a_board_that_cannot_take_the_kit(boards, servers, start, tmp, names, shell, said):
    settings = "" if names is None else only(boards[0].root / "bin", *names)
    within = with_tmp(servers, tmp) if tmp else ()
    port = servers.start(settings=settings, shell=shell, within=within)
    heard = start(port).communicate(timeout=300)[0]
    last = "pynq_tutorial: xilinx@127.0.0.1 .*othing was changed there"
    assert said in heard and re.match(last, heard.splitlines()[-1]), heard
    assert len(heard.splitlines()) <= 4, heard


def test_ctrl_c_while_a_board_hangs(servers, start):
    before = set(Path("/tmp").glob("pynq_tutorial.*/s"))
    run = start(servers.start(shell=login_shell(servers, "cat > /dev/null")))
    connected = soon(lambda: set(Path("/tmp").glob("pynq_tutorial.*/s")) - before)
    assert connected
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=300)
    assert run.returncode == 130


def test_a_login_that_prints_megabytes_and_is_not_sh(boards, servers, start):
    tcsh = next((servers.folder / "root").glob("**/bin/tcsh"))
    login = f'yes | head -c 5000000; printf "no end of line"; exec {tcsh} "$@"'
    run = start(servers.start(shell=login_shell(servers, login)), "--no-answers")
    said = run.communicate(timeout=300)[0]
    assert f"edition {EDITION}; " in said and boards[0].has_edition(), said[-2000:]


def test_a_classroom_with_one_board_down(boards, classroom):
    """And with one that refuses at first."""
    hwh = boards[0].root / BASE / "base.hwh"
    hwh.rename(hwh.with_suffix(".away"))
    run, recap = classroom("ANSWERS=no")
    assert recap["one"]["failed"] == "1" and "base.hwh cannot be read" in run.stdout
    assert recap["three"]["unreachable"] == "1" and not boards[2].notebooks.exists()
    assert recap["two"]["changed"] == "1" and recap["two"]["failed"] == "0", run.stdout
    assert boards[1].has_edition() and not (boards[1].notebooks / "solutions").exists()
    assert f"{boards[1].notebooks}: edition {EDITION}; " in run.stdout
    hwh.with_suffix(".away").rename(hwh)
    for changed in "1", "0":
        run, recap = classroom()
        assert [recap[name]["changed"] for name in ("one", "two")] == [changed] * 2, run.stdout
        assert "Error 4" in run.stdout  # Ansible's number for boards that did not answer
    assert (boards[1].notebooks / "solutions").exists()
    run, recap = classroom("ANSIBLE=-e uninstall=true")
    assert not boards[0].notebooks.exists() and not boards[1].notebooks.exists(), run.stdout


NO_BOARD = "There is no board in the group `boards` of this inventory"


@pytest.mark.parametrize(
    "inventory, said",
    [
        ("boards:\n  hosts:\n", NO_BOARD),
        ("boards: [\n", NO_BOARD),  # which cannot be read
        ("others: {hosts: {one: }}\n", NO_BOARD),
        (None, "is not there, and should list your boards"),
    ],
)
def test_an_inventory_without_boards(tmp_path, inventory, said):
    path = tmp_path / "boards.yml"
    if inventory:
        path.write_text(inventory)
    run = make("classroom", f"BOARDS={path}")
    assert run.returncode != 0 and said in run.stdout, run.stdout


def test_all_boards_of_a_classroom_at_once():
    """Ansible's own default is five."""
    settings = {"ANSIBLE_CONFIG": "deploy/ansible.cfg", "LC_ALL": "C.UTF-8"}
    run = run_program(".deploy/bin/ansible-config", "dump", "--only-changed", **settings)
    assert "DEFAULT_FORKS(" in run.stdout and ") = 100\n" in run.stdout, run.stdout


def test_each_board_that_fails_says_why(boards, servers, start, classroom, kit):
    """One has no room, one hangs, and one is down. Meanwhile, an installation on a board that
    prints without end is given up."""
    endless = start(servers.start(shell=login_shell(servers, "yes a greeting that never ends")))
    boards[0].port = servers.start(within=with_tmp(servers, "rw"))
    boards[1].port = servers.start(shell=login_shell(servers, "cat > /dev/null"))
    settings = kit / "deploy/ansible.cfg"
    assert "task_timeout = 180" in settings.read_text()
    settings.write_text(settings.read_text().replace("task_timeout = 180", "task_timeout = 60"))
    run, recap = classroom("SETUP=@:", cwd=str(kit))
    assert [recap[name]["failed"] for name in ("one", "two")] == ["1", "1"], run.stdout
    task = "was left as it was. Make a temporary folder on the board: "
    assert f"one {task}OSError: [Errno 28] No space left" in run.stdout
    assert re.search(f"two {task}.*expected time frame", run.stdout), run.stdout
    said = endless.communicate(timeout=300)[0]
    assert endless.returncode == 1 and "has not taken the kit in 90 s" in said, said
