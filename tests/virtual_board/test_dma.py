"""pynq's own driver of the AXI DMA: transfers there and back, descriptors, interrupts, errors."""

import numpy as np
import pytest
from pynq import Overlay, allocate

from helpers import overlays
from helpers.drivers import wakes
from virtual_board.hwh_writer import Hwh


@pytest.fixture
def parts(board, tmp_path):
    return Overlay(overlays.write(overlays.board_design(), tmp_path))


@pytest.mark.parametrize("name", ["direct", "gathering"])
def test_dma_there_and_back(parts, name):
    dma, sent, received = getattr(parts, name), allocate(1000, "u4"), allocate(1000, "u4")
    sent[:] = np.arange(1000) * 7
    for first in dma.sendchannel, dma.recvchannel:
        received[:] = 0
        for channel in sorted((dma.sendchannel, dma.recvchannel), key=lambda c: c is not first):
            channel.transfer(sent if channel is dma.sendchannel else received)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert (received == sent).all() and dma.recvchannel.transferred == 4000
    with pytest.raises(RuntimeError):  # DMA channel not started, for it has ended; or idle
        dma.recvchannel.transfer(received) if name == "direct" else dma.recvchannel.wait()
        dma.recvchannel.transfer(received)


@pytest.mark.parametrize("name", ["direct", "gathering"])
def test_dma_interrupts(parts, name):
    dma, sent, received = getattr(parts, name), allocate(64, "u4"), allocate(64, "u4")
    seen = []

    async def receive():
        dma.recvchannel.transfer(received)
        await dma.recvchannel.wait_async()
        await dma.sendchannel.wait_async()
        seen.append((received == sent).all())

    def send():
        sent[:] = sent[0] + 1
        dma.sendchannel.transfer(sent)

    wakes(*[(receive, send)] * 3)
    assert seen == [True] * 3 and sent[0] == 3


def test_dma_of_cacheable_buffers_and_a_part(parts):
    sent, received = (allocate(8, "u4", cacheable=1) for _ in range(2))
    sent[:] = range(8)
    dma = parts.direct
    dma.recvchannel.transfer(received)
    dma.sendchannel.transfer(sent, start=8, nbytes=12)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    assert received.tolist() == [2, 3, 4, 0, 0, 0, 0, 0] and dma.recvchannel.transferred == 12


class Nowhere:
    """Like a buffer, of an address where there is no memory."""

    nbytes, physical_address = 64, 0x20000000

    def flush(self):
        pass

    invalidate = flush


@pytest.mark.parametrize("name", ["direct", "gathering"])
def test_dma_errors(parts, board, name):
    dma, buffer = getattr(parts, name), allocate(16, "u4")
    dma.sendchannel.transfer(Nowhere())
    assert dma.sendchannel.error and not dma.sendchannel.running
    if name == "direct":
        with pytest.raises(RuntimeError, match="DMA channel not started"):
            dma.sendchannel.wait()
    else:
        with pytest.raises(RuntimeError, match="Decode Error"):
            dma.sendchannel.wait()
    dma.mmio.write(0, 4)  # DMACR: Reset
    assert not dma.sendchannel.error
    assert not (dma.recvchannel.running or dma.recvchannel.error)
    if name == "direct":
        with pytest.raises(ValueError, match="exceeds the maximum DMA buffer size 16383"):
            dma.sendchannel.start()
            dma.sendchannel.transfer(allocate(5000, "u4"))
        # a packet longer than its place
        dma.recvchannel.start()
        dma.recvchannel.transfer(buffer, nbytes=16)
        buffer[:] = 5
        dma.sendchannel.transfer(buffer)
        assert dma.recvchannel.error and dma.mmio.read(0x34) & 0x4011 == 0x4011
        # the hardware has no more bits for a length
        dma.mmio.write(0x28, 0x4000)
        assert dma.mmio.read(0x28) == 0
    assert board.stray_writes() == []


def test_dma_descriptors(parts):
    """A packet that ends early, a descriptor used twice, and descriptors that are not there."""
    dma, buffer, ring = parts.gathering, allocate(32, "u4"), allocate((4, 16), "u4")
    sent = allocate(10, "u4")
    sent[:] = range(10)
    at = ring.physical_address
    for number in range(4):
        ring[number, 0] = at + 64 * ((number + 1) % 4)
        # of CONTROL, the DMA has 14 bits for the length
        ring[number, 2], ring[number, 6] = buffer.physical_address + 32 * number, 0x4000 | 32

    def receive(first, last):
        dma.mmio.write(0x30, 0)
        dma.mmio.write(0x38, at + 64 * first)
        dma.mmio.write(0x30, 1)
        dma.mmio.write(0x40, at + 64 * last)

    receive(0, 2)
    dma.sendchannel.transfer(sent)
    dma.sendchannel.wait()
    received, ends, starts = 1 << 31, 1 << 26, 1 << 27
    assert ring[:, 7].tolist() == [received | starts | 32, received | ends | 8, 0, 0]
    assert not dma.recvchannel.idle
    dma.sendchannel.transfer(sent, nbytes=8)  # pynq makes two descriptors of it
    dma.sendchannel.wait()
    assert int(ring[2, 7]) == received | starts | ends | 8 and dma.recvchannel.idle
    assert buffer[:18].tolist() == [*range(10), *[0] * 6, 0, 1]
    receive(0, 0)
    assert dma.mmio.read(0x34) & 0x4101 == 0x4101  # SGIntErr, Halted
    at = 0x1FFFFFFF + 1
    receive(0, 0)
    assert dma.mmio.read(0x34) & 0x400  # SGDecErr


def test_a_stream_that_leads_nowhere_is_told_once(board, tmp_path, capfd):
    design = Hwh("lost")
    overlays.dma(design, "dma", 0x40400000)
    design.add("sink", "xilinx.com:ip:axis_to_video:1.0")
    design.stream("dma.M_AXIS_MM2S", "sink.S_AXIS")
    dma, data = Overlay(overlays.write(design, tmp_path)).dma, allocate(4, "u4")
    for _ in range(2):
        dma.sendchannel.transfer(data)
        dma.sendchannel.wait()
    said = capfd.readouterr().err
    assert said.count("dma sends goes to sink (xilinx.com:ip:axis_to_video:1.0)") == 1
