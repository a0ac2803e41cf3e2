"""Twenty students sign in at once and run notebook 2, each on a server and a virtual board of their
own; and then they try what they should not."""

import json
import pathlib
import re
import statistics
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from student import Student

from conftest import (
    DISK,
    KILLED,
    MEMORY,
    PROCESSES,
    ROOT,
    STUDENTS,
    home_of,
    make_user,
    processes_of,
    soon,
)

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
PROGRAMS = pathlib.Path(__file__).with_name("programs")
LONGEST = 10  # seconds until a cell's answer, whatever the others do


def together(work, people):
    """What `work` returns for each, who all do it at the same time."""
    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(work, people))


def shown(outputs):
    """What a cell prints, without what must differ, and of which kinds the rest is."""
    texts = ["".join(output["text"]) for output in outputs if output["output_type"] == "stream"]
    text = "".join(texts)
    for regex, replace in SANITIZE:
        text = re.sub(regex, replace, text)
    others = [output for output in outputs if output["output_type"] != "stream"]
    return text, [sorted(output.get("data", [output["output_type"]])) for output in others]


def take_the_lesson(student):
    """Signs in, runs notebook 2 to its end, and returns the seconds until the first buffer was
    filled."""
    assert student.sign_in() == 200
    student.enter()
    student.kernel = student.start_kernel()
    for cell in LESSON:
        outputs = student.kernel.execute("".join(cell["source"]))
        assert shown(outputs) == shown(cell["outputs"]), f"{student.name}, cell {cell['id']}"
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
    for what, unit, numbers in (
        ("from sign-in to the first filled buffer", "s", seconds),
        ("memory of a student", "MB", [memory_mb(student) for student in students]),
    ):
        print(f"\n{what}: {statistics.median(numbers):.0f} {unit}, {max(numbers):.0f} at most")
    for student in students:
        found = "\n".join(processes_of(student.name).values())
        for program in "jupyterhub-singleuser", "ipykernel", "qemu-system":
            assert found.count(program) == 1, found


def test_nobody_else_gets_in(hub, students):
    known = students[0].name
    subprocess.run(["chpasswd"], input="root:secret", text=True, check=True)
    visitors = {"visitor": make_user("visitor"), known: "wrong", "nobody": "", "root": "secret"}
    for name, password in visitors.items():
        visitor = Student(hub.address, name, password)
        assert visitor.sign_in() == 403, name
        visitor.close()
    assert not processes_of("visitor")


def ways_to(student):
    """What a student has, as root sees it."""
    home, processes = home_of(student.name), processes_of(student.name)
    runtime = home / ".local/share/jupyter/runtime"
    proc = [pathlib.Path("/proc", str(pid)) for pid in processes]
    files = [path / name for path in proc for name in ("environ", "maps")]
    files += [
        home / "pynq_tutorial/2_iop_example.ipynb",
        *filter(pathlib.Path.is_file, runtime.iterdir()),
    ]
    links = [link for path in proc for link in (path / "fd").iterdir()]
    memory = [path / "mem" for path in proc]
    memory += [link for link in links if "memfd:" in str(link.readlink())]
    folders = [home, home / "pynq_tutorial", runtime, *(path / "fd" for path in proc)]
    (server,) = [pid for pid, words in processes.items() if "jupyterhub-singleuser" in words]
    environ = pathlib.Path(f"/proc/{server}/environ").read_text()
    environment = dict(re.findall(r"(\w+)=([^\0]*)\0", environ))
    return {
        "files": [str(path) for path in files],
        "memory": [str(path) for path in memory],
        "sockets": [str(path) for path in runtime.iterdir() if path.is_socket()],
        "folders": [str(path) for path in folders],
        "processes": list(processes),
        "urls": [
            environment["JUPYTERHUB_SERVICE_URL"] + "api/contents",
            environment["JUPYTERHUB_API_URL"] + "/users/" + student.name,
        ],
    }


