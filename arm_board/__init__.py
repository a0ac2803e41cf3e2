"""A board that boots, on a PC: Debian for 32-bit ARM in one QEMU, whose memory the IOPs share, each
in a QEMU of its own. `make board` runs it (__main__.py)."""


class BoardError(Exception):
    """What went wrong and what to do about it, in one sentence."""
