"""What an instructor types on a PC, and on the board itself."""

import pytest
from remote import HOST, KIT, NOTEBOOKS, OWN, answered

from deploy import EDITION
from helpers.kit import make

INVENTORY = """
boards:
  hosts:
    arm: {{ansible_host: 127.0.0.1}}
  vars:
    ansible_user: xilinx
    ansible_become_password: xilinx
    ansible_ssh_common_args: -F {config}
    ansible_ssh_use_tty: false
"""


@pytest.fixture
def inventory(board, folder):
    path = folder / "boards.yml"
    path.write_text(INVENTORY.format(config=board.config))
    return f"BOARDS={path}"


def test_install_again_and_upgrade(board, installed):
    """A file that a student changed stays, and the new edition's comes beside it."""
    assert f"edition {EDITION}" in installed
    assert "nothing to change" in answered(["make", "install", f"HOST={HOST}", board.option])
    board.as_root(f"echo '{OWN}' > iop/charts.py")
    said = board.as_root(
        "cp iop/charts.py /tmp && echo '# new' >> iop/charts.py; make install", KIT
    )
    assert "kept, because it was changed here: iop/charts.py" in said
    assert board.as_root("cat iop/charts.py; tail -n 1 iop/charts-*") == f"{OWN}\n# new"
    board.as_root("rm iop/charts*.py")
    assert "1 files new" in board.as_root("cp /tmp/charts.py iop && make install", KIT)


def test_classroom_collect_and_report(board, installed, inventory, folder):
    done = make("classroom", inventory)
    assert done.returncode == 0 and "nothing to change" in done.stdout, done.stdout
    board.as_root("cp 1_memory.ipynb mine.ipynb && chown xilinx:xilinx mine.ipynb")
    done = make("collect", inventory, f"DIR={folder}/collected")
    assert done.returncode == 0 and (folder / "collected/arm/mine.ipynb").exists(), done.stdout
    done = make("report", f"DIR={folder}/collected")
    assert done.returncode == 0 and "arm" in done.stdout, done.stdout
    board.as_root("rm mine.ipynb")


def test_doctor(board, installed):
    said = board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make doctor")
    assert {line.split()[0] for line in said.splitlines()} == {"ok"}, said


def test_uninstall(board, installed):
    """A file that a student wrote stays."""
    board.as_root(f"echo '{OWN}' > own.py")
    said = answered(["make", "uninstall", f"HOST={HOST}", board.option])
    assert "kept, because it is not as it was installed: own.py" in said
    assert board.output(f"find {NOTEBOOKS} -type f") == f"{NOTEBOOKS}/own.py"
    board.as_root("rm own.py")
    board.as_root("make install", KIT)
