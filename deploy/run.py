"""python3 -m deploy.run NOTEBOOK: executes a notebook's cells one by one, and prints each with its
output as it comes.

Of a picture it prints the text. It does not change the notebook's file. Exits with 1 if a cell
raises an error. (Jupyter's own commands print nothing until the whole notebook has run.)
"""

import os
import sys
import tempfile

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_TIMEOUT = 120  # seconds
STARTS_WITHIN = 300  # a kernel of a slow board's


class PrintingClient(NotebookClient):
    """Prints a code cell when it starts, and its output while it runs."""

    async def async_execute_cell(self, cell, cell_index, **kwargs):
        if cell.cell_type == "code":
            bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
            print(f"\n{bold}{cell.source}{plain}\n{'-' * 40}", flush=True)
        return await super().async_execute_cell(cell, cell_index, **kwargs)

    def output(self, outs, msg, display_id, cell_index):
        content = msg["content"]
        if "text" in content:  # a piece of a stream, which may end within a line
            print(content["text"], end="", flush=True)
        else:
            text = content.get("data", {}).get("text/plain")
            print(text or "\n".join(content.get("traceback", [])), flush=True)
        return super().output(outs, msg, display_id, cell_index)


def main(path):
    notebook = nbformat.read(path, as_version=4)
    folder = os.path.dirname(os.path.abspath(path))
    resources = {"metadata": {"path": folder}}
    limits = dict(timeout=CELL_TIMEOUT, startup_timeout=STARTS_WITHIN)
    client = PrintingClient(notebook, resources=resources, **limits)
    try:
        with tempfile.TemporaryDirectory() as profile:  # not the user's: that is for make lab
            os.environ["IPYTHONDIR"] = profile
            client.execute()
    except CellExecutionError:
        sys.exit(1)  # the traceback has been printed
    except BrokenPipeError:  # whoever reads the output has enough, as in make run | head
        # for what Python writes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
