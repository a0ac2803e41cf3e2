"""Tests that wait for ever; test_limits.py has pytest run them."""

import os
import subprocess
import threading
import time

import virtual_board


def test_waits_for_an_iop():
    from pynq import Overlay

    Overlay(os.environ["OVERLAY"])
    with open(os.environ["PIDS"], "a") as file:
        print(virtual_board.activate().microblaze.pid, file=file)
    while True:
        pass


def test_waits_for_a_program():
    subprocess.run(["sh", "-c", 'echo $$ >> "$PIDS"; exec sleep 1000'])


def test_waits_for_a_thread():
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    threading.enumerate()[-1].join()
