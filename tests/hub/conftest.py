"""A class: the hub as docs/instructors.md has it started, and twenty users of this machine
(machine.sh)."""

import contextlib
import os
import pathlib
import pwd
import re
import secrets
import signal
import socket
import subprocess

import pytest
import requests
from student import Student

from helpers.waiting import soon

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

LOG = pathlib.Path("/tmp/hub.log")  # this machine is the test's own
STUDENTS = 20
# What a school writes, with free ports in place of its own
SCHOOLS_OWN = """
load_subconfig({root!r} + "/deploy/hub/jupyterhub_config.py")
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_port = {ports[1]}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
"""


def home_of(name):
    return pathlib.Path(pwd.getpwnam(name).pw_dir)


def processes_of(name):
    """{pid: command line} of a user's processes."""
    uid, found = pwd.getpwnam(name).pw_uid, {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if process.stat().st_uid == uid and words:  # one that has ended has none
                found[int(process.name)] = words
    return found


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def make_user(name, *options):
    """A user with a password, which is returned."""
    password = secrets.token_urlsafe()
    subprocess.run(["useradd", "-m", "-K", "HOME_MODE=0700", *options, name], check=True)
    subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
    return password


class Hub:
    """A running JupyterHub. address: of its front door; proxys_own: of its proxy's other one, for
    the hub; pid"""

    def __init__(self):
        ports = free_ports(3)
        own = pathlib.Path("/tmp/schools_own.py")
        own.write_text(SCHOOLS_OWN.format(root=str(ROOT), ports=ports))
        self.address, self.proxys_own = (f"http://127.0.0.1:{ports[n]}/" for n in (0, 2))
        with open(LOG, "w") as log:
            self.process = subprocess.Popen(
                [ROOT / ".hub/bin/jupyterhub", "-f", own],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self.process.pid
        if not soon(self.answers, 60):
            pytest.exit("the hub did not start:\n" + LOG.read_text(), 1)

    def answers(self):
        try:
            return requests.get(self.address + "hub/api", timeout=10, proxies={"http": ""}).ok
        except requests.ConnectionError:
            return False

    def end(self):
        """As with Ctrl-C: it ends the students' servers first."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


NAMES = [f"student-{number}" for number in range(STUDENTS)]
KILLED, DEEP, OWN_SETTINGS = range(3)  # the students who have these troubles


@pytest.fixture(scope="session")
def hub():
    hub = Hub()
    yield hub
    hub.end()
    # A server that is too slow to end is killed; its kernel sees that within seconds and ends.
    soon(lambda: not any(map(processes_of, NAMES)), 60)
    left = {name: processes_of(name) for name in NAMES if processes_of(name)}
    assert not left, f"the hub has ended, and these go on: {left}"
    private = [f"/tmp/pynq_tutorial-{pwd.getpwnam(name).pw_uid}" for name in NAMES]
    assert not list(filter(os.path.lexists, private))


@pytest.fixture(scope="session")
def students(hub):
    """They have not signed in."""
    subprocess.check_call(["groupadd", "pynq-students"])
    students = []
    for number, name in enumerate(NAMES):
        # a home in which a socket's path would be too long
        deep = ["-d", "/home/" + "d" * 80] if number == DEEP else []
        password = make_user(name, "-G", "pynq-students", *deep)
        students.append(Student(hub.address, name, password))
    settings = home_of(NAMES[OWN_SETTINGS]) / ".jupyter" / "jupyter_server_config.py"
    settings.parent.mkdir()
    settings.write_text("c.ServerApp.kernel_manager_class = 'no.such'")
    subprocess.check_call(["chown", "-R", NAMES[OWN_SETTINGS], str(settings.parent)])
    yield students
    for student in students:
        student.close()


def pytest_runtest_logreport(report):
    if report.failed and LOG.exists():
        dull = re.compile(r".*\[ConfigProxy\]|\[I |.*XSRF")
        said = [line for line in LOG.read_text().splitlines() if not dull.match(line)]
        report.sections.append(("the hub and the students' servers", "\n".join(said)[-6000:]))
