"""make install HOST=... and make classroom, against real SSH servers on loopback, one of which is
down."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from deploy import EDITION
from helpers.kit import ROOT, make
from helpers.waiting import soon

pytestmark = [pytest.mark.deploy, pytest.mark.usefixtures("nothing_is_left")]

# Nothing that is not the tutorial's may be left on a board, or here.
COPY = re.compile(r"pynq_tutorial-\w{10}")


def test_install_upgrade_and_uninstall_over_ssh(boards, ssh):
    board = boards[0]
    command = ("HOST=127.0.0.1", f"DESTDIR={board.root}", ssh(board))
    run = make("install", *command)
    assert run.returncode == 0 and f"edition {EDITION}; " in run.stdout, run.stdout
    assert (board.notebooks / "bitstream/pynq_tutorial.bit").exists()
    (board.notebooks / "iop/xlnk.py").write_text("a student's")
    assert "nothing to change" in make("install", *command).stdout
    run = make("uninstall", *command)
    assert (
        run.returncode == 0
        and "kept, because it is not as it was installed: iop/xlnk.py" in run.stdout
    ), run.stdout
    assert [path for path in board.notebooks.rglob("*") if path.is_file()] == [
        board.notebooks / "iop/xlnk.py"
    ]


def test_a_refusal_on_the_board_is_heard_here(boards, ssh):
    board = boards[0]
    run = make(
        "install",
        "HOST=127.0.0.1",
        f"DESTDIR={board.root}",
        "BASE_OVERLAY=/no such/base.bit",
        ssh(board),
    )
    assert run.returncode != 0 and "/no such/base.bit cannot be read" in run.stdout, run.stdout
    assert not board.notebooks.exists()


def test_paths_with_quotes_and_spaces(boards, servers, ssh):
    root = servers.folder / "o'ther 'root'"
    try:
        (root / "home").mkdir(parents=True)
        servers.own(root)
        base = boards[0].root / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base"
        base.rename(base.with_name("b'ase "))
        command = [f"DESTDIR={root}", f"BASE_OVERLAY={base.parent}/b'ase /base.bit"]
        run = make("install", "HOST=127.0.0.1", *command, ssh(boards[0]))
        assert run.returncode == 0 and " 0 removed" in run.stdout, run.stdout
        assert "nothing to change" in make("install", *command).stdout
    finally:
        shutil.rmtree(str(root))


@pytest.mark.parametrize("option", ["DESTDIR=root", "BASE_OVERLAY=~/base.bit"])
def test_a_path_on_the_board_is_a_whole_one(boards, ssh, option):
    run = make("install", "HOST=127.0.0.1", option, ssh(boards[0]))
    assert run.returncode != 0 and "give a path that begins with /" in run.stdout, run.stdout


def test_a_kit_that_cannot_be_read_is_not_installed_in_part(boards, ssh, tmp_path):
    board = boards[0]
    subprocess.run(
        [
            "sh",
            "-c",
            'sh "$0/deploy/pack.sh" | tar -x -z -C "$1"; rm -r "$1/mb_src"',
            str(ROOT),
            str(tmp_path),
        ],
        check=True,
    )
    program, client = ssh(board).split("=", 1)
    run = subprocess.run(
        ["sh", str(tmp_path / "deploy/over_ssh.sh"), "127.0.0.1", "--destdir", str(board.root)],
        env=dict(os.environ, **{program: client}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.returncode != 0 and not board.notebooks.exists()


def test_a_login_that_prints_a_greeting(boards, servers, ssh):
    """sshd runs this file at each login, and what it prints comes before what the command
    prints."""
    rc = servers.folder / "home/.ssh/rc"
    rc.parent.mkdir()
    rc.write_text("echo Welcome to your board; printf 'no end of line'")
    servers.own(rc.parent)
    try:
        run = make("install", "HOST=127.0.0.1", f"DESTDIR={boards[0].root}", ssh(boards[0]))
        assert run.returncode == 0 and f"edition {EDITION}; " in run.stdout, run.stdout
        assert (boards[0].notebooks / "bitstream/pynq_tutorial.bit").exists()
    finally:
        shutil.rmtree(str(rc.parent))


@pytest.fixture
def install(boards, ssh):
    """Starts an installation on a port of this machine, in a process group of its own."""

    def start(port, *options, **more):
        program, client = ssh(boards[0]).replace(f"-p {boards[0].port}", f"-p {port}").split("=", 1)
        return subprocess.Popen(
            ["sh", "deploy/over_ssh.sh", "127.0.0.1", "--destdir", str(boards[0].root), *options],
            cwd=str(ROOT),
            env={**os.environ, program: client, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            start_new_session=True,
        )

    return start


@pytest.fixture
def waits(boards, servers):
    """The options of an installer that waits for a base overlay, and a function that waits until it
    does."""
    base = boards[0].root / "base.bit"
    os.mkfifo(str(base))
    servers.own(base)
    ends = []

    def until():
        ends.append(soon(lambda: waiting_writer(base), 60))
        assert ends[0] is not None and copies()

    yield ("--base-overlay", str(base)), until
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_stays_on_a_board_when_it_is_cut_off(boards, install, waits, number):
    """Cut off while the installer runs."""
    before = set(Path("/tmp").glob("pynq_tutorial.*"))
    options, until_it_waits = waits
    run = install(boards[0].port, *options)
    until_it_waits()
    os.killpg(run.pid, number)
    run.communicate(timeout=300)
    assert soon(lambda: not copies(), 20), copies()
    if number == signal.SIGKILL:  # which leaves the archive on this PC
        for folder in set(Path("/tmp").glob("pynq_tutorial.*")) - before:
            shutil.rmtree(str(folder))
    assert not boards[0].notebooks.exists()


def test_a_board_that_falls_silent(boards, servers, ssh, install, waits):
    """As when its cable is pulled: the server's process for the connection is stopped."""
    options, until_it_waits = waits
    client = ssh(boards[0]).split("=", 1)[1] + " -o ServerAliveInterval=1"
    run = install(boards[0].port, *options, SSH=client)
    until_it_waits()
    (monitor,) = children(servers.processes[0].pid)
    (connection,) = children(monitor)
    os.kill(connection, signal.SIGSTOP)
    try:
        said = run.communicate(timeout=300)[0]
    finally:
        os.kill(connection, signal.SIGCONT)
    assert (
        run.returncode != 0
        and "the connection to xilinx@127.0.0.1 broke during the installation" in said
    ), said
    assert soon(lambda: not copies(), 20), copies()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def copies():
    return [name for name in os.listdir("/tmp") if COPY.match(name)]


