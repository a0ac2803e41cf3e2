"""Lets several notebooks share a board: processes use each of its IOPs in turn, and notice if
another has changed the program or the overlay.

Linux keeps the processes apart with a lock on a range of bytes of the file in which all memory is,
at the IOP's own address. The lock belongs to the open file (fcntl(2), "Open file description
locks"), so it ends with its process, and two threads are kept apart as two processes are. inotify
on the FPGA manager's file tells all of them about a download; pynq 3 tells only the process that
made it."""

import ctypes
import fcntl
import glob
import os
import re
import struct
import termios
import threading
import time
import weakref

import numpy as np
from pynq import PL, Device

from .firmware import PROGRAM, read_program

# The file from which pynq's own devices map an IOP's memory; a device with another memory names it
# as its lock_file.
DEVICE_FILE = "/dev/mem"
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/firmware"  # a .bit's name in it starts a download
IN_MODIFY, IN_OPEN = 0x2, 0x20  # linux/inotify.h
WAIT = 10.0  # seconds for another process's lock: longer than any request that does not hang
LOOK_WITHOUT_PAUSE = 3e-5  # seconds: less than half of the shortest sleep under Linux
LONGEST_PAUSE = 1e-3  # seconds; the pauses before it are a quarter of the wait so far
F_OFD_SETLK = 37  # linux/fcntl.h; Python has its name from 3.9 on
IOP_BYTES = 0x10000  # of every IOP's memory, as Linux sees it

_locks = weakref.WeakValueDictionary()  # this process's IopLocks, by file and address
_loading_locks = {}  # by process, because a forked child has a lock of its own


def wait(condition, end=float("inf"), meanwhile=lambda: None):
    """Waits until condition() is true, at most until `end` by time.monotonic().

    Most answers come within microseconds, when a sleep would be the longest part of the wait. A
    long wait leaves the core to others, and calls meanwhile() before each sleep.

    Returns:
        Whether the condition is true.
    """
    started = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > end:
            return condition()
        if now - started > LOOK_WITHOUT_PAUSE:
            meanwhile()
            time.sleep(min((now - started) / 4, LONGEST_PAUSE))
    return True


def iop_lock(mb_info):
    """The lock of an IOP: the same object for all callers in this process, as long as one of them
    keeps it. RuntimeError if the overlay that is downloaded now has no such IOP."""
    path = getattr(Device.active_device, "lock_file", DEVICE_FILE)
    found, address = os.stat(path), find_iop(mb_info)["phys_addr"]
    key = found.st_dev, found.st_ino, address
    name = mb_info["ip_name"].split("/")[0]
    return _locks.get(key) or _locks.setdefault(key, IopLock(path, address, name))


class IopLock:
    """Within `with lock.threads, lock:` no other thread or process has the IOP.

    After WAIT seconds it raises RuntimeError, which names the process that has the lock. Any thread
    may enter it, but not twice. A forked child gets a lock of its own.

    There are two steps because of the stop button: if a KeyboardInterrupt comes just when a lock
    was taken, only the interpreter's own lock is certain to be released. The file's lock may stay
    with the process then, until the process uses it again.

    Args:
        path: The file in which all memory is.
        address: The physical address of the IOP's memory.
        name: The IOP's, for errors."""

    def __init__(self, path, address, name):
        self._path, self._address, self._name = path, address, name
        self._take_it, self._give_back = (
            # struct flock64, the same on a board's 32 bits: l_type, l_whence, l_start, l_len, l_pid
            struct.pack("hhqqi4x", kind, os.SEEK_SET, address, IOP_BYTES, 0)
            for kind in (fcntl.F_WRLCK, fcntl.F_UNLCK)
        )
        self._open()

    def _open(self):
        self._threads = threading.Lock()
        self._file = open(self._path, "r+b", buffering=0)
        self._number = self._file.fileno()
        self._process = os.getpid()

    @property
    def threads(self):
        if self._process != os.getpid():  # a forked child shares its parent's open files
            self._open()
        return self._threads

    def __enter__(self):
        try:
            if self._take() or wait(self._take, time.monotonic() + WAIT):
                return
        except BaseException:
            self.__exit__()
            raise
        raise RuntimeError(
            f"{self._name} is in use by {holder(self._number, self._address)} and was not free for"
            f" {WAIT:.0f} s: wait until that notebook is done, or shut its kernel down."
        )

    def _take(self):
        try:
            fcntl.fcntl(self._number, F_OFD_SETLK, self._take_it)
            return True
        except BlockingIOError:
            return False

    def __exit__(self, *error):
        fcntl.fcntl(self._number, F_OFD_SETLK, self._give_back)


