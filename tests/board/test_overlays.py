"""The tutorial's overlay beside the image's own: neither is ever taken for the other, and the board
is never worse than before."""

import json
import shutil

import pytest

from board import BOOT, HOME_KIT, NAME, NOTEBOOKS

# what the FPGA manager may report after power-up; nobody knows which a board does
POWER_UPS = "unknown", "operating"
BOOTS = [  # the image's boot script or none, and what is loaded then
    ("unknown", None, "base tutorial tutorial base"),
    ("operating", BOOT, "tutorial base base tutorial"),
]


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


def test_every_order_over_two_boots(board):
    """Each of them as the first of a boot."""
    for state, boot, order in BOOTS:
        board.power_up(state, boot)
        for load in order.split():
            board.python(load + ".py")


@pytest.mark.arm
def test_the_examples_own_order_where_nothing_was_downloaded(board):
    for state in POWER_UPS:
        board.power_up(state)
        for path in board.state_files():
            path.unlink()
        board.python("example.py")


def test_user_xilinx_is_told_to_be_root(board):
    """No image lets another user at /dev/mem, and pynq says so: what matters is that it is said,
    and nothing changed."""
    before = [path.read_bytes() for path in board.state_files()]
    done = board.kernel("example.py", user="xilinx")
    assert done.returncode == 1
    said = "oot perm", "ermission denied", "llocat"
    assert any(words in done.stderr for words in said), done.stderr
    assert [path.read_bytes() for path in board.state_files()] == before


@pytest.mark.arm
def test_install_use_uninstall_leave_the_base_overlay_as_it_was(board):
    board.power_up("operating")
    board.python("tutorial.py")
    (board.path(NAME) / "loaded.xclbin").write_bytes(b"xclbin2\0, as pynq 3.1 leaves it")
    assert "removed" in board.output("make", "uninstall")
    assert not board.path(NAME).exists()
    board.python("base.py", folder=NOTEBOOKS)


def test_a_notebook_that_is_left_then_the_folder_is_renamed(board):
    board.power_up("operating")
    for how in [], ["killed"]:
        board.kernel("left.py", *how)
        board.output("mv", NAME, NAME + ".mine")
        board.python("base.py", folder=NOTEBOOKS)
        board.output("mv", NAME + ".mine", NAME)


def test_a_folder_that_a_student_renames_or_deletes_after_use(board):
    board.power_up("operating")
    board.python("tutorial.py")
    board.output("mv", NAME, NOTEBOOKS + "/mine")
    board.power_up("operating")
    board.python("base.py", folder=NOTEBOOKS)
    board.python("tutorial.py", folder=NOTEBOOKS + "/mine")
    board.output("rm", "-rf", NOTEBOOKS + "/mine")
    board.python("base.py", folder=NOTEBOOKS)


BROKEN = {
    "of a file that is gone": lambda text: json.dumps(
        dict(json.loads(text), bitfile_name="/home/xilinx/gone.bit")
    ),
    "cut off": lambda text: text[: len(text) // 2],
}


def test_a_state_file_that_pynq_cannot_read_is_named(board, release):
    if release.startswith("2."):
        pytest.skip(f"pynq {release} has no state file")
    for how, make in BROKEN.items():
        board.python("tutorial.py")
        (path,) = board.state_files()
        broken = make(path.read_text())
        path.write_text(broken)
        done = board.kernel("example.py")
        if how == "of a file that is gone" and release != "3.0.1":  # only 3.0 opens it
            assert done.returncode == 0, done.stderr
        else:
            assert last_line(done).startswith("RuntimeError: pynq's state file"), done.stderr
            assert "sudo rm /" in last_line(done) and path.read_text() == broken
            assert "sudo rm" in board.run("make", "doctor").stdout
        board.output("make", "install")
    board.python("tutorial.py")


def test_a_state_file_of_another_user_is_named(board, release):
    if release.startswith("2."):
        pytest.skip(f"pynq {release} has no state file")
    board.python("tutorial.py")
    (path,) = board.state_files()
    path.chmod(0o600)
    said = last_line(board.kernel("example.py", user="xilinx"))
    path.chmod(0o644)
    assert said.startswith("RuntimeError: pynq's state file") and "is another user's" in said


def test_metadata_that_is_cut_off_is_read_again(board):
    board.python("base.py")
    for path in (board.pynq / "pl_server").glob("_current_metadata.pkl"):
        path.write_bytes(path.read_bytes()[:1000])
    board.python("base.py")
    board.python("tutorial.py")


def test_a_base_overlay_of_another_image_is_refused(board):
    shutil.rmtree(str(board.path(NAME)))
    hwh = board.pynq / "overlays/base/base.hwh"
    own = hwh.read_bytes()
    hwh.write_bytes(own.replace(b'DEVICE="7z020"', b'DEVICE="7z010"'))
    done = board.run("make", "install", folder=HOME_KIT)
    hwh.write_bytes(own)
    assert done.returncode, done.stdout
    assert "describes 7z010, and a PYNQ-Z1 or PYNQ-Z2 has a 7z020" in done.stderr
    assert not board.path(NAME).exists()
