#!/usr/bin/env python3
"""check.py OBJDUMP REBUILT COMMITTED: checks that the committed program is built from its source,
and that a stock IOP can run it.

Prints one line and exits with 0, or says what is wrong and exits with 1.
"""

import re
import subprocess
import sys
from pathlib import Path

HEADER = range(4, 12)  # crt0.S: magic and length, which are data

# The instructions of a MicroBlaze without options (UG984). Shifts by more than one, multiplication,
# division, float, msrset, pattern compare, MMU and stream instructions are options, and a stock IOP
# has none of them.
BASIC = re.compile(
    r"""(add|rsub)i?k?c? | (add|rsub)i?ck? | add?ik?c? | rsubik?c? | cmpu? | nop | imm
                     | (and|andn|or|xor)i? | sra | src | srl | sext8 | sext16
                     | l[bh]ui? | lwi? | s[bhw]i? | mfs | mts
                     | br(a|ai|ald|alid|ad|aid|d|i|id|ld|lid)? | b(eq|ne|lt|le|gt|ge)i?d?
                     | rtsd | rtid""",
    re.X,
)


def lacking(objdump, program):
    """[(address, instruction), ...] of the instructions in a program file that are not basic ones,
    by GNU objdump."""
    listing = subprocess.run(
        [objdump, "-D", "-EL", "-b", "binary", "-m", "microblaze", str(program)],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    ).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\t[0-9a-f]{8} \t(.*)", listing, re.M)
    if not lines:
        raise SystemExit(f"check: objdump shows no instructions in {program}")
    return [
        (int(address, 16), text.strip())
        for address, text in lines
        if int(address, 16) not in HEADER and not BASIC.fullmatch(text.split("\t")[0].strip())
    ]


def main(objdump, rebuilt, committed):
    if Path(rebuilt).read_bytes() != Path(committed).read_bytes():
        sys.exit(
            f"check: {committed} is not what the source makes: run `make firmware` with no other"
            " mb-gcc on the PATH, look at the difference, and commit it."
        )
    wrong = lacking(objdump, committed)
    if wrong:
        sys.exit(
            f"check: a stock IOP lacks these instructions of {committed}:\n"
            + "\n".join(f"  {address:#06x}  {text}" for address, text in wrong)
        )
    print(
        f"check: {Path(committed).name} is what its source makes, {Path(committed).stat().st_size}"
        " bytes, and a stock IOP has every instruction of it"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
