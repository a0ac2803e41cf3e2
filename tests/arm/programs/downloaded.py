"""Another process downloads an overlay between two requests. Prints how the second one ends."""

from multiprocessing import Process

from pynq import Overlay, allocate

from iop.pynq_tutorial import Pynq_Tutorial

overlay = Overlay("./bitstream/pynq_tutorial.bit")
iop, buffer = Pynq_Tutorial(overlay.iop1.mb_info), allocate((10,), "u4")
iop.write_to_buffer(buffer, 10, 1)
other = Process(target=Overlay, args=("base.bit",))
other.start()
other.join()
assert other.exitcode == 0, other.exitcode
try:
    iop.write_to_buffer(buffer, 10, 1)
except RuntimeError as error:
    print(error)
