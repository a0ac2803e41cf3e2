"""The board's own Jupyter, as a browser speaks with it, before and after a restart: a login, the
folder of notebooks, and cells in a kernel of the board's."""

import json
import uuid

import pytest
import requests
import websocket
from launcher import STARTS_WITHIN
from remote import LIMIT, NOTEBOOKS, OWN

from helpers.waiting import soon

READY = "arm board: ready"
LESSON = """
import os
os.chdir({folder!r})
from pynq import Overlay, allocate
from iop.pynq_tutorial import Pynq_Tutorial
iop = Pynq_Tutorial(Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info)
buffer = allocate((12,), "i4")
buffer[:] = 0
iop.write_to_buffer(buffer, length=10, data=1)
print(buffer.tolist())
"""


@pytest.fixture
def jupyter(launcher, board):
    """A session that is logged in, and the server's address."""
    address, session = f"http://127.0.0.1:{launcher.wait()[1]}", requests.Session()
    session.get(address + "/login", timeout=LIMIT)
    session.headers["X-XSRFToken"] = token = session.cookies["_xsrf"]
    form = {"password": "xilinx", "_xsrf": token}
    assert session.post(address + "/login", data=form, timeout=LIMIT).ok
    return session, address


def test_nobody_gets_in_without_the_password(jupyter):
    address = jupyter[1]
    assert requests.get(address + "/api/contents", timeout=LIMIT).status_code == 403


def test_restart(launcher, board, installed):
    """Linux comes up anew, the card is as it was left, and the fabric is empty until boot.py."""
    board.as_root(f"echo '{OWN}' > own.py")
    starts = launcher.said.count(READY)
    board.run("echo xilinx | sudo -S -p '' reboot")
    assert soon(lambda: launcher.said.count(READY) > starts, STARTS_WITHIN, 1), launcher.said
    assert "boot.py failed" not in launcher.said
    assert board.as_root("cat own.py; rm own.py") == OWN


def test_the_lesson_in_a_kernel(jupyter, installed):
    session, address = jupyter
    listed = session.get(address + "/api/contents/pynq_tutorial", timeout=LIMIT).json()
    assert "2_iop_example.ipynb" in [entry["name"] for entry in listed["content"]]
    kernel = session.post(address + "/api/kernels", json={"name": "python3"}, timeout=LIMIT).json()
    place = f"{address}/api/kernels/{kernel['id']}"
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    channels = websocket.create_connection(
        place.replace("http", "ws") + "/channels", cookie=cookies, timeout=LIMIT
    )
    try:
        assert executed(channels, LESSON.format(folder=NOTEBOOKS)).splitlines()[-1] == str(
            [*range(1, 11), 0, 0]
        )
    finally:
        channels.close()
        session.delete(place, timeout=LIMIT)


def executed(channels, source):
    """What a cell prints. AssertionError if it fails."""
    message = uuid.uuid4().hex
    header = {"msg_id": message, "msg_type": "execute_request", "session": "test", "version": "5.3"}
    content = {"code": source, "silent": False, "store_history": False, "allow_stdin": False}
    sent = dict(header=header, parent_header={}, metadata={}, content=content, channel="shell")
    channels.send(json.dumps(sent))
    printed = ""
    while True:
        heard = json.loads(channels.recv())
        if heard["parent_header"].get("msg_id") != message:
            continue
        if heard["msg_type"] == "stream":
            printed += heard["content"]["text"]
        if heard["msg_type"] == "execute_reply":
            assert heard["content"]["status"] == "ok", heard["content"]
            return printed
