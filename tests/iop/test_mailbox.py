"""mb_src/mailbox.h is the one definition of the mailbox: Python and the notebook say the same."""

import json
import re

from helpers.kit import ROOT
from iop import pynq_tutorial

HEADER = (ROOT / "mb_src" / "mailbox.h").read_text()
DEFINES = {
    name: int(value, 0)
    for name, value in re.findall(r"^#define (\w+)\s+(0x[0-9A-Fa-f]+|\d+)u?\b", HEADER, re.M)
}
C_SOURCE = (ROOT / "mb_src" / "pynq_tutorial.c").read_text()


def test_the_header_defines_what_the_protocol_needs():
    assert set(DEFINES) == {
        "MAILBOX_BASE",
        "BUFFER_ADDR",
        "ARRAY_LENGTH",
        "INIT_DATA",
        "STATUS",
        "STATUS_READY",
        "STATUS_REFUSED",
    }


def test_python_has_the_words_where_the_header_puts_them():
    assert pynq_tutorial.MAILBOX == DEFINES["MAILBOX_BASE"]
    for number, word in enumerate(pynq_tutorial.MAILBOX_WORDS):
        assert DEFINES[word] == number
        assert getattr(pynq_tutorial, word) == DEFINES["MAILBOX_BASE"] + 4 * DEFINES[word], word


def test_python_has_the_values_of_status():
    assert pynq_tutorial.STATUS_READY == DEFINES["STATUS_READY"]
    assert pynq_tutorial.STATUS_REFUSED == DEFINES["STATUS_REFUSED"]


def test_the_linker_script_keeps_the_mailbox_free():
    script = (ROOT / "mb_src" / "iop.ld").read_text()
    origin = int(re.search(r"mailbox .*ORIGIN = (0x\w+)", script).group(1), 16)
    assert origin == DEFINES["MAILBOX_BASE"]


def test_the_notebook_shows_the_program_as_it_is():
    cells = json.loads((ROOT / "notebooks" / "2_iop_example.ipynb").read_text())["cells"]
    snippets = [
        code
        for cell in cells
        for code in re.findall(r"```c\n(.*?)```", "".join(cell["source"]), re.S)
    ]
    assert len(snippets) == 1
    assert snippets[0].strip() in C_SOURCE
