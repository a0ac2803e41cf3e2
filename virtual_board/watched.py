"""Arrays over what is on Linux's bus, which tell of what Python does."""

import time

import numpy as np

from .ip.peripheral import Peripheral
from .memory import BRAM_SIZE
from .messages import missing, tell

# index of the word in which pynq's drivers give the IOP a command, and its program clears it
COMMAND = BRAM_SIZE // 4 - 1
# Seconds: the IOP gets them at most for a step that takes microseconds on a board.
SEEN_WITHIN, ANSWERED_WITHIN = 0.02, 5
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
        while command and _read(self, COMMAND) == command:
            waited = time.monotonic() - given
            if waited >= seconds:
                return
            # the longer, the fewer looks: each takes Python from the thread that serves the IOP
            time.sleep(min(max(GIVE_WAY, waited / 16), seconds - waited))


class Registers(np.ndarray):
    """The registers of an IP on Linux's bus: each access tells the model behind them. Any thread
    may use it.

    A slice or a view of the array is still the registers. A copy is not. copy(), tolist(),
    arithmetic and printing read each register; numpy.array(registers) sees the words as the model
    left them, and the model does not see it.

    Args of over():
        words: The memory of the registers, numpy uint32.
        access: A context manager, within which each access happens.
        place: Has the attribute model, a Peripheral, or None for mere memory; and was_written(),
            which is called after the model's written().
    """

    @classmethod
    def over(cls, words, access, place):
        registers = words.view(cls)
        registers._start, registers._origin = 0, (_address(words), words.nbytes)
        registers._access, registers._place = access, place
        return registers

    def __array_finalize__(self, whole):
        self._place = None
        if getattr(whole, "_place", None) is not None:
            origin, size = whole._origin
            start = _address(self) - origin
            if 0 <= start < size or self.size == 0:  # else it is a copy
                self._start, self._origin = start, whole._origin
                self._access, self._place = whole._access, whole._place

    def __getitem__(self, key):
        if self._place is None:
            return _read(self, key)
        with self._access:
            model = self._place.model
            if model is None:
                return _read(self, key)
            value = _read(self, key)
            if getattr(value, "_place", None) is not None:
                return value  # a part, whose elements have not been read
            offsets = self._offsets(key)
            for offset in offsets:
                model.before_read(offset)
            value = _read(self, key)
            for offset in offsets:
                model.was_read(offset)
        return value

    def __setitem__(self, key, value):
        if self._place is None:
            _write(self, key, value)
            return
        with self._access:
            model = self._place.model
            _write(self, key, value)
            if model is None:
                return
            for offset in self._offsets(key):
                model.written(offset, model[offset])
            self._place.was_written()

    def _offsets(self, key):
        """The offsets of the registers to which a key leads."""
        if type(key) is int and self.ndim == 1 and self.itemsize == 4:
            index = key if key >= 0 else key + len(self)
            return (self._start + self.strides[0] * index & ~3,)
        places = self._start + np.tensordot(self.strides, np.indices(self.shape), 1)[key]
        words = [np.ravel(places) + byte & ~3 for byte in range(0, self.itemsize, 4)]
        return np.unique(words).tolist()

    def _values(self):
        """The values that a processor would read now, as a plain array."""
        plain = np.empty(self.shape, self.dtype)
        for index in np.ndindex(self.shape):
            plain[index] = self[index]
        return plain

    def copy(self, order="C"):
        return self._values()

    def astype(self, dtype, **options):
        return self._values().astype(dtype, **options)

    def tolist(self):
        return self._values().tolist()

    def tobytes(self, order="C"):
        return self._values().tobytes(order)

    def __repr__(self):
        return repr(self._values())

    def __str__(self):
        return str(self._values())

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        inputs = [one._values() if isinstance(one, Registers) else one for one in inputs]
        results = getattr(ufunc, method)(*inputs, **options)
        if out is None:
            return results
        for array, result in zip(out, results if isinstance(results, tuple) else (results,)):
            array[...] = result
        return out[0] if len(out) == 1 else out


def _address(array):
    return array.__array_interface__["data"][0]


class Unmodelled(Peripheral):
    """The place of an IP that the virtual board has no model of: memory, which says so once."""

    def __init__(self, ip, words):
        super().__init__(words, 0)
        self._ip, self._told = ip, False

    def was_read(self, offset):
        if not self._told:
            self._told = True
            tell(
                f"{self._ip.name} ({self._ip.vlnv}) has no model on the virtual board: there is"
                " nothing but memory in its place.\n"
            )

    def written(self, offset, value):
        self.was_read(offset)


class Refused(Peripheral):
    """The place of an IP whose driver would wait for ever: a write is a RuntimeError.

    Args:
        what: What the IP is, for the message."""

    def __init__(self, ip, words, what):
        super().__init__(words, 0)
        self._ip, self._what = ip, what

    def written(self, offset, value):
        raise RuntimeError(f"{missing(self._what)} ({self._ip.name} was to be started.)")
