"""Lets several notebooks share a board: processes use its IOP in turn, and notice if another has
changed the overlay.

Linux keeps the processes apart with flock(), whose lock ends with its process, however that ends.
inotify on the FPGA manager's file tells all of them that the fabric was configured. pynq 3 tells
only the process that did it."""

import ctypes
import fcntl
import os
import re
import struct
import termios
import threading
import time
import weakref

from pynq import Device

# The file from which pynq's own devices map an IOP's memory; a device with another memory names it
# as its lock_file.
DEVICE_FILE = "/dev/mem"
# to write a file's name there configures the fabric
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/firmware"
IN_MODIFY, IN_OPEN = 0x2, 0x20  # linux/inotify.h
# seconds for a lock that another process holds: far longer than any request that does not hang
WAIT = 10.0
LONGEST_PAUSE = 1e-3  # seconds between two tries


_locks = weakref.WeakValueDictionary()  # this process's BoardLocks, by the files that they lock


def board_lock():
    """The lock of the active board. Callers in this process get the same object, as long as one of
    them keeps it."""
    path = getattr(Device.active_device, "lock_file", DEVICE_FILE)
    found = os.stat(path)
    return _locks.setdefault((found.st_dev, found.st_ino), BoardLock(path))


class BoardLock:
    """Within `with lock.threads, lock:` no other thread and no other process that uses this lock
    has the board's IOPs.

    After WAIT seconds it raises RuntimeError, which names the process that has the lock. Any thread
    may enter it, but not twice. A forked child gets a lock of its own.

    There are two steps because of the stop button: if a KeyboardInterrupt comes just when a lock
    was taken, only the interpreter's own lock is certain to be released. The file's lock may stay
    with the process then, until the process uses it again."""

    def __init__(self, path):
        self._path = path
        self._open()

    def _open(self):
        self._threads = threading.Lock()
        self._file = open(self._path, "rb", buffering=0)
        self._number = self._file.fileno()
        self._process = os.getpid()

    @property
    def threads(self):
        # flock() locks an open file, which a forked child shares with its parent
        if self._process != os.getpid():
            self._open()
        return self._threads

    def __enter__(self):
        try:
            self._take()
        except BaseException:
            fcntl.flock(self._number, fcntl.LOCK_UN)
            raise

    def _take(self):
        started = None
        while True:
            try:
                return fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                started = started or time.monotonic()
                waited = time.monotonic() - started
                if waited > WAIT:
                    raise RuntimeError(
                        f"The IOP is in use by {holder(self._number)} and was not free for"
                        f" {waited:.0f} s: wait until that notebook is done, or shut its kernel"
                        " down."
                    ) from None
                time.sleep(min(waited / 4 + 2e-5, LONGEST_PAUSE))

    def __exit__(self, *error):
        fcntl.flock(self._number, fcntl.LOCK_UN)


def holder(file):
    """Who has the lock of an open file, as "process 1234 (2_iop_example.ipynb)": with the notebook
    if Jupyter has told its name, or with the folder that the process runs in."""
    try:
        found = os.fstat(file)
        inode = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        with open("/proc/locks") as locks:
            process = re.search(
                r"^\d+: FLOCK \S* *\S+ +WRITE +(\d+) " + inode + " ", locks.read(), re.M
            ).group(1)
    except (OSError, AttributeError):
        return "another process"
    try:
        with open(f"/proc/{process}/environ", "rb") as environment:
            name = re.search(rb"(?:^|\0)JPY_SESSION_NAME=([^\0]+)", environment.read())
        name = (
            name.group(1).decode(errors="replace") if name else os.readlink(f"/proc/{process}/cwd")
        )
    except OSError:
        return "process " + process
    return f"process {process} ({name})"


class _Downloads:
    """Counts how often it has seen that a process configured the fabric, from `count` on. Any
    thread may ask."""

    def __init__(self, count=1):
        self._count = count
        self._process = os.getpid()
        self._unread = bytearray(4)
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if (
            self._events < 0
            or libc.inotify_add_watch(self._events, FPGA_MANAGER.encode(), IN_OPEN | IN_MODIFY) < 0
        ):
            raise OSError(
                ctypes.get_errno(),
                "Linux does not tell when an overlay is downloaded"
                f" ({os.strerror(ctypes.get_errno())}): restart the kernel, and shut down notebooks"
                " that you do not need.",
            )

    def now(self):
        # a forked child shares its parent's events; it keeps the count
        if self._process != os.getpid():
            self.__init__(self._count)
        fcntl.ioctl(self._events, termios.FIONREAD, self._unread)
        if struct.unpack("i", self._unread)[0]:
            self._count += 1
            try:
                os.read(self._events, 1 << 16)
            except BlockingIOError:  # another thread has read it
                pass
        return self._count


_downloads = None  # False on a device that has no FPGA manager


def downloads():
    """A number that changes whenever any process of this board downloads an overlay. Without an
    FPGA manager it stays 0: then the device belongs to this process, and PL.timestamp tells."""
    global _downloads
    if _downloads is None:
        _downloads = os.path.exists(FPGA_MANAGER) and _Downloads()
    return _downloads and _downloads.now() or 0
