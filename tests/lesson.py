"""lesson.py LESSON: runs the code cells of the original lesson, a text with `In [None]:` before each, one after the other.

They are left as they are, but for one line where pynq no longer has Xlnk: there it comes from iop.xlnk.
"""

import ast
import re
import sys


def code_cells(text):
    """The sources of the code cells. After a cell's code, prose goes on behind a blank line."""
    return [_code_of(section) for section in re.split(r"\nIn \[None\]:\n", text)[1:]]


def _code_of(section):
    parts = section.split("\n\n")
    for count in range(len(parts), 0, -1):
        source = "\n\n".join(parts[:count]).strip()
        try:
            ast.parse(source)
            return source
        except SyntaxError:
            pass
    raise ValueError("no code begins here: " + section)


def for_this_pynq(source):
    """`source`, with Xlnk from the kit where pynq has none."""
    import pynq
    return source if hasattr(pynq, "Xlnk") else source.replace("from pynq import Xlnk", "from iop.xlnk import Xlnk")


if __name__ == "__main__":
    import virtual_board
    virtual_board.activate()
    with open(sys.argv[1]) as lesson:
        cells = code_cells(lesson.read())
    names = {"__name__": "__main__"}
    for number, source in enumerate(cells):
        exec(compile(for_this_pynq(source), "<cell {}>".format(number), "exec"), names)
