"""The IOP's processor, QEMU's MicroBlaze. From the outside in:

    owner.py         for any thread: a thread of its own works on the processor, and others ask that
    processor.py     what that thread does: reset, sleep, wake, serve the peripherals
    mmu.py           its memory, its reset code, and what keeps several IOPs apart
    accesses.py      the program's accesses to peripherals
    idle.py          the proof that a program only waits
    instructions.py  what instructions do, for the two before
    pages.py         which pages of memory a QEMU has used
    gdb.py           the client of QEMU's GDB stub
    qemu.py          QEMU as a process

`make doctor` imports qemu.py and gdb.py where there is no numpy."""
