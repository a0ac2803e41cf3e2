"""What a hardware runner does on the board itself."""

import json
import re

from remote import KIT


def test_hardware_runner(board, installed):
    """As .github/workflows/test.yml: the notebooks are executed there, and compared. Only those
    that need LEDs or a C compiler for the MicroBlaze are left out, by name, and one that a student
    changed: this one takes minutes to measure times, which are not a board's here."""
    board.as_root("echo >> 5_performance.ipynb")
    said = board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make test")
    assert re.search(r"6_safety\S*::Cell", said) and " failed" not in said, said
    assert "skipped: 5_performance.ipynb, which is not as it was installed" in said, said
    left_out = re.findall("left out: (.)_", said)
    assert left_out == ["4", "7", "8", "9"], said
    board.python("base.py")


def test_executed(board, installed):
    """Of one notebook, because the runner executes all."""
    board.as_root("rm [013-9]_*.ipynb")
    board.output(f"cd {KIT} && echo xilinx | sudo -S -p '' make executed")
    text = board.output(f"cat {KIT}/executed/2_*.ipynb")
    outputs = [o for cell in json.loads(text)["cells"] for o in cell.get("outputs", [])]
    assert outputs and not [o for o in outputs if o["output_type"] == "error"], outputs
    board.as_root("make install", KIT)
