"""What a student does to himself. Each prints the system's answer."""

import subprocess

import numpy as np


def use_memory():
    """3 GB, if nothing keeps it from that."""
    hog = []
    try:
        while len(hog) < 24:
            hog.append(np.ones(1 << 24))
    except MemoryError:
        print("MemoryError")


def fill_the_disk():
    try:
        with open("big", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        print(error.strerror)


def fork():
    sleeping = []
    try:
        while len(sleeping) < 1000:
            sleeping.append(subprocess.Popen(["sleep", "60"]))
    except BlockingIOError as error:
        print(error.strerror)
    for process in sleeping:
        process.kill()
        process.wait()
