"""Prints what a notebook shows of the error of a cell that loads the overlay."""

import nbformat
from nbclient import NotebookClient

code = 'from pynq import Overlay; Overlay("./bitstream/pynq_tutorial.bit")'
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
NotebookClient(notebook, timeout=300, allow_errors=True).execute()
print("\n".join(notebook.cells[0].outputs[-1]["traceback"]))