def waiting_writer(fifo):
    """A pipe's other end, once somebody reads from it; None until then."""
    try:
        return os.open(str(fifo), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def only(folder, *programs):
    """A line of sshd_config, with which a board has these programs."""
    folder.mkdir()
    for program in ("sh", "mkdir", "head", "rm", "cat", *programs):
        (folder / program).symlink_to(shutil.which(program))
    return f"SetEnv PATH={folder}\n"


def with_tmp(servers, options):
    """A command that starts another, with an empty /tmp of its own."""
    folder = servers.folder
    return [
        "unshare",
        "-m",
        "sh",
        "-c",
        f"""
        mount --bind {folder} /mnt && mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp && mkdir {folder} &&
        mount --move /mnt {folder} && mount -o remount,{options} /tmp && exec "$@\"""",
        "sh",
    ]


@pytest.mark.parametrize(
    "board_has, said",
    [
        ({"tmp": "rw"}, "No space left on device"),
        ({"tmp": "ro"}, "Read-only file system"),
        ({"programs": ()}, "tar: not found"),
        ({"programs": ("tar",)}, "gzip: Cannot exec"),
        ({"shell": "/bin/false"}, "could not unpack the kit"),
        ({"shell": "/nowhere"}, "was not reached"),
    ],
)
def test_a_board_that_cannot_take_the_kit(boards, servers, install, board_has, said):
    if "tmp" in board_has and os.geteuid():
        pytest.skip("only root can mount a /tmp for it")
    port = servers.start(
        settings=(
            only(boards[0].root / "bin", *board_has["programs"]) if "programs" in board_has else ""
        ),
        shell=board_has.get("shell", "/bin/sh"),
        within=with_tmp(servers, board_has["tmp"]) if "tmp" in board_has else (),
    )
    heard = install(port).communicate(timeout=300)[0]
    last = heard.splitlines()[-1]
    assert said in heard and re.match(
        "pynq_tutorial: xilinx@127.0.0.1 .*othing was changed there", last
    ), heard
    assert len(heard.splitlines()) <= 4, heard


@pytest.mark.parametrize(
    "login, pressed", [("cat > /dev/null", True), ("yes a greeting that never ends", False)]
)
def test_a_board_that_hangs(servers, install, login, pressed):
    before = set(Path("/tmp").glob("pynq_tutorial.*"))
    run = install(servers.start(shell=login_shell(servers, login)))
    if pressed:  # Ctrl-C, once there is a connection
        assert soon(
            lambda: [
                path
                for folder in set(Path("/tmp").glob("pynq_tutorial.*")) - before
                for path in folder.iterdir()
                if path.is_socket()
            ],
            60,
        )
        os.killpg(run.pid, signal.SIGINT)
    said = run.communicate(timeout=300)[0]
    assert run.returncode == 130 if pressed else "has not taken the kit in 90 s" in said, said


def test_a_login_that_prints_megabytes_and_is_not_sh(boards, servers, install):
    tcsh = next((servers.folder / "root").glob("**/bin/tcsh"))
    login = login_shell(
        servers, f'yes | head -c 5000000; printf "no end of line"; exec {tcsh} "$@"'
    )
    said = install(servers.start(shell=login), "--no-answers").communicate(timeout=300)[0]
    assert f"edition {EDITION}; " in said and (boards[0].notebooks / "1_memory.ipynb").exists(), (
        said[-2000:]
    )


def login_shell(servers, commands):
    path = servers.folder / "login"
    path.write_text(f"#!/bin/sh\n{commands}\n")
    path.chmod(0o755)
    return path


def test_no_answers_over_ssh(boards, ssh):
    board = boards[0]
    run = make("install", "HOST=127.0.0.1", f"DESTDIR={board.root}", "ANSWERS=no", ssh(board))
    assert run.returncode == 0 and (board.notebooks / "1_memory.ipynb").exists(), run.stdout
    assert not (board.notebooks / "solutions").exists()


def test_a_board_that_does_not_answer(boards, ssh):
    run = make("install", "HOST=127.0.0.1", f"DESTDIR={boards[2].root}", ssh(boards[2]))
    assert run.returncode != 0 and "Connection refused" in run.stdout, run.stdout
    assert not boards[2].notebooks.exists()


def test_a_classroom_with_one_board_down(boards, classroom):
    run, recap = classroom()
    assert "Error 4" in run.stdout, run.stdout  # Ansible's number for boards that did not answer
    assert recap["three"]["unreachable"] == "1" and not boards[2].notebooks.exists()
    for name, board in zip(("one", "two"), boards):
        assert (recap[name]["changed"], recap[name]["failed"], recap[name]["unreachable"]) == (
            "1",
            "0",
            "0",
        ), run.stdout
        assert (board.notebooks / "bitstream/pynq_tutorial.bit").exists()
        assert f"{board.notebooks}: edition {EDITION}; " in run.stdout
    before = [board.files() for board in boards]
    run, recap = classroom()
    assert [recap[name]["changed"] for name in ("one", "two")] == ["0", "0"], run.stdout
    assert [board.files() for board in boards] == before
    run, recap = classroom("ANSIBLE=-e uninstall=true")
    assert not boards[0].notebooks.exists() and not boards[1].notebooks.exists(), run.stdout


def test_a_classroom_without_answers(boards, classroom):
    run, recap = classroom("ANSWERS=no")
    for board in boards[:2]:
        assert (board.notebooks / "1_memory.ipynb").exists() and not (
            board.notebooks / "solutions"
        ).exists(), run.stdout


@pytest.mark.parametrize(
    "inventory", ["", "boards:\n  hosts:\n", "boards: [\n", "others: {hosts: {one: }}\n"]
)
def test_an_inventory_without_boards(tmp_path, inventory):
    (tmp_path / "boards.yml").write_text(inventory)
    run = make("classroom", "BOARDS={}".format(tmp_path / "boards.yml"))
    assert (
        run.returncode != 0
        and "There is no board in the group `boards` of this inventory" in run.stdout
    ), run.stdout


def test_an_inventory_that_is_not_there():
    run = make("classroom", "BOARDS=/nowhere/boards.yml")
    assert (
        run.returncode != 0
        and "/nowhere/boards.yml is not there, and should list your boards" in run.stdout
    ), run.stdout


def test_all_boards_at_once(tmp_path):
    """Each installer waits for a base overlay that does not come: until all of them wait, more than
    Ansible's five."""
    overlays = [tmp_path / f"board{number}" / "base.bit" for number in range(8)]
    lines = ["boards:", "  vars: {ansible_connection: local}", "  hosts:"]
    for overlay in overlays:
        overlay.parent.mkdir()
        os.mkfifo(str(overlay))
        lines.append(
            f"    {overlay.parent.name}: {{destdir: {overlay.parent}, base_overlay: {overlay}}}"
        )
    (tmp_path / "boards.yml").write_text("\n".join(lines))
    run = subprocess.Popen(
        ["make", "classroom", "BOARDS={}".format(tmp_path / "boards.yml")],
        cwd=str(ROOT),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    waiting = {}

    def all_wait():
        for overlay in overlays:
            end = None if overlay in waiting else waiting_writer(overlay)
            if end is not None:
                waiting[overlay] = end
        return len(waiting) == len(overlays)

    try:
        assert soon(all_wait, 60), f"only {len(waiting)} at once"
    finally:
        while run.poll() is None:  # whoever waits still, or comes now, is told that nothing comes
            for overlay in overlays:
                end = waiting.pop(overlay, None) or waiting_writer(overlay)
                if end is not None:
                    os.close(end)
            time.sleep(0.1)


def test_each_board_that_fails_says_why(boards, servers, classroom, tmp_path):
    """One has no room, one hangs, and one is down."""
    if os.geteuid():
        pytest.skip("only root can mount a /tmp for a board")
    inventory = tmp_path / "boards.yml"
    for board, port in zip(
        boards,
        (
            servers.start(within=with_tmp(servers, "rw")),
            servers.start(shell=login_shell(servers, "cat > /dev/null")),
        ),
    ):
        inventory.write_text(inventory.read_text().replace(str(board.port), str(port)))
    run, recap = classroom()
    assert [recap[name]["failed"] for name in ("one", "two")] == ["1", "1"], run.stdout
    assert (
        "one was left as it was. Make a temporary folder on the board: OSError: [Errno 28] No space"
        " left" in run.stdout
    )
    assert re.search(
        "two was left as it was. Make a temporary folder on the board: .*expected time frame",
        run.stdout,
    ), run.stdout


def test_one_board_that_refuses_does_not_stop_the_others(boards, classroom):
    (boards[0].root / "usr/local/lib/python3.6/dist-packages/pynq/overlays/base/base.hwh").unlink()
    run, recap = classroom()
    assert recap["one"]["failed"] == "1" and "base.hwh cannot be read" in run.stdout
    assert (
        recap["two"]["changed"] == "1" and (boards[1].notebooks / "iop/pynq_tutorial.bin").exists()
    )
