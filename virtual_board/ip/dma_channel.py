"""The two channels of the AXI DMA (xilinx.com:ip:axi_dma, PG021): MM2S reads memory, and S2MM
writes to it."""

import collections

import numpy as np

# offsets of a channel's registers, and of the words of a descriptor
DMACR, DMASR, CURDESC, TAILDESC, ADDRESS, LENGTH = 0x00, 0x04, 0x08, 0x10, 0x18, 0x28
NXTDESC, BUFFER_ADDRESS, CONTROL, STATUS, DESCRIPTOR_SIZE = 0x00, 0x08, 0x18, 0x1C, 0x40
MSB = 4  # the upper half of an address is in the next register
# DMACR
RS, ALWAYS, RESET, CYCLIC, IOC_IRQ_EN, ERR_IRQ_EN = 0x1, 0x2, 0x4, 0x10, 0x1000, 0x4000
THRESHOLD = 0xFF0000
# DMASR
HALTED, IDLE, SG_INCLD, DMA_INT_ERR, DMA_DEC_ERR = 0x1, 0x2, 0x8, 0x10, 0x40
SG_INT_ERR, SG_DEC_ERR, IOC_IRQ, DLY_IRQ, ERR_IRQ = 0x100, 0x400, 0x1000, 0x2000, 0x4000
# a descriptor's CONTROL, and in the same places of its STATUS what came in; STATUS
END, START, LENGTH_MASK = 1 << 26, 1 << 27, 0x03FFFFFF
CMPLT, OF_STATUS = 1 << 31, {DMA_INT_ERR: 1 << 28, DMA_DEC_ERR: 1 << 30}


class Failure(Exception):
    """A transfer fails. Its argument is the error bit of DMASR."""


