"""A cell that tries what code must not do. It prints what was refused, who it is, and what networks
there are; then whether few processes could be made."""

import os
import socket
import time
import warnings

warnings.simplefilter("ignore")  # of a fork beside threads


def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return True
    return False


print(
    refused(socket.create_connection, ("1.1.1.1", 53), 2),
    refused(open, "/opt/pynq_tutorial/notebooks/checks/memory.py", "a"),
    refused(open, "/x", "w"),
    os.getuid(),
    sorted(os.listdir("/sys/class/net")),
)
children = []
try:
    while len(children) < 1000:
        children.append(os.fork())
        if not children[-1]:
            time.sleep(100)
except OSError:
    print(len(children) < 256)
finally:
    [os.kill(child, 9) for child in children]
