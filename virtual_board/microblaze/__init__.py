"""The IOP's processor, QEMU's MicroBlaze. From the outside in:

    owner.py      for any thread: a thread of its own works on the processor, and others ask that
    processor.py  what that thread does: reset, sleep, wake, serve the peripherals
    mmu.py        its memory, its reset code, and what keeps several IOPs apart
    idle.py       the proof that a program only waits
    gdb.py        the client of QEMU's GDB stub
    qemu.py       QEMU as a process

Only qemu.py and gdb.py can be imported without numpy, as `make doctor` does."""
