"""Arrays over what is on Linux's bus, which tell of what Python does."""

import time

import numpy as np

from .memory import BRAM_SIZE
from .messages import tell

# index of the word in which pynq's drivers give the IOP a command, and its program clears it
COMMAND = BRAM_SIZE // 4 - 1
# Seconds: the IOP gets them at most for a step that takes microseconds on a board.
SEEN_WITHIN, ANSWERED_WITHIN = 0.02, 1
GIVE_WAY = 1e-5  # seconds; Linux makes them longer
_read, _write = np.ndarray.__getitem__, np.ndarray.__setitem__


class WatchedMemory(np.ndarray):
    """An array that calls written() after Python wrote to it. Any thread may use it.

    The IOP is slow, and access to its memory gives it time. While `iop.serving` is true, each read
    lets other threads run: otherwise a driver that waits for the IOP keeps Python for 5 ms each
    time that the IOP waits to be served. Reads and writes of a driver's command wait until the IOP
    has had its time: pynq's Pmod_DevMode gives up after 10 ms, and Pmod_DPOT waits for no answer.
    """

    asked = 0, 0  # the last command, and when it was given

    @classmethod
    def over(cls, array, written, iop=None):
        watched = array.view(cls)
        watched.written, watched.iop = written, iop
        return watched

    def __array_finalize__(self, whole):
        self.written, self.iop = getattr(whole, "written", None), getattr(whole, "iop", None)

    def __getitem__(self, key):
        if self.iop is None:
            return _read(self, key)
        if isinstance(key, int) and key == COMMAND:
            self._wait_for_answer(ANSWERED_WITHIN)
        value = _read(self, key)
        if self.iop.serving:
            time.sleep(GIVE_WAY)
        return value

    def __setitem__(self, key, value):
        if isinstance(key, int) and key == COMMAND and self.iop is not None:
            self._wait_for_answer(SEEN_WITHIN)
            self.asked = value, time.monotonic()
        _write(self, key, value)
        self.written()

    def _wait_for_answer(self, seconds):
        """Waits until the IOP has cleared Python's last command, or the time is over."""
        command, given = self.asked
        while command and _read(self, COMMAND) == command and time.monotonic() < given + seconds:
            time.sleep(GIVE_WAY)


class Unmodelled(np.ndarray):
    """The registers of an IP that the virtual board has no model of: memory, which says so once."""

    @classmethod
    def over(cls, array, ip):
        unmodelled = array.view(cls)
        unmodelled.told, unmodelled.ip = [], ip
        return unmodelled

    def __array_finalize__(self, whole):
        # parts share the list, in which something is as soon as it has been told
        self.told, self.ip = getattr(whole, "told", None), getattr(whole, "ip", None)

    def __getitem__(self, key):
        self._tell()
        return _read(self, key)

    def __setitem__(self, key, value):
        self._tell()
        _write(self, key, value)

    def _tell(self):
        if self.told == []:
            self.told.append(True)
            tell(
                f"{self.ip.name} ({self.ip.vlnv}) has no model on the virtual board: there is"
                " nothing but memory in its place.\n"
            )