class Downloads:
    """Notices the overlays that any process of this board downloads. Any thread may call."""

    def __init__(self):
        self._count, self._process = 1, None
        self._unread = bytearray(4)
        # asked once, because each request asks twice for the last download
        self._is_shared = os.path.exists(FPGA_MANAGER)

    def last(self):
        """A value that changes with each download."""
        if not self._is_shared:  # the board belongs to this process
            return PL.timestamp
        if self._process != os.getpid():  # a forked child shares its parent's open files
            self._one_at_a_time = threading.Lock()  # or two threads would count an event twice
            self._events, self._process = _watch(), os.getpid()
        with self._one_at_a_time:
            fcntl.ioctl(self._events, termios.FIONREAD, self._unread)
            if any(self._unread):
                self._count += 1
                self._events.read(1 << 16)
            return self._count


downloads = Downloads()


def loading_lock():
    """This process's lock for loading a program: pynq's record of what each IOP runs is not made
    for two threads at once."""
    return _loading_locks.setdefault(os.getpid(), threading.Lock())


def _watch():
    """A file of inotify's that has something to read after each download."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if number >= 0:
        events = open(number, "rb", buffering=0)
        if libc.inotify_add_watch(number, FPGA_MANAGER.encode(), IN_OPEN | IN_MODIFY) >= 0:
            return events
    error = ctypes.get_errno()
    raise OSError(
        error,
        f"Linux does not tell when an overlay is downloaded ({os.strerror(error)}): restart the"
        " kernel, and shut down notebooks that you do not need.",
    )


def holder(file, address):
    """Who has the lock at an address of an open file, as "process 1234 (2_iop_example.ipynb)": with
    the notebook if Jupyter has told its name, or with the folder that the process runs in."""
    found = os.fstat(file)
    inode = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    lock = re.compile(f"^lock:.* OFDLCK .* WRITE .* {inode} {address} ", re.M)
    for path in glob.iglob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path) as file:
                if lock.search(file.read()):
                    break
        except OSError:  # it has just ended, or is another user's
            pass
    else:
        return "another process"
    process = path.split("/")[2]
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            name = re.search(rb"(?:^|\0)JPY_SESSION_NAME=([^\0]+)", file.read())
        name = name.group(1).decode(errors="replace") if name else None
        return f"process {process} ({name or os.readlink(f'/proc/{process}/cwd')})"
    except OSError:
        return "process " + process


class Session:
    """A program on the IOP. It leaves a mark in the IOP's memory, which is cleared whenever another
    program or overlay is loaded."""

    def __init__(self, place, made, anew, again):
        """
        Args:
            place: The mark's byte offset in the IOP's memory.
            made: For errors: what was made with this overlay, as in "this Pynq_Tutorial was made".
            anew: What to do if the overlay is gone.
            again: What to do if only the program is gone.
        """
        self._place, self._overlay = place // 4, downloads.last()
        self._gone = (
            f"An overlay was downloaded since {made}, by this notebook or another one, and its IOP"
            f" is gone: run overlay = Overlay(...) again, and then {anew}"
        )
        self._replaced = f"The IOP runs another program now: {again}"

    def mark(self, memory, mark):
        """Marks the IOP's memory, an array of 32-bit words."""
        self.words = memoryview(memory.view(np.ndarray))  # gives ints at a tenth of numpy's time
        memory[self._place] = self._mark = mark

    def has_overlay(self):
        """Whether no overlay was downloaded since, and the IOP is still at its address."""
        return downloads.last() == self._overlay

    def check_overlay(self):
        """Raises RuntimeError if an overlay was downloaded since."""
        if downloads.last() != self._overlay:
            raise RuntimeError(self._gone)

    def check_program(self, whole=True):
        """Raises RuntimeError if the mark is gone, or the caller knows that memory is not whole."""
        if not whole or self.words[self._place] != self._mark:
            raise RuntimeError(self._replaced)

    def check(self):
        """Raises RuntimeError unless the IOP still has this overlay and this program."""
        self.check_overlay()
        self.check_program()


def find_iop(mb_info):
    """What pynq knows of an IOP's memory: a dictionary. RuntimeError if the overlay that is
    downloaded now has no such IOP."""
    try:
        name = mb_info["ip_name"]
    except (TypeError, KeyError):
        raise TypeError(f"mb_info is {mb_info!r}: give overlay.iop1.mb_info.") from None
    iop = (PL.mem_dict or {}).get(name) or (PL.ip_dict or {}).get(name)
    if iop is None:
        raise RuntimeError(
            f"The overlay that is downloaded now has no {name.split('/')[0]}: download the"
            ' tutorial\'s with Overlay("./bitstream/pynq_tutorial.bit").'
        )
    return iop


def check_iop(mb_info):
    """Raises RuntimeError if the overlay that is downloaded now has no such IOP, or it runs a
    program of another kind."""
    iop = find_iop(mb_info)
    try:
        if iop["state"] not in (None, PROGRAM):
            read_program(iop["state"])
    except RuntimeError:
        raise RuntimeError(
            f"{mb_info['ip_name'].split('/')[0]} runs {iop['state']}: to end that program, load the"
            " overlay again, with overlay = Overlay(...)."
        ) from None
