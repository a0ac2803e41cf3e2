"""What base overlays have and the virtual board has not: video, audio, trace analyzers. Each says
so when it is used."""

import pynq.overlay
from pynq import DefaultHierarchy, DefaultIP

from .messages import missing


class Missing:
    """A part that is not there. Using it, as in base.audio.record(5), is an AttributeError."""

    def __init__(self, what):
        self._what = what

    def __getattr__(self, name):
        if name.startswith("_"):  # Python and IPython look for these on their own
            raise AttributeError(name)
        raise AttributeError(missing(self._what))

    def __repr__(self):
        return missing(self._what)


class _Audio(DefaultIP):
    """In place of pynq.lib.audio's drivers, which need a library of the board's."""

    bindto = ["xilinx.com:user:audio_direct:1.1", "xilinx.com:user:audio_codec_ctrl:1.0"]

    def configure(self, *arguments, **options):
        """Does nothing: the class of a PYNQ-Z2's base overlay calls it."""

    def __getattr__(self, name):
        return getattr(Missing("audio"), name)


class _Video(DefaultHierarchy):
    """In place of pynq.lib.video's, whose pipelines wait for signals for ever."""

    @staticmethod
    def checkhierarchy(description):
        return "axi_vdma" in description["ip"]

    def __getattr__(self, name):
        return getattr(Missing("video"), name)


def take_their_places():
    """Makes pynq use these instead of its own drivers. Before each overlay, because pynq's may have
    been imported meanwhile."""
    for kind in _Audio.bindto:
        pynq.overlay._ip_drivers[kind] = _Audio
    if pynq.overlay._hierarchy_drivers[0] is not _Video:  # the first that fits is taken
        pynq.overlay._hierarchy_drivers.appendleft(_Video)
