"""AXI DMA (xilinx.com:ip:axi_dma, PG021): between memory and AXI streams, in direct register mode
and with scatter and gather."""

from .dma_channel import ReadChannel, WriteChannel
from .peripheral import Peripheral


class Dma(Peripheral):
    """Transfers take no time. What a stream brings waits until the channel has somewhere to put it.

    Args:
        memory: What its masters reach, from address 0 on: numpy uint8.
        send: A function that takes each packet of MM2S, or None if the DMA has no such channel.
        receives: Whether it has S2MM.
        interrupts: Two functions that take the levels of mm2s_introut and s2mm_introut.
        length_width: C_SG_LENGTH_WIDTH: bits of a transfer's length in bytes.
        gathers: C_INCLUDE_SG: whether it works by descriptors alone."""

    KIND = "xilinx.com:ip:axi_dma"
    MM2S, S2MM = 0x00, 0x30

    @classmethod
    def for_linux(cls, ip, words, bus):
        return cls(
            words,
            bus.memory,
            bus.stream(ip, "M_AXIS_MM2S") if ip.parameter("C_INCLUDE_MM2S", 1) else None,
            bool(ip.parameter("C_INCLUDE_S2MM", 1)),
            (bus.interrupt(ip, "mm2s_introut"), bus.interrupt(ip, "s2mm_introut")),
            ip.parameter("C_SG_LENGTH_WIDTH", 14),
            bool(ip.parameter("C_INCLUDE_SG", 1)),
        )

    def __init__(self, words, memory, send, receives, interrupts, length_width, gathers):
        super().__init__(words, 0)
        self._memory = memory
        self.length_mask, self.gathers = 2**length_width - 1, gathers
        self._channels = {}
        if send is not None:
            self._channels[self.MM2S] = ReadChannel(self, self.MM2S, interrupts[0], send)
        if receives:
            self._channels[self.S2MM] = WriteChannel(self, self.S2MM, interrupts[1])

    def reset(self):
        for channel in self._channels.values():
            channel.packets.clear()
        self.reset_channels()

    def reset_channels(self):
        """What a channel's bit Reset does, for both."""
        for channel in self._channels.values():
            channel.reset()

    def written(self, offset, value):
        base = self.S2MM if offset >= self.S2MM else self.MM2S
        channel = self._channels.get(base)
        if channel is None:
            self[offset] = 0  # there are no such registers
        else:
            channel.written(offset - base, value)

    def receive(self, data):
        """A packet comes in by S_AXIS_S2MM: numpy uint8."""
        channel = self._channels.get(self.S2MM)
        if channel is not None:
            channel.receive(data)

    def part(self, address, length):
        """A part of the memory as numpy uint8, or None if there is no such memory."""
        if address + length > len(self._memory):
            return None
        return self._memory[address : address + length]
