"""left.py [killed]: a student stops before there is an IOP: at the notebook's end, or by a kernel
that is killed."""

import os
import signal
import sys

from IPython.core.interactiveshell import InteractiveShell

run = InteractiveShell.instance().run_cell
run("import iop.xlnk").raise_error()
run("from pynq import Overlay; Overlay('./bitstream/pynq_tutorial.bit')").raise_error()
if sys.argv[1:]:
    os.kill(os.getpid(), signal.SIGKILL)
