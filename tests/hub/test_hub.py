"""Twenty students sign in at once and run notebook 2, each on a server and a virtual board of their
own."""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from student import Student

from conftest import KILLED, ROOT, home_of, make_user, processes_of, soon

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


def test_all_sign_in_at_once_and_run_the_lesson(students):
    seconds = together(take_the_lesson, students)
    print(
        f"\nfrom sign-in to the first filled buffer: {statistics.median(seconds):.0f} s,"
        f" {max(seconds):.0f} at most"
    )
    for student in students:
        found = "\n".join(processes_of(student.name).values())
        for program in "jupyterhub-singleuser", "ipykernel", "qemu-system":
            assert found.count(program) == 1, found


def test_nobody_else_gets_in(hub, students):
    for name, password in ("visitor", make_user("visitor")), (students[0].name, "wrong"):
        visitor = Student(hub.address, name, password)
        assert visitor.sign_in() == 403, name
        visitor.close()
    assert not processes_of("visitor")


REACHED = """
import os
for path in {}:
    try:
        print(path, os.listdir(path))
    except PermissionError:
        pass
"""


def test_nobody_sees_what_is_anothers(hub, students):
    """Neither files nor processes. A process's open files lead to its memory."""
    thief, other = students[-1], students[-2]
    runtime = home_of(other.name) / ".local/share/jupyter/runtime"
    # a kernel is reached by these alone: a port would be open to all
    assert len([path for path in runtime.iterdir() if path.is_socket()]) == 5
    folders = [str(home_of(other.name)), str(runtime), "/var/lib/jupyterhub"]
    folders += [f"/proc/{pid}/fd" for pid in [*processes_of(other.name), hub.pid]]
    assert str(runtime) in other.kernel.says(REACHED.format(folders))
    assert thief.kernel.says(REACHED.format(folders)) == ""
    assert thief.api("GET", "contents", home=other.home).status_code in (403, 404)


LIMITS = "data", "fsize", "nproc", "core"
SHOW_LIMITS = f"""
import resource
print([resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper())) for name in {LIMITS}])
"""


def test_a_student_has_limits(students):
    expected = [(limit, limit) for limit in (2 << 30, 4 << 30, 400, 0)]
    assert students[-1].kernel.says(SHOW_LIMITS) == str(expected)


ASK = "iop.write_to_buffer(xlnk.cma_array((10,), 'u4'), 10, 7); print('served')"
NOTES = {"type": "file", "format": "text", "content": "what a student has written"}


def test_one_whose_processes_are_killed(students):
    """After signing in again, the student finds the work and a new server. The others do not
    notice."""
    student, others = students[KILLED], students[KILLED + 1 :]
    assert student.api("PUT", "contents/notes.txt", json=NOTES).ok
    student.kernel.close()
    for pid in processes_of(student.name):
        with suppress(ProcessLookupError):  # it has ended with another
            os.kill(pid, signal.SIGKILL)
    student.close()
    assert set(together(lambda other: other.kernel.says(ASK), others)) == {"served"}

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
