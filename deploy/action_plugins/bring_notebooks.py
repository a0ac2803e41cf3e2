"""For collect.yml: brings a board's changed notebooks into a folder, as in
    bring_notebooks: {root: /, to: /on/this/pc}
It is one task, so that one `timeout` bounds everything that a board may answer."""

import base64
import sys
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE.parent))

from deploy import collect

FOLDER = "\nimport sys\nprint(notebooks_folder(sys.argv[1]) + '/pynq_tutorial')"


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        def module(name, **given):
            return self._execute_module(f"ansible.legacy.{name}", given, task_vars=task_vars)

        def ask(program, *arguments, then=""):
            argv = ["/usr/bin/python3", "-I", "-B", "-", *arguments]
            said = module("command", argv=argv, stdin=(HERE / program).read_text() + then)
            if said.get("rc") != 0:
                words = said.get("stderr") or said.get("module_stderr") or said.get("msg")
                raise AnsibleError(f"{program}: {collect.printable(str(words).strip())}")
            return str(said.get("stdout"))

        def fetch(name):
            sent = module("slurp", src=f"{folder}/{name}")
            if "content" not in sent:
                raise ValueError(f"it could not be fetched: {sent.get('msg')}")
            return base64.b64decode(str(sent["content"]))

        to, board = self._task.args["to"], task_vars["inventory_hostname"]
        folder = ask("image.py", self._task.args["root"], then=FOLDER)
        answer = ask("changed.py", folder, str(collect.LARGEST))
        try:
            lines = collect.bring(to, board, answer, fetch)
        except (OSError, ValueError) as error:
            raise AnsibleError(str(error)) from None
        return {"changed": any(line.startswith("brought") for line in lines), "lines": lines}
