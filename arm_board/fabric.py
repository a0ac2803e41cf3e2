"""The fabric of the board: the IOPs of the base overlay over the board's memory, and fabric.ko's
requests (module/outside.c)."""

import threading

from virtual_board.connector import wiring_of
from virtual_board.iop import Iop
from virtual_board.memory import CLOCKS, SLCR, SharedMemory
from virtual_board.microblaze.mmu import FILE_SIZE, IopMemory
from virtual_board.microblaze.qemu import QemuError

PHYSICAL = 1 << 32  # bytes: what 32-bit addresses reach
IPR = 0x04  # of the AXI interrupt controller (PG099): which interrupts are pending


class Fabric:
    """The IOPs, which stand still until fabric.ko lets one run. Any thread may call.

    Args:
        overlay: The description.Overlay of the base overlay. Whatever is downloaded, the fabric has
            its parts.
        plugged: {name of a connector: the module in it}

    memory: the board's, a SharedMemory"""

    def __init__(self, overlay, plugged):
        self.memory = SharedMemory(PHYSICAL)
        self._machine, self._lock = None, threading.RLock()
        self._pending = 0  # inputs of the interrupt controller, bit by bit
        self._controllers = {ip.name: ip.base for ip in overlay.ips}
        for offset, value in CLOCKS.items():
            self.memory.words[(SLCR[0] + offset) // 4] = value
        words = self.memory.words[: FILE_SIZE // 4]
        self._iops = []
        for number, described in enumerate(overlay.iops):
            memory = IopMemory(self.memory.file, words, number, described.memory.base)
            wiring = wiring_of(described.connector)
            if described.connector in plugged:
                wiring.plug(plugged[described.connector])
            interrupt = self._interrupt_of(described)
            self._iops.append(Iop(described, memory, wiring, interrupt))
        self.power_up()

    def _interrupt_of(self, described):
        """A function that takes the level of an IOP's interrupt line."""
        name, number = described.interrupt
        base = self._controllers[name]

        # Its registers are memory: nothing hears when pynq enables or acknowledges an interrupt.
        # What pynq reads is right nevertheless, because an IOP holds its line until pynq resets it.
        def line(level):
            with self._lock:
                self._pending = self._pending & ~(1 << number) | level << number
                self.memory.words[(base + IPR) // 4] = self._pending
                if self._machine:
                    self._machine.interrupt(bool(self._pending))

        return line

    def power_up(self):
        """The state after power-up, and after a download: IOPs stand still, their memory is
        empty."""
        for iop in self._iops:
            iop.configure()
            iop.emio(iop.described.acknowledge, True)
            iop.emio(iop.described.acknowledge, False)

    def serve(self, machine):
        """Answers the requests of a machine until it ends, is switched off or is restarted. Returns
        which: "ended", "poweroff" or "restart"."""
        self._machine = machine
        machine.interrupt(bool(self._pending))
        for line in machine.fabric.makefile("rb"):
            what, *numbers = line.decode().split()
            if what in ("poweroff", "restart"):
                return what
            try:
                self._do(what, *map(int, numbers))
                answer = b"0"
            except QemuError:
                answer = b"1"
            machine.fabric.sendall(answer)
        return "ended"

    def _do(self, what, *numbers):
        if what == "configure":
            self.power_up()
        elif what == "pin":
            for iop in self._iops:
                iop.emio(*numbers)

    def close(self):
        """Ends the IOPs."""
        for iop in self._iops:
            iop.close()
        self.memory.close()
