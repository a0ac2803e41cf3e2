"""empty_kernels.py NUMBER: starts and ends so many kernels, one after the other."""

import sys

from jupyter_client.manager import start_new_kernel

for _ in range(int(sys.argv[1])):
    manager, client = start_new_kernel()
    client.stop_channels()
    manager.shutdown_kernel()
