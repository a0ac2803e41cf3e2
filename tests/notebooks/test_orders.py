"""A student runs cells in any order, twice, after Clean up and after a restart: no cell may write
outside its buffers, and a notebook that is run again in the same kernel shows the same again."""

import json
import random

import pytest

from helpers.exercises import code_cells, run_program
from helpers.kit import ROOT
from iop import firmware

pytestmark = pytest.mark.slow

# What is waited for, or measured, so that a run takes seconds. A wait that ends sooner leaves more
# requests under way.
SHORTER = {
    "data=50, timeout=2": "data=50, timeout=60",  # longer: on a busy machine
    "10**7": "10**4",
    "10**5))": "10**4))",
    "= [10**n for n in range(8)": "= [10**n for n in range(5)",
    "timeout=0.2": "timeout=0.02",
    "data=50,": "data=1,",
    "timeout=2)": "timeout=0.3)",
    "timeout=1)": "timeout=0.3)",
    "sleep(0.025)": "sleep(0.005)",
    "(3, 3, 50)": "(3, 3, 5)",
}
IGNORED = "nbval-ignore-output"  # of a cell that measures, or shows what happens at the moment
# An address that Linux chooses, in each run another one; and %%writefile, which says that it is
# there already
DIFFERS = "virtual: .*|(Writ|Overwrit)ing .*"


@pytest.fixture
def folder(tmp_path):
    for linked in "bitstream", "checks", "iop", "mb_src":
        (tmp_path / linked).symlink_to(ROOT / "notebooks" / linked)
    (tmp_path / "solutions").mkdir()
    return tmp_path


def harmless_cells(path):
    """What writes outside of buffers on purpose would do so here, too."""
    cells = [(name, source) for name, source in code_cells(path) if "(dangerous(" not in source]
    for long, short in SHORTER.items():
        cells = [(name, source.replace(long, short)) for name, source in cells]
    return cells


@pytest.mark.parametrize("name", ["notebooks", "notebooks/solutions"])
def test_no_order_of_cells_writes_outside_a_buffer(name, folder):
    seed = random.randrange(10**6)
    any_order, runs = random.Random(seed), []
    for path in sorted((ROOT / name).glob("*.ipynb")):
        cells = harmless_cells(path)
        in_c = any(source.startswith(("%%writefile", "%%microblaze")) for _, source in cells)
        if path.name == "6_safety.ipynb" or in_c and firmware.compiler() is None:
            continue
        mixed, mixed_again = (any_order.sample(cells, len(cells)) for _ in range(2))
        runs += [
            (path.stem + ", in order", True, cells),
            (path.stem + ", again and mixed", False, mixed),
            (path.stem + ", after a restart", True, mixed_again),
        ]
    run = run_program("cells.py", [str(folder / name.partition("/")[2]), False, runs])
    orders = [f"{title}: {' '.join(cell for cell, _ in cells)}" for title, _, cells in runs]
    assert run.returncode == 0, "\n".join([f"seed {seed}: {run.stderr}"] + orders)


@pytest.mark.parametrize("numbers", ["1236", "479"])
def test_a_cell_that_is_run_again_shows_the_same(numbers, folder):
    """Except where it measures, or is notebook 8's, which tells what was damaged so far."""
    if numbers == "479" and firmware.compiler() is None:
        pytest.skip(firmware.NO_COMPILER)
    paths = sorted((ROOT / "notebooks").glob(f"[{numbers}]*.ipynb"))
    notebooks = [(path.stem, code_cells(path)) for path in paths]
    every = [cell for path in paths for cell in json.loads(path.read_text())["cells"]]
    measure = [cell["id"] for cell in every if IGNORED in cell["metadata"].get("tags", [])]
    run = run_program("twice.py", [str(folder), notebooks, DIFFERS, measure])
    assert run.returncode == 0, run.stderr
