"""in_turn.py STEPS: runs programs of this folder and of the stand-in's, each in a process of its
own. They are forks of this one, which has imported pynq: an import takes 20 s under the emulator.

STEPS is a JSON list; each step is a list of commands that run at once. Prints what each has said,
with its status at the end, as JSON: {command: [lines, status]}."""

import json
import os
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

import pynq  # for the programs

HERE = Path(__file__).resolve().parent
FOLDERS = HERE, HERE.parents[1] / "board/programs"
sys.path.append(str(FOLDERS[1]))  # for what the stand-in's import of each other


def started(command, output):
    """The number of a process that runs a command."""
    process = os.fork()
    if process:
        return process
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    status = 1
    try:
        name, *sys.argv[1:] = command.split()
        (path,) = [folder / name for folder in FOLDERS if (folder / name).exists()]
        runpy.run_path(str(path), run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


said = {}
for step in json.loads(sys.argv[1]):
    outputs = {command: tempfile.TemporaryFile("w+") for command in step}
    processes = {command: started(command, output) for command, output in outputs.items()}
    for command, output in outputs.items():
        status = os.waitstatus_to_exitcode(os.waitpid(processes[command], 0)[1])
        output.seek(0)
        said[command] = output.read().splitlines(), status
print(json.dumps(said))
