"""The tutorial's overlay beside the image's own: neither is ever taken for the other, and the board
is never worse than before."""

import hashlib
import json
from pathlib import Path

import pytest

from board import BOOT, HOME_KIT, NOTEBOOKS
from conftest import NAME, POWER_UPS, base

TUTORIAL = """
import sys; sys.path.insert(0, ".")
from pynq import Overlay, allocate
overlay = Overlay("./bitstream/pynq_tutorial.bit")
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(overlay.iop1.mb_info)
buffer = allocate((20,), "u4")
buffer[:] = 0
iop.write_to_buffer(buffer, 10, 1)
assert buffer.tolist() == list(range(1, 11)) + 10 * [0], buffer
print(sorted(overlay.hierarchy_dict))
"""
EXAMPLE = """
import sys; sys.path.insert(0, ".")
from iop.xlnk import Xlnk
xlnk = Xlnk()
buffer = xlnk.cma_array(shape=(1000,), dtype="i4")
buffer[:] = 0
from pynq import Overlay
overlay = Overlay("./bitstream/pynq_tutorial.bit")
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(overlay.iop1.mb_info)
iop.write_to_buffer(buffer.physical_address, 10, 1)
print(buffer[:12].tolist())
"""
TEN_WORDS = str(list(range(1, 11)) + [0, 0])


def tutorial(board, folder=NAME):
    assert board.python(TUTORIAL, folder=folder) == "['iop1']"


@pytest.mark.parametrize("state", POWER_UPS)
def test_every_order_over_three_boots(power_up, untouched, state):
    """Twice each, after the image's boot script and without one, and each of them as the first of a
    boot."""
    expected = untouched(state)
    board = power_up(state, boot=BOOT)
    for boot, order in (
        (None, "base tutorial tutorial base"),
        (BOOT, "tutorial base base tutorial"),
        (None, "base base tutorial tutorial"),
    ):
        for load in order.split():
            if load == "base":
                assert base(board) == expected
            else:
                tutorial(board)
        board.power_up(state, boot)
    assert base(board) == expected


@pytest.mark.parametrize("state", POWER_UPS)
def test_the_examples_own_order_where_nothing_was_downloaded_yet(power_up, state):
    """It allocates first. Whether an image's metadata was cached when it was built or not, and on
    memory that is not zero."""
    board = power_up(state, leftover=0xA5, megabytes=64)
    assert board.python(EXAMPLE, folder=NAME) == TEN_WORDS
    board.power_up(state)
    for path in Path(board.pynq(), "pl_server").glob("global_pl_state*.json"):
        path.unlink()
    assert board.python(EXAMPLE, folder=NAME) == TEN_WORDS


def test_user_xilinx_is_told_to_be_root(power_up):
    """No image lets another user at /dev/mem, and pynq says so: what matters is that it is said,
    and nothing changed."""
    board = power_up()
    before = board.state_files()
    done = board.run("python3", "-B", "-c", EXAMPLE, folder=NAME, user="xilinx")
    assert done.returncode == 1
    assert any(words in done.stderr for words in ("oot perm", "ermission denied", "llocat")), (
        done.stderr
    )
    assert board.state_files() == before


def test_install_use_uninstall_leave_the_base_overlay_as_it_was(power_up, untouched):
    expected = untouched("operating")
    board = power_up("operating")
    tutorial(board)
    (Path(board.path(NAME)) / "loaded.xclbin").write_bytes(b"xclbin2\0, as pynq 3.1 leaves it")
    assert "removed" in board.output("make", "uninstall", folder=HOME_KIT)
    assert not Path(board.path(NAME)).exists()
    assert base(board) == expected
    board.power_up("operating")
    assert base(board) == expected


# a student stopped before there was an IOP: at the notebook's end, and by a kernel that was killed
HALF_USED = [
    (
        "import sys; sys.path.insert(0, '.')\nimport iop.xlnk\nfrom pynq import"
        " Overlay\nOverlay('./bitstream/pynq_tutorial.bit')"
    ),
    """
import os, signal, sys; sys.path.insert(0, ".")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in "import iop.xlnk", "from pynq import Overlay", "Overlay('./bitstream/pynq_tutorial.bit')":
    shell.run_cell(cell).raise_error()
os.kill(os.getpid(), signal.SIGKILL)
""",
]


def test_a_notebook_that_is_left_before_its_iop_then_the_folder_is_renamed(power_up, untouched):
    expected = untouched("operating")
    board = power_up("operating")
    for left in HALF_USED:
        board.kernel(left, NAME)
        board.output("mv", NAME, NAME + ".mine")
        assert base(board) == expected
        board.output("mv", NAME + ".mine", NAME)


@pytest.mark.parametrize("what", ["renamed", "deleted"])
def test_a_folder_that_a_student_renames_or_deletes_after_use(power_up, untouched, what):
    expected = untouched("operating")
    board = power_up("operating")
    tutorial(board)
    if what == "renamed":
        board.output("mv", NAME, NOTEBOOKS + "/mine")
    else:
        board.output("rm", "-rf", NAME)
    assert base(board) == expected
    board.power_up("operating")
    assert base(board) == expected
    if what == "renamed":
        tutorial(board, NOTEBOOKS + "/mine")
    board.output("make", "install", folder=HOME_KIT)
    tutorial(board)


