"""Executes sources of cells, which are its standard input as JSON, in a kernel in notebooks/."""

import json
import sys

import nbformat
from nbclient import NotebookClient

cells = [nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "notebooks"}}).execute()
for cell in notebook.cells:
    print("".join(output.get("text", "") for output in cell.outputs))
