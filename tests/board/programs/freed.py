"""freed.py xlnk|pynq|reset: what becomes of a buffer that was freed. Prints how requests for it,
a view, an address and a copy end, and when its memory comes back."""

import sys

from kernels import start
from pynq import allocate

from iop.xlnk import Xlnk

iop, xlnk = start(), Xlnk()


def told(*targets):
    for target in targets:
        try:
            iop.write_to_buffer(target, 1, 1)
            yield "served"
        except (TypeError, ValueError) as error:
            yield type(error).__name__


def available():
    return xlnk.cma_stats()["CMA Memory Available"]


before = available()
take = allocate if sys.argv[1] == "pynq" else xlnk.cma_array
buffer = take((1000,), "u4")
view, copy, address = buffer[10:], buffer.copy(), buffer.physical_address
print(*told(buffer, view, address, copy))
taken = before - available()
xlnk.xlnk_reset() if sys.argv[1] == "reset" else buffer.freebuffer()
print(*told(buffer, view, address, copy))
back = [before == available()]
buffer.freebuffer()
del view, copy
back.append(before == available())
del buffer
print(taken, *back, before == available(), xlnk.cma_stats()["Buffer Count"])
