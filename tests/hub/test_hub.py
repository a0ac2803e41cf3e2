"""Twenty students sign in at once and run notebook 2, each on a server and a virtual board of their
own; and then they try what they should not."""

import json
import pathlib
import pwd
import re
import statistics
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from student import Student

from conftest import DISK, KILLED, MEMORY, PROCESSES, ROOT, STUDENTS, make_user, processes_of, soon

LESSON = [
    cell
    for cell in json.loads((ROOT / "notebooks" / "2_iop_example.ipynb").read_text())["cells"]
    if cell["cell_type"] == "code"
]
# says the cell that shows the first buffer that the IOP has filled
FILLED = "State of buffer after IOP write"
SANITIZE = re.findall(
    "^regex: (.*)\nreplace: (.*)$",
    (ROOT / "tests" / "notebooks" / "sanitize.cfg").read_text(),
    re.M,
)
LONGEST = 10  # seconds until a cell's answer, whatever the others do


def together(work, people):
    """What `work` returns for each, who all do it at the same time."""
    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(work, people))


def shown(outputs):
    """What a cell prints, without what must differ, and of which kinds the rest is."""
    text = "".join(
        "".join(output["text"]) for output in outputs if output["output_type"] == "stream"
    )
    for regex, replace in SANITIZE:
        text = re.sub(regex, replace, text)
    return text, [
        sorted(output.get("data", [output["output_type"]]))
        for output in outputs
        if output["output_type"] != "stream"
    ]


def take_the_lesson(student):
    """Signs in, runs notebook 2 to its end, and returns the seconds until the first buffer was
    filled."""
    assert student.sign_in() == 200
    student.enter()
    student.kernel = student.start_kernel()
    for cell in LESSON:
        outputs, stored = student.kernel.execute("".join(cell["source"])), cell["outputs"]
        assert shown(outputs) == shown(stored), "{}, cell {}".format(student.name, cell["id"])
        if FILLED in "".join(cell["source"]):
            filled = time.monotonic() - student.signed_in
    return filled


def memory_mb(student):
    """What a student's processes use: pages that several use count in parts."""
    rollups = [
        pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes_of(student.name)
    ]
    return sum(int(re.search(r"^Pss: +(\d+)", rollup, re.M).group(1)) for rollup in rollups) / 1024


def test_all_sign_in_at_once_and_run_the_lesson(students):
    seconds = together(take_the_lesson, students)
    megabytes = [memory_mb(student) for student in students]
    print(
        f"\n{STUDENTS} students at once: from sign-in to the first filled buffer"
        f" {statistics.median(seconds):.0f} s (median), {max(seconds):.0f} s (worst); memory of a"
        f" student {statistics.median(megabytes):.0f} MB (median), {max(megabytes):.0f} MB (worst)"
    )
    for student in students:
        found = "\n".join(processes_of(student.name).values())
        assert (
            found.count("jupyterhub-singleuser")
            == found.count("ipykernel")
            == found.count("qemu-system")
            == 1
        ), found


def test_nobody_else_gets_in(hub, students):
    known = students[0].name
    subprocess.run(["chpasswd"], input="root:secret", text=True, check=True)
    for name, password in [
        ("visitor", make_user("visitor")),
        (known, "wrong"),
        ("nobody", ""),
        ("root", "secret"),
    ]:
        visitor = Student(hub.address, name, password)
        assert visitor.sign_in() == 403, name
        visitor.close()
    assert not processes_of("visitor")


# Ways to what is a student's, and what each gives. Where Linux or the hub refuses, that is an
# exception.
WAYS = """
import ctypes, glob, os, signal, socket, urllib.request
facts = {facts!r}
def read(path):
    with open(path, "rb") as file:
        return file.read(1) or path.startswith("/proc")
def connect(path):
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(5)
        to.connect(path)
        return True
def get(url):
    request = urllib.request.Request(url, headers={{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}})
    return urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request, timeout=30).read()
ways = [(open, path, "rb") for path in facts["memory"]] + [(read, path) for path in facts["files"]]
ways += [(os.listdir, path) for path in facts["folders"]] + [(connect, path) for path in facts["sockets"]]
ways += [(get, url) for url in facts["urls"]] + [(os.kill, pid, 0) for pid in facts["processes"]]
for way, *what in ways:
    try:
        result = way(*what)
    except Exception as error:
        print("refused", *what)
    else:
        print("got", *what)
"""


