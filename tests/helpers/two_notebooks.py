"""What a request may end with in place of an answer, when another notebook loads an overlay or a
program at that moment. pynq's own downloads meet, too: they write the same file of /lib/firmware,
of which the FPGA manager refuses one half, and they remove and read the same state file."""

import re

ALLOWED = re.compile(
    "RuntimeError: (An overlay was downloaded|The overlay that is downloaded now has no|"
    "The IOP runs another|Overlay not currently loaded|The program of this function was stopped|"
    r"iop1 runs )|TimeoutError: The IOP|OSError: \[Errno 22\]|FileNotFoundError: \[Errno 2\]|"
    "JSONDecodeError: Expecting value"
)
