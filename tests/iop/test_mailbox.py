"""mb_src/mailbox.h is the one definition of the mailbox: Python and the notebook say the same."""

import json
import re

from helpers.kit import ROOT
from iop import pynq_tutorial

HEADER = (ROOT / "mb_src" / "mailbox.h").read_text()
C_SOURCE = (ROOT / "mb_src" / "pynq_tutorial.c").read_text()


def test_python_has_the_words_where_the_header_puts_them():
    found = re.findall(r"^#define (\w+)\s+(0x[0-9A-Fa-f]+|\d+)u?\b", HEADER, re.M)
    defines = {name: int(value, 0) for name, value in found}
    assert pynq_tutorial.MAILBOX == defines.pop("MAILBOX_BASE")
    for number, word in enumerate(pynq_tutorial.MAILBOX_WORDS):
        assert defines.pop(word) == number
        assert getattr(pynq_tutorial, word) == pynq_tutorial.MAILBOX + 4 * number, word
    for name in "STATUS_READY", "STATUS_REFUSED":
        assert defines.pop(name) == getattr(pynq_tutorial, name)
    assert not defines


def test_the_linker_script_keeps_the_mailbox_free():
    script = (ROOT / "mb_src" / "iop.ld").read_text()
    origin = int(re.search(r"mailbox .*ORIGIN = (0x\w+)", script).group(1), 16)
    assert origin == pynq_tutorial.MAILBOX
    # nor does a stack frame reach the mark, which is between the two
    stack_top = origin - int(re.search(r"_stack_top = ORIGIN\(mailbox\) - (\d+);", script).group(1))
    assert stack_top + 28 <= pynq_tutorial.LOADED < origin


def test_the_notebook_shows_the_program_as_it_is():
    cells = json.loads((ROOT / "notebooks" / "2_iop_example.ipynb").read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    (snippet,) = re.findall(r"```c\n(.*?)```", text, re.S)
    assert snippet.strip() in C_SOURCE