def ways_to(student):
    """What a student has, as root sees it."""
    home, pids = pathlib.Path(pwd.getpwnam(student.name).pw_dir), sorted(processes_of(student.name))
    files, memory = [], []
    for pid in pids:
        process = pathlib.Path("/proc", str(pid))
        files += [process / "environ", process / "maps"]
        memory += [process / "mem"] + [
            link for link in (process / "fd").iterdir() if "memfd:" in str(link.readlink())
        ]
    runtime = home / ".local/share/jupyter/runtime"
    sockets = [path for path in runtime.iterdir() if path.is_socket()]
    files += [path for path in runtime.iterdir() if path.is_file()] + [
        home / "pynq_tutorial" / "2_iop_example.ipynb"
    ]
    server = next(
        pid for pid, words in processes_of(student.name).items() if "jupyterhub-singleuser" in words
    )
    environment = dict(
        re.findall(r"(\w+)=([^\0]*)\0", pathlib.Path("/proc", str(server), "environ").read_text())
    )
    return {
        "files": list(map(str, files)),
        "memory": list(map(str, memory)),
        "sockets": list(map(str, sockets)),
        "folders": list(
            map(str, [home, home / "pynq_tutorial", runtime] + [f"/proc/{pid}/fd" for pid in pids])
        ),
        "processes": pids,
        "urls": [
            environment["JUPYTERHUB_SERVICE_URL"] + "api/contents",
            environment["JUPYTERHUB_API_URL"] + "/users/" + student.name,
        ],
    }


def tried(student, facts):
    lines = student.kernel.says(WAYS.format(facts=facts)).splitlines()
    return [line for line in lines if line.startswith("got ")], [
        line for line in lines if line.startswith("refused ")
    ]


def test_nobody_sees_what_is_anothers(hub, students):
    thief, other = students[-1], students[-2]
    facts = ways_to(other)
    # server, kernel, QEMU and its memory; ZeroMQ's
    assert len(facts["memory"]) >= 4 and len(facts["sockets"]) == 5, facts
    got, refused = tried(other, facts)
    assert not refused, "these ways lead nowhere even for their owner"
    got, refused = tried(thief, facts)
    assert not got
    assert thief.api("GET", "contents", home=other.home).status_code in (403, 404)
    # The hub's own
    state = pathlib.Path("/var/lib/jupyterhub")
    hubs = [str(path) for path in state.iterdir()] + [f"/proc/{hub.pid}/environ", "/etc/shadow"]
    assert {"jupyterhub.sqlite", "cookie_secret"} <= {path.name for path in state.iterdir()}
    got, refused = tried(
        thief,
        {
            "files": hubs,
            "memory": [f"/proc/{hub.pid}/mem"],
            "folders": [str(state)],
            "sockets": [],
            "processes": [hub.pid],
            "urls": [hub.proxys_own + "api/routes", hub.address + "hub/api/users"],
        },
    )
    assert not got


# What a student does to himself, and what has to come of it

HOG = """
import numpy as np
hog = []
while len(hog) < 24:  # 3 GB, if nothing keeps it from that
    hog.append(np.ones(1 << 24))
"""
FILL = """
import os
try:
    with open("big", "wb") as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    print(error.strerror)
"""
FORK = """
import subprocess
sleeping = []
try:
    while len(sleeping) < 1000:
        sleeping.append(subprocess.Popen(["sleep", "60"]))
except BlockingIOError as error:
    print(error.strerror)
for process in sleeping:
    process.kill()
    process.wait()
"""


def run_out_of_memory(student):
    outputs = student.kernel.execute(HOG)
    assert "MemoryError" in str(outputs)
    assert student.kernel.says("hog.clear(); print('still here')") == "still here"


def run_out_of_disk(student):
    assert student.kernel.says(FILL) == "No space left on device"
    assert student.api("PUT", "contents/notes.txt", json=NOTES).status_code == 500
    # IPython may have something to say of its history, too.
    assert student.kernel.says("os.remove('big'); print('room again')").endswith("room again")
    assert student.api("PUT", "contents/notes.txt", json=NOTES).ok


