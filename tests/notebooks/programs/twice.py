"""Runs each cell of notebooks twice in a row, and then each notebook again, in one kernel; ends
with a sentence for each cell that does not show the same. Right after itself a cell may also fail,
such as one that frees a buffer, because the student sees that.

Standard input: folder, [(title, [(cell, source), ...]), ...], a pattern of what may differ, and the
names of the cells that may show anything."""

import json
import os
import re
import sys

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import virtual_board

folder, notebooks, differs, anything = json.load(sys.stdin)
virtual_board.activate()
shell = InteractiveShell.instance(colors="NoColor")
os.chdir(folder)
wrong = []
for title, cells in notebooks:
    shell.reset()
    shown = {}
    runs = [(cell, may_fail) for cell in cells for may_fail in (False, True)]
    for (name, source), may_fail in runs + [(cell, False) for cell in cells]:
        with capture_output() as captured:
            success = shell.run_cell(source).success
        texts = [output.data.get("text/plain") for output in captured.outputs]
        printed = re.sub(differs, "", "\n".join([captured.stdout, *filter(None, texts)]))
        same = success and (name in anything or printed == shown.setdefault(name, printed))
        if not same and (success or not may_fail):
            wrong.append(f"{title}, {name}: {shown.get(name)}\nand then: {printed}")
sys.exit("\n".join(wrong) or 0)
