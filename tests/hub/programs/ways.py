"""Tries ways to what is a student's: `facts` has them (ways_to in test_hub.py). Prints the ways on
which something was got; where Linux or the hub refuses, that is an exception."""

import os
import socket
import urllib.request

facts = {}  # the test's


def read(path):
    with open(path, "rb") as file:
        return file.read(1)


def connect(path):
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(5)
        to.connect(path)


def get(url):
    token = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(urllib.request.Request(url, headers=token), timeout=30).read()


WAYS = {
    "memory": lambda path: open(path, "rb").close(),
    "files": read,
    "folders": os.listdir,
    "sockets": connect,
    "urls": get,
    "processes": lambda pid: os.kill(pid, 0),
}
for kind, them in facts.items():
    for it in them:
        try:
            WAYS[kind](it)
            print("got", kind, it)
        except Exception:
            print("refused", kind, it)
