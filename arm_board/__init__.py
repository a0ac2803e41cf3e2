"""A PYNQ board's 32-bit ARM on a PC, made from Debian's packages and pynq's own. `make board` boots
it in one QEMU, whose memory the IOPs share, each in a QEMU of its own (__main__.py)."""


class BoardError(Exception):
    """What went wrong and what to do about it, in one sentence."""
