"""What an instructor types on a PC, and a hardware runner on the board itself."""

import json
import re

import pytest
from remote import HOST, KIT, LIMIT, answered

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
OWN = "what a student wrote"


@pytest.fixture
def inventory(board, tmp_path):
    path = tmp_path / "boards.yml"
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


def test_classroom_collect_and_report(board, installed, inventory, tmp_path):
    done = make("classroom", inventory)
    assert done.returncode == 0 and "nothing to change" in done.stdout, done.stdout
    board.as_root("cp 1_memory.ipynb mine.ipynb && chown xilinx:xilinx mine.ipynb")
    done = make("collect", inventory, f"DIR={tmp_path}/collected")
    assert done.returncode == 0 and (tmp_path / "collected/arm/mine.ipynb").exists(), done.stdout
    done = make("report", f"DIR={tmp_path}/collected")
    assert done.returncode == 0 and "arm" in done.stdout, done.stdout
    board.as_root("rm mine.ipynb")


def test_doctor(board, installed):
    said = board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make doctor")
    assert {line.split()[0] for line in said.splitlines()} == {"ok"}, said


def test_hardware_runner(board, installed):
    """As .github/workflows/test.yml: the notebooks are executed there, and compared. Only those
    that need LEDs or a C compiler for the MicroBlaze are left out, by name."""
    said = board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make test", timeout=LIMIT)
    assert re.search(r"6_safety\S*::Cell", said) and " failed" not in said, said
    left_out = re.findall("left out: (.)_", said)
    assert left_out == ["4", "7", "8", "9"], said
    board.python("base.py")


def test_executed(board, installed):
    board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make executed", timeout=LIMIT)
    for number in "012356":
        text = board.output(f"cat {KIT}/executed/{number}_*.ipynb")
        outputs = [o for cell in json.loads(text)["cells"] for o in cell.get("outputs", [])]
        assert outputs and not [o for o in outputs if o["output_type"] == "error"], number