def run_out_of_processes(student):
    assert student.kernel.says(FORK) == "Resource temporarily unavailable"


def be_killed(student):
    """Every process of the student's. After signing in again, the student finds the work, and a new
    server."""
    assert student.api("PUT", "contents/notes.txt", json=NOTES).ok
    student.kernel.close()
    subprocess.run(["pkill", "-KILL", "-u", student.name], check=True)
    student.close()

    def in_again():
        again = Student(student.hub[: -len("hub/")], student.name, student.password)
        assert again.sign_in() in (200, 503)
        try:
            again.enter()
            return again
        except (AssertionError, OSError):
            again.close()

    again = soon(in_again, 60)  # the hub looks every 10 s whether a server is there
    assert again.api("GET", "contents/notes.txt").json()["content"] == NOTES["content"]
    again.kernel = again.start_kernel()
    assert (
        again.kernel.says("import virtual_board; print(virtual_board.activate().is_open())")
        == "True"
    )
    again.kernel.close()
    again.close()


NOTES = {"type": "file", "format": "text", "content": "what a student has written"}
TROUBLES = {
    MEMORY: run_out_of_memory,
    DISK: run_out_of_disk,
    PROCESSES: run_out_of_processes,
    KILLED: be_killed,
}


def test_the_others_do_not_notice(students):
    over, waited = threading.Event(), []

    def go_on(student):
        """A request to the IOP and a saved file, again and again. The kernel has to be the one that
        the lesson ran in."""
        student.kernel.says("buffer = xlnk.cma_array(shape=(10,), dtype=np.int32)")
        rounds = 0
        while not over.wait(0.5):
            rounds += 1
            begun = time.monotonic()
            assert student.kernel.says(
                f"iop.write_to_buffer(buffer, 10, {rounds}); print(buffer[9])"
            ) == str(rounds + 9)
            waited.append(time.monotonic() - begun)
            answer = student.api("PUT", "contents/notes.txt", json=NOTES)
            assert answer.ok, f"{student.name}: {answer.text}"
        return rounds

    with ThreadPoolExecutor(STUDENTS) as pool:
        others = [
            pool.submit(go_on, student)
            for number, student in enumerate(students)
            if number not in TROUBLES
        ]
        try:
            for trouble in [
                pool.submit(trouble, students[number]) for number, trouble in TROUBLES.items()
            ]:
                trouble.result()
        finally:
            over.set()
        rounds = [other.result() for other in others]
    print(
        f"\nmeanwhile {len(rounds)} others had {min(rounds)} to {max(rounds)} requests answered"
        f" each, the slowest after {max(waited):.1f} s"
    )
    assert min(rounds) >= 5 and max(waited) < LONGEST


CELL = """
from pynq import Overlay
from iop import cells
cells.install()
overlay = Overlay("./bitstream/pynq_tutorial.bit")
get_ipython().run_cell_magic("microblaze", "overlay.iop1", "int add(int a, int b) { return a + b; }")
print(add(40, 2))
"""


@pytest.mark.skipif(
    not list(pathlib.Path("/var/cache/pynq-tutorial").glob("mb-g++-*")),
    reason="make compiler was not called",
)
def test_cells_of_c_by_two_students(students):
    assert together(lambda student: student.kernel.says(CELL), students[-2:]) == ["42", "42"]
    # One after the other, too: neither has left the other something in its way.
    assert students[-1].kernel.says(CELL) == "42"


def test_a_kit_that_students_may_not_read_is_refused():
    """As a clone made with umask 077, or a Python in /root."""
    secret = ROOT / "iop" / "cells.py"
    mode = secret.stat().st_mode
    secret.chmod(0o600)
    try:
        run = subprocess.run(
            [ROOT / ".hub/bin/jupyterhub", "-f", ROOT / "deploy/hub/jupyterhub_config.py"],
            timeout=100,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        secret.chmod(mode)
    assert run.returncode and run.stdout.splitlines()[-1].startswith(
        f"Students may not read all of the kit ({secret})"
    )