def tried(student, facts):
    """How the ways end: {"got"}, {"refused"} or both."""
    program = (PROGRAMS / "ways.py").read_text().replace("facts = {}", f"facts = {facts!r}")
    said = student.kernel.says(program)
    return {line.split()[0] for line in said.splitlines()}, said


def test_nobody_sees_what_is_anothers(hub, students):
    thief, other = students[-1], students[-2]
    facts = ways_to(other)
    # server, kernel, QEMU and its memory; ZeroMQ's
    assert len(facts["memory"]) >= 4 and len(facts["sockets"]) == 5, facts
    ends, said = tried(other, facts)
    assert ends == {"got"}, said
    ends, said = tried(thief, facts)
    assert ends == {"refused"}, said
    assert thief.api("GET", "contents", home=other.home).status_code in (403, 404)
    state = pathlib.Path("/var/lib/jupyterhub")
    files = sorted(state.iterdir())
    assert {"jupyterhub.sqlite", "cookie_secret"} <= {path.name for path in files}
    hubs = {
        "files": [*map(str, files), f"/proc/{hub.pid}/environ", "/etc/shadow"],
        "memory": [f"/proc/{hub.pid}/mem"],
        "folders": [str(state)],
        "processes": [hub.pid],
        "urls": [hub.proxys_own + "api/routes", hub.address + "hub/api/users"],
    }
    ends, said = tried(thief, hubs)
    assert ends == {"refused"}, said


REMOVE = "import os; os.remove('big'); print('room again')"
NOTES = {"type": "file", "format": "text", "content": "what a student has written"}


def troubles(student, call):
    """What one of programs/troubles.py prints."""
    return student.kernel.says((PROGRAMS / "troubles.py").read_text() + call)


def run_out_of_memory(student):
    assert troubles(student, "use_memory()") == "MemoryError"


def run_out_of_disk(student):
    assert troubles(student, "fill_the_disk()") == "No space left on device"
    assert student.api("PUT", "contents/notes.txt", json=NOTES).status_code == 500
    # IPython may have something to say of its history, too.
    assert student.kernel.says(REMOVE).endswith("room again")
    assert student.api("PUT", "contents/notes.txt", json=NOTES).ok


def run_out_of_processes(student):
    assert troubles(student, "fork()") == "Resource temporarily unavailable"


def be_killed(student):
    """Every process of the student's. After signing in again, the student finds the work, and a new
    server."""
    assert student.api("PUT", "contents/notes.txt", json=NOTES).ok
    student.kernel.close()
    subprocess.check_call(["pkill", "-KILL", "-u", student.name])
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
    is_open = "import virtual_board; print(virtual_board.activate().is_open())"
    assert again.kernel.says(is_open) == "True"
    again.kernel.close()
    again.close()


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
            request = f"iop.write_to_buffer(buffer, 10, {rounds}); print(buffer[9])"
            assert student.kernel.says(request) == str(rounds + 9)
            waited.append(time.monotonic() - begun)
            answer = student.api("PUT", "contents/notes.txt", json=NOTES)
            assert answer.ok, f"{student.name}: {answer.text}"
        return rounds

    with ThreadPoolExecutor(STUDENTS) as pool:
        calm = [student for number, student in enumerate(students) if number not in TROUBLES]
        others = [pool.submit(go_on, student) for student in calm]
        try:
            begun = [pool.submit(work, students[number]) for number, work in TROUBLES.items()]
            for trouble in begun:
                trouble.result()
        finally:
            over.set()
        rounds = [other.result() for other in others]
    print(f"\n{min(rounds)} to {max(rounds)} requests each, the slowest in {max(waited):.1f} s")
    assert min(rounds) >= 5 and max(waited) < LONGEST


CELL = """
from pynq import Overlay
from iop import cells
cells.install()
overlay = Overlay("./bitstream/pynq_tutorial.bit")
source = "int add(int a, int b) { return a + b; }"
get_ipython().run_cell_magic("microblaze", "overlay.iop1", source)
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
    last = run.stdout.splitlines()[-1]
    assert run.returncode and last.startswith(f"Students may not read all of the kit ({secret})")
