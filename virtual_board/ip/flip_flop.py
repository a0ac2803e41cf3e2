"""Flip-flop (xilinx.com:user:dff_en_reset_vector, boards/ip/dff_en_reset_vector in PYNQ's
repository): it keeps an IOP's interrupt until Linux acknowledges it."""

import threading


class FlipFlop:
    """A high level at its input sets it until it is reset. Any thread may call it: the IOP's thread
    sets it, and one of Linux's resets it.

    Args:
        output: A function that takes its level."""

    def __init__(self, output):
        self._output, self._lock = output, threading.RLock()
        self._input = self._held = False

    def enable(self, level):
        """The level at its input."""
        with self._lock:
            self._input = bool(level)
            self._clock()

    def reset(self, level):
        """The level of its reset, which holds it while it is high."""
        with self._lock:
            self._held = bool(level)
            self._clock()

    def _clock(self):
        if self._held:
            self._output(0)
        elif self._input:
            self._output(1)
