"""kernels.py PART: what a notebook's kernel may do, each in a process of its own in the tutorial's
folder. Other programs here begin with it, too."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from pynq import PL, Overlay, allocate

from iop import sharing
from iop.pynq_tutorial import Pynq_Tutorial


def load():
    return Overlay("./bitstream/pynq_tutorial.bit")


def start():
    return Pynq_Tutorial(load().iop1.mb_info)


def again_and_again(seconds, begin, attempt):
    """Calls attempt(begin(None)), and after an error attempt(begin(what was begun before)). Prints
    [how often it was served, {error: how often}, how often what it returned was not true]."""
    served, errors, wrong, begun = 0, {}, 0, None
    end, fresh = time.monotonic() + seconds, False
    # Two that load overlays may leave each other no time.
    while time.monotonic() < end or served <= 10 and time.monotonic() < end + 200:
        try:
            if not fresh:
                begun, fresh = begin(begun), True
            wrong += not attempt(begun)
            served += 1
        except (RuntimeError, OSError, ValueError) as error:
            fresh = False
            name = f"{type(error).__name__}: {error}"[:70]
            errors[name] = errors.get(name, 0) + 1
            time.sleep(random.random() / 10)  # or two would keep each other from it for ever
    print(json.dumps([served, errors, wrong]))


def anew():
    """Starts the tutorial's program again and again, and asks it for words."""
    iop, buffer = start(), allocate((1000,), "u4")
    for value in range(10):
        iop.reset()
        iop.write_to_buffer(buffer, 1000, value)
        assert buffer[999] == value + 999
        time.sleep(0.05)


def by_hand():
    """Runs another program: the tutorial's, as pynq itself loads one."""
    from pynq.lib import PynqMicroblaze

    load()
    for _ in range(5):
        mb_info = {"ip_name": "iop1/mb_bram_ctrl", "rst_name": "mb_iop1_reset"}
        PynqMicroblaze(mb_info, "iop/pynq_tutorial.bin", force=True)
        time.sleep(0.05)


def killed():
    """Is killed in the middle of a request."""
    iop, buffer = start(), allocate((3000000,), "u4")
    threading.Timer(random.random() * 0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    while True:
        iop.write_to_buffer(buffer, len(buffer), 0x5EC0ED)


def hold():
    """Holds the IOP."""
    iop = start()
    with iop._lock.threads, iop._lock:
        print("held", flush=True)
        time.sleep(300)


def wait():
    """Waits for the IOP that another process holds, for less long than a notebook does."""
    sharing.WAIT = 0.5
    lock = sharing.IopLock("/dev/mem", 0x40000000, "iop1")
    with lock.threads, lock:
        pass


def arduino():
    """Uses another IOP than the one that another process holds."""
    sharing.WAIT = 0.5
    iop, buffer = Pynq_Tutorial(Overlay("base.bit").iop_arduino.mb_info), allocate((100,), "u4")
    iop.write_to_buffer(buffer, 100, 5)
    assert buffer.tolist() == list(range(5, 105))


def met():
    """Another kernel downloads the base overlay just when this one starts its program. Does the
    board's server still answer?"""
    iop = start()
    subprocess.check_call(["python3", "-B", "-c", "from pynq import Overlay; Overlay('base.bit')"])
    try:
        iop._start()  # past what would have seen the download: it comes in this very moment
    except RuntimeError as error:
        print(error)
    print("answered", PL.timestamp)


def late():
    """Starts its program only after another notebook has downloaded an overlay of its own."""
    overlay = load()
    print("loaded", flush=True)
    for _ in range(1200):
        if os.path.exists("/tmp/go"):
            break
        time.sleep(0.1)
    Pynq_Tutorial(overlay.iop1.mb_info)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
