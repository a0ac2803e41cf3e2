"""Runs cells in a kernel in notebooks/, as JupyterLab does: whatever they end in, and with their
names. Standard input: [(cell's name or None, source), ...]. Prints, as JSON, what each run shows:
{"text/plain": ..., ...}, of all its outputs together."""

import json
import sys

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(cwd="notebooks")
shown = []
try:
    for cell, source in json.load(sys.stdin):
        content = dict(code=source, silent=False, store_history=True, user_expressions={})
        content.update(allow_stdin=False, stop_on_error=False)
        request = client.session.msg("execute_request", content)
        if cell:
            request["metadata"]["cellId"] = cell
        client.shell_channel.send(request)
        data = {}
        while True:
            message = client.get_iopub_msg(timeout=100)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                break
            more = content.get(
                "data", {"text/plain": content.get("text", content.get("ename", ""))}
            )
            for kind, text in more.items():
                data[kind] = data.get(kind, "") + text
        shown.append(data)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=False)
print(json.dumps(shown))
