"""A student runs cells in any order, twice, after Clean up and after a restart: no cell may write
outside its buffers, and a notebook that is run again in the same kernel shows the same again."""

import json
import os
import random

import pytest

from helpers.kit import ROOT, run_python
from iop import firmware

pytestmark = pytest.mark.slow

# What is waited for, or measured, so that a run takes seconds. A wait that ends sooner leaves more
# requests under way.
SHORTER = {
    "10**7": "10**4",
    "= [10**n for n in range(8)": "= [10**n for n in range(5)",
    "timeout=0.2": "timeout=0.02",
    "data=50,": "data=1,",
    "timeout=2)": "timeout=0.3)",
    "timeout=1)": "timeout=0.3)",
    "sleep(0.025)": "sleep(0.005)",
    "(3, 3, 50)": "(3, 3, 5)",
}
DIFFERS = "virtual: .*"  # an address that Linux chooses, in each run another one

KERNEL = """
import json, os, re, sys
import virtual_board
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
sys.path[0] = ""
os.environ["MPLBACKEND"] = "agg"
board = virtual_board.activate()
shell = InteractiveShell.instance(colors="NoColor")
"""

# Runs cells as a kernel does, on a board that stays the same when the kernel is restarted, as a
# real one does.
ANY_ORDER = (
    KERNEL
    + """
folder, runs = json.load(sys.stdin)
for title, new_kernel, cells in runs:
    if new_kernel:
        shell.reset()
        os.chdir(folder)
    for name, source in cells:
        failed = not shell.run_cell(source).success
        strays = board.stray_writes()
        if strays or failed and title.endswith("in order"):
            sys.exit("{}, cell {}: {}".format(title, name, strays or "failed"))
"""
)

TWICE = (
    KERNEL
    + """
folder, notebooks, differs = json.load(sys.stdin)
os.chdir(folder)
for title, cells in notebooks:
    shell.reset()
    shown = []
    for _ in range(2):
        for name, source in cells:
            with capture_output() as captured:
                success = shell.run_cell(source).success
            shown.append((name, success, re.sub(differs, "", captured.stdout)))
    for first, second in zip(shown, shown[len(cells):]):
        if first != second or not first[1]:
            sys.exit("{}, cell {}: {!r} and {!r}".format(title, *first[:1], first[1:], second[1:]))
"""
)


def cells_of(path):
    """[(id, source), ...] of the code cells, in order."""
    return [
        (cell["id"], "".join(cell["source"]))
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
    ]


def shorter(source):
    for long, short in SHORTER.items():
        source = source.replace(long, short)
    return source


@pytest.fixture
def folder(tmp_path):
    for linked in "bitstream", "checks", "iop", "mb_src":
        (tmp_path / linked).symlink_to(ROOT / "notebooks" / linked)
    (tmp_path / "solutions").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["notebooks", "notebooks/solutions"])
def test_no_order_of_cells_writes_outside_a_buffer(name, folder):
    seed = random.randrange(10**6)
    any_order, runs = random.Random(seed), []
    for path in sorted((ROOT / name).glob("*.ipynb")):
        # it writes outside of buffers on purpose, and refuses to on a board
        if path.name == "6_safety.ipynb":
            continue
        # Notebook 8 has one cell that does so, too, and refuses as well.
        cells = [
            (cell, shorter(source))
            for cell, source in cells_of(path)
            if "(dangerous(" not in source
        ]
        if firmware.compiler() is None and any(
            source.startswith(("%%writefile", "%%microblaze")) for _, source in cells
        ):
            continue
        runs += [
            (path.stem + ", in order", True, cells),
            (
                path.stem + ", again and in another order",
                False,
                any_order.sample(cells, len(cells)),
            ),
            (path.stem + ", after a restart", True, any_order.sample(cells, len(cells))),
        ]
    run = run_python(
        ANY_ORDER,
        input=json.dumps([str(folder / name.partition("/")[2]), runs]),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        timeout=300,
    )
    assert run.returncode == 0, "seed {}: {}\n{}".format(
        seed,
        run.stderr,
        "\n".join(
            "{}: {}".format(title, " ".join(cell for cell, _ in cells)) for title, _, cells in runs
        ),
    )


def test_a_notebook_that_is_run_again_shows_the_same(folder):
    """Those whose figures do not depend on the time of day. What is in memory from the first run is
    gone, or does not matter."""
    notebooks = [
        (path.stem, cells_of(path)) for path in sorted((ROOT / "notebooks").glob("[1236]*.ipynb"))
    ]
    run = run_python(
        TWICE,
        input=json.dumps([str(folder), notebooks, DIFFERS]),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert run.returncode == 0, run.stderr