def edition_1(board):
    """Makes the installed overlay what edition 1.0.0 installed: the image's base.bit with another
    description."""
    folder = Path(board.path(NAME))
    contents = Path(board.pynq(), "overlays/base/base.bit").read_bytes()
    (folder / "bitstream/pynq_tutorial.bit").write_bytes(contents)
    manifest = json.loads((folder / ".pynq_tutorial.json").read_text())
    manifest["files"]["bitstream/pynq_tutorial.bit"] = hashlib.sha256(contents).hexdigest()
    (folder / ".pynq_tutorial.json").write_text(json.dumps(manifest))


def test_an_upgrade_heals_a_board_whose_cache_edition_1_poisoned(power_up, release, untouched):
    expected = untouched("operating")
    board = power_up("operating")
    edition_1(board)
    for path in Path(board.pynq(), "pl_server").glob("global_pl_state*.json"):
        path.unlink()  # as after a power-up in the state "unknown"
    board.python("from pynq import Overlay; Overlay('./bitstream/pynq_tutorial.bit')", folder=NAME)
    if release.startswith("3."):
        # the fault itself: base.bit has the tutorial's description
        with pytest.raises(AssertionError, match="iop_pmoda"):
            base(board)
    assert "replaced" in board.output("make", "install", folder=HOME_KIT)
    assert base(board) == expected
    tutorial(board)
    board.power_up("operating")
    assert base(board) == expected


BROKEN = {
    "names a file that is gone": lambda text: json.dumps(
        dict(json.loads(text), bitfile_name="/home/xilinx/gone.bit")
    ),
    "is cut off": lambda text: text[: len(text) // 2],
    "is empty": lambda text: "",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_state_file_that_pynq_cannot_read_is_named_with_the_remedy(power_up, release, how):
    if release.startswith("2."):
        pytest.skip(f"pynq {release} has no state file")
    board = power_up("operating", boot=BOOT)
    (path,) = Path(board.pynq(), "pl_server").glob("global_pl_state*.json")
    path.write_text(BROKEN[how](path.read_text()))
    broken = path.read_bytes()
    done = board.kernel(EXAMPLE, NAME)
    if how == "names a file that is gone" and release != "3.0.1":  # only 3.0 opens it
        assert done.stdout.strip() == TEN_WORDS
    else:
        sentence = done.stderr.strip().splitlines()[-1]
        assert sentence.startswith("RuntimeError: pynq's state file") and "sudo rm /" in sentence
        assert path.read_bytes() == broken
        assert "sudo rm" in board.run("make", "doctor", folder=HOME_KIT).stdout
    board.output("make", "install", folder=HOME_KIT)
    assert board.python(EXAMPLE, folder=NAME) == TEN_WORDS
    base(board)


def test_a_state_file_of_another_user_is_named(power_up, release):
    if release.startswith("2."):
        pytest.skip(f"pynq {release} has no state file")
    board = power_up("operating", boot=BOOT)
    (path,) = Path(board.pynq(), "pl_server").glob("global_pl_state*.json")
    path.chmod(0o600)
    done = board.run(
        "python3",
        "-B",
        "-c",
        "import sys; sys.path.insert(0, '.'); import iop.xlnk",
        folder=NAME,
        user="xilinx",
    )
    sentence = done.stderr.strip().splitlines()[-1]
    assert (
        sentence.startswith("RuntimeError: pynq's state file") and "is another user's" in sentence
    ), done.stderr


def test_metadata_that_is_cut_off_is_read_again(power_up, release):
    board = power_up("operating", boot=BOOT)
    for path in Path(board.pynq(), "pl_server").glob("_current_metadata.pkl"):
        path.write_bytes(path.read_bytes()[:1000])
    base(board)
    tutorial(board)


def test_a_base_overlay_of_another_image_is_refused_and_nothing_changes(power_up):
    board = power_up(installed=False)
    hwh = Path(board.pynq(), "overlays/base/base.hwh")
    hwh.write_text(
        hwh.read_text(encoding="utf-8-sig").replace('DEVICE="7z020"', 'DEVICE="7z010"'),
        encoding="utf-8",
    )
    done = board.run("make", "install", folder=HOME_KIT)
    assert (
        done.returncode and "describes 7z010, and a PYNQ-Z1 or PYNQ-Z2 has a 7z020" in done.stderr
    )
    assert not Path(board.path(NAME)).exists()


def test_no_overlay_and_none_to_be_had(power_up):
    board = power_up()
    (Path(board.path(NAME)) / "bitstream/pynq_tutorial.bit").unlink()
    done = board.kernel(TUTORIAL, NAME)
    assert "does not exist" in done.stderr.strip().splitlines()[-1]
    source = (
        "import sys; sys.path.insert(0, '.'); from iop.pynq_tutorial import Pynq_Tutorial\n"
        "Pynq_Tutorial({'ip_name': 'iop1/mb_bram_ctrl', 'rst_name': 'mb_iop1_reset'})"
    )
    done = board.kernel(source, NAME)
    assert 'Overlay("./bitstream/pynq_tutorial.bit")' in done.stderr.splitlines()[-1], done.stderr
