"""A student at a browser, without the browser: what JupyterHub's pages and JupyterLab send, over
HTTP and a websocket."""

import json
import time
import uuid

import requests
import websocket


class Student:
    """For one thread at a time.

    signed_in: when the sign-in form was sent, of time.monotonic()
    """

    WAITS = 150  # seconds at most for any answer: a whole class starts at once

    def __init__(self, hub, name, password):
        self.name, self.password = name, password
        self.hub, self.home = hub + "hub/", f"{hub}user/{name}/"
        self.browser = requests.Session()
        self.browser.trust_env = False  # no proxy of this machine's

    def close(self):
        self.browser.close()

    def sign_in(self):
        """Fills in the form, which also starts the student's server; returns the page's status: 200
        if it let the student in."""
        self.browser.get(self.hub + "login", timeout=self.WAITS).raise_for_status()
        self.signed_in = time.monotonic()
        form = {"username": self.name, "password": self.password, "_xsrf": self.xsrf("/hub/")}
        answer = self.browser.post(self.hub + "login", data=form, timeout=self.WAITS)
        return answer.status_code

    def enter(self):
        """Waits, as the page with the progress bar does, for the server to be there, and opens
        JupyterLab, on the start page."""
        path = f"api/users/{self.name}/server/progress?_xsrf={self.xsrf('/hub/')}"
        progress = self.browser.get(self.hub + path, stream=True, timeout=self.WAITS)
        with progress:
            progress.raise_for_status()
            for line in progress.iter_lines():
                said = json.loads(line[len(b"data:") :]) if line.startswith(b"data:") else {}
                if said.get("failed"):
                    raise RuntimeError(f"{self.name}: {said['message']}")
                if said.get("ready"):
                    break
        page = self.browser.get(self.home, timeout=self.WAITS)
        assert page.ok and page.url.startswith(self.home + "lab/tree/0_start_here.ipynb"), (
            f"{self.name}: {page.status_code} {page.url}"
        )

    def xsrf(self, path):
        return self.browser.cookies.get("_xsrf", path=path)

    def api(self, method, path, home=None, **options):
        """A request to the student's own server, or to another one's home."""
        home = home or self.home
        return self.browser.request(
            method,
            home + "api/" + path,
            timeout=self.WAITS,
            headers={"X-XSRFToken": self.xsrf(f"/user/{self.name}/")},
            **options,
        )

    def start_kernel(self):
        answer = self.api("POST", "kernels", json={"name": "python3"})
        answer.raise_for_status()
        return Kernel(self, answer.json()["id"])


class Kernel:
    """A running kernel of a student's server."""

    def __init__(self, student, number):
        address = f"{student.home}api/kernels/{number}/channels"
        cookies = requests.cookies.get_cookie_header(
            student.browser.cookies, requests.Request("GET", address).prepare()
        )
        self.socket = websocket.create_connection(
            "ws" + address[len("http") :],
            cookie=cookies,
            timeout=student.WAITS,
            http_no_proxy=["*"],
        )

    def close(self):
        self.socket.close()

    def execute(self, code):
        """Runs a cell; returns its outputs as they stand in a notebook's file. The text of one
        stream is in one piece."""
        number, outputs = uuid.uuid4().hex, []
        header = {"msg_id": number, "msg_type": "execute_request", "version": "5.3"}
        message = {
            "channel": "shell",
            "parent_header": {},
            "metadata": {},
            "header": dict(header, session=number, username=""),
            "content": {"code": code, "silent": False, "allow_stdin": False},
        }
        self.socket.send(json.dumps(message))
        while True:
            message = json.loads(self.socket.recv())
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != number or message["channel"] != "iopub":
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
                outputs[-1]["text"] += content["text"]
            elif kind in ("stream", "display_data", "execute_result", "error"):
                outputs.append(dict(content, output_type=kind))

    def says(self, code):
        """Runs a cell; returns what it prints. RuntimeError if it prints anything but that."""
        outputs = self.execute(code)
        if any(output.get("name") != "stdout" for output in outputs):
            said = [[output.get("text", ""), *output.get("traceback", [])] for output in outputs]
            raise RuntimeError("\n".join("\n".join(lines) for lines in said))
        return "".join(output["text"] for output in outputs).strip()