class Channel:
    """What both have in common. Its registers begin at the offset `base` of the DMA.

    Args:
        interrupt: A function that takes the level of its interrupt output.

    packets: what the stream has brought, each numpy uint8"""

    def __init__(self, dma, base, interrupt):
        self.dma, self._base, self._interrupt = dma, base, interrupt
        self.packets = collections.deque()

    def __getitem__(self, register):
        return self.dma[self._base + register]

    def __setitem__(self, register, value):
        self.dma[self._base + register] = value

    def address(self, register):
        return self[register] | self[register + MSB] << 32

    def reset(self):
        for register in range(0, LENGTH + 4, 4):
            self[register] = 0
        self._control = ALWAYS | 1 << 16
        self._status = HALTED | SG_INCLD * self.dma.gathers
        self._next = self._current = None  # of descriptors: their addresses
        self._works = False  # a transfer was begun, and has not ended
        self._show()

    def written(self, register, value):
        """One of the registers was written."""
        if register == DMACR:
            self._set_control(value)
        elif register == DMASR:
            self._status &= ~(value & (IOC_IRQ | DLY_IRQ | ERR_IRQ))
        elif register == LENGTH and not self.dma.gathers:
            self[LENGTH] = value & self.dma.length_mask
            self._begin(self[LENGTH])
        elif register == TAILDESC and self.dma.gathers:
            self._begin(True)
        elif register == CURDESC and not self._status & HALTED:
            self[CURDESC] = self._current or 0  # only a channel that stands takes it
        self._show()

    def _set_control(self, value):
        if value & RESET:
            self.dma.reset_channels()
            return
        if value & RS and not self._control & RS:
            self._status &= ~(HALTED | IDLE)
            self._next = self.address(CURDESC)
        elif not value & RS:
            self._status |= HALTED
            self._works = False
        self._control = value | ALWAYS

    def _begin(self, wanted):
        if wanted and self._control & RS:
            self._status &= ~IDLE
            self._works = True
            self._go_on()

    def _go_on(self):
        """Does what can be done now of the transfer."""
        if not self._works:
            return
        try:
            if self.dma.gathers:
                done = self.descriptors()
            else:
                done = self.direct()
        except Failure as failure:
            (error,) = failure.args
            self._status |= error | ERR_IRQ | HALTED
            self._control &= ~RS
            self._works = False
        else:
            if done:
                self._status |= IDLE | IOC_IRQ
                self._works = False
        self._show()

    def _show(self):
        threshold = self._control & THRESHOLD if self.dma.gathers else 0
        self[DMACR], self[DMASR] = self._control, self._status | threshold
        raised = self._status & self._control & (IOC_IRQ_EN | ERR_IRQ_EN)
        self._interrupt(bool(raised))

    def part(self, address, length):
        """A part of the memory as numpy uint8. Failure if there is no such memory."""
        part = self.dma.part(address, length)
        if part is None:
            raise Failure(DMA_DEC_ERR)
        return part

    def direct(self):
        """Carries out the transfer that LENGTH began. Returns whether it is done."""
        raise NotImplementedError

    def descriptors(self):
        """Follows the descriptors, up to that of TAILDESC. Returns whether it is done."""
        while True:
            descriptor = self._descriptor()
            control = int(descriptor[CONTROL // 4])
            length = control & self.dma.length_mask & LENGTH_MASK
            try:
                if not length:
                    raise Failure(DMA_INT_ERR)
                address = int(descriptor[BUFFER_ADDRESS // 4])
                address |= int(descriptor[BUFFER_ADDRESS // 4 + 1]) << 32
                status = self.one(self.part(address, length), control)
            except Failure as failure:
                descriptor[STATUS // 4] = OF_STATUS[failure.args[0]]
                raise
            if status is None:
                return False  # nothing to fill it with yet
            descriptor[STATUS // 4] = status | CMPLT
            is_last = self._current == self.address(TAILDESC)
            self._next = int(descriptor[NXTDESC // 4]) | int(descriptor[NXTDESC // 4 + 1]) << 32
            if is_last:
                return True

    def _descriptor(self):
        self._current = self._next
        part = self.dma.part(self._current, DESCRIPTOR_SIZE)
        if part is None or self._current % DESCRIPTOR_SIZE:
            raise Failure(SG_DEC_ERR if part is None else SG_INT_ERR)
        self[CURDESC], self[CURDESC + MSB] = self._current & 0xFFFFFFFF, self._current >> 32
        descriptor = part.view(np.uint32)
        if int(descriptor[STATUS // 4]) & CMPLT:
            raise Failure(SG_INT_ERR)
        return descriptor

    def one(self, part, control):
        """Transfers the part of memory that a descriptor names. Returns its STATUS without Cmplt,
        or None if that has to wait."""
        raise NotImplementedError


class ReadChannel(Channel):
    """MM2S. A ring of descriptors (Cyclic) is sent once, and the channel is busy until it is
    stopped.

    Args:
        send: A function that takes each packet, numpy uint8."""

    def __init__(self, dma, base, interrupt, send):
        super().__init__(dma, base, interrupt)
        self._send, self._gathered = send, []

    def reset(self):
        self._gathered = []
        super().reset()

    def direct(self):
        self._send(self.part(self.address(ADDRESS), self[LENGTH]).copy())
        return True

    def descriptors(self):
        if self._control & CYCLIC:
            # its TAILDESC is none of the ring's
            try:
                super().descriptors()
            except Failure as failure:
                if failure.args != (SG_INT_ERR,):  # it has come around
                    raise
            return False
        return super().descriptors()

    def one(self, part, control):
        self._gathered.append(part.copy())
        if control & END:
            packet, self._gathered = np.concatenate(self._gathered), []
            self._send(packet)
        return len(part)


class WriteChannel(Channel):
    """S2MM. A packet that is longer than the transfer is an internal error, and its rest waits."""

    def receive(self, data):
        """The stream brings a packet: numpy uint8."""
        self.packets.append(data)
        self._go_on()

    def reset(self):
        self._first = True  # the next byte is the first of its packet
        super().reset()

    def direct(self):
        if not self.packets:
            return False
        length = self[LENGTH]
        packet = self.packets[0]
        part = self.part(self.address(ADDRESS), min(length, len(packet)))
        part[:] = packet[:length]
        self._take(length)
        if len(packet) > length:
            raise Failure(DMA_INT_ERR)
        self[LENGTH] = len(packet)
        return True

    def one(self, part, control):
        if not self.packets:
            return None
        packet = self.packets[0]
        length = min(len(part), len(packet))
        part[:length] = packet[:length]
        status = length | START * self._first
        self._take(length)
        self._first = len(packet) == length
        return status | END * self._first

    def _take(self, length):
        """Takes the first bytes out of what has come in."""
        rest = self.packets.popleft()[length:]
        if len(rest):
            self.packets.appendleft(rest)
