"""What another thread writes beside the words of a request stays, in a cacheable buffer. Prints
what was wrong."""

import sys
import threading

from kernels import start

from iop.xlnk import Xlnk

sys.setswitchinterval(1e-4)  # a busy thread would have the other wait 5 ms at each system call
iop, buffer = start(), Xlnk().cma_array((2048,), "u4", cacheable=1)
buffer[:] = 0
stop, wrong = threading.Event(), []


def count():
    number = 0
    while not stop.is_set():
        number += 1
        buffer[1024 + number % 1024] = number
        if buffer[1024 + number % 1024] != number:
            wrong.append(number)


thread = threading.Thread(target=count)
thread.start()
for data in range(200):
    iop.write_to_buffer(buffer, 1024, data)
    if buffer[0] != data or buffer[1023] != data + 1023:
        wrong.append(("request", data))
stop.set()
thread.join(60)
print(wrong)
