"""Runs notebooks twice in one kernel; ends with a sentence if a cell does not show the same.

Standard input: folder, [(title, [(cell, source), ...]), ...], and a pattern of what may differ."""

import json
import os
import re
import sys

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import virtual_board

folder, notebooks, differs = json.load(sys.stdin)
virtual_board.activate()
shell = InteractiveShell.instance(colors="NoColor")
os.chdir(folder)
for title, cells in notebooks:
    shell.reset()
    shown = []
    for name, source in 2 * cells:
        with capture_output() as captured:
            success = shell.run_cell(source).success
        texts = [output.data.get("text/plain") for output in captured.outputs]
        printed = "\n".join([captured.stdout, *filter(None, texts)])
        shown.append((name, success, re.sub(differs, "", printed)))
    for first, second in zip(shown, shown[len(cells) :]):
        if first != second or not first[1]:
            sys.exit(f"{title}: {first} and {second}")
