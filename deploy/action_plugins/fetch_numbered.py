"""Ansible's own fetch, for a list of files in one task, so that one `timeout` bounds all of them
however many a board names. For collect.yml, as in
    fetch_numbered: {folder: /on/the/board, names: [a, b], to: /on/this/pc}    # to/0 and to/1
A file that cannot be fetched is not there then, and the others are."""

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        given, task = self._task.args, self._task.copy()
        for number, name in enumerate(given["names"]):
            task.args = {
                "src": f"{given['folder']}/{name}",
                "dest": f"{given['to']}/{number}",
                "flat": True,
            }
            fetch = self._shared_loader_obj.action_loader.get(
                "ansible.builtin.fetch",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            try:
                fetch.run(task_vars=task_vars)
            except AnsibleConnectionFailure:
                raise
            except (AnsibleError, OSError, ValueError):
                pass
        return {"changed": False}
