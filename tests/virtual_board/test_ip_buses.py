"""AXI IIC (PG090) and AXI Quad SPI (PG153): registers, in cases that pynq's drivers do not show.

A step of the tables: a register, and the values written to it, or read from it if it is a receive
FIFO or an occupancy; then what the bus was told, and the flags."""

import pytest

from helpers.registers import Processor
from virtual_board.ip import Iic, Spi


class Bus:
    """Keeps what it is told. Devices have the addresses 0x10, and 0x11, which acknowledges two
    bytes that are written."""

    def __init__(self):
        self.told, self.reads = [], 0

    def i2c_start(self, address, reading):
        self.told.append(f"{'r' if reading else 'w'}{address:x}")
        self.room = 2 if address == 0x11 else 100
        return address in (0x10, 0x11)

    def i2c_write(self, byte):
        self.told.append(byte)
        self.room -= 1
        return self.room >= 0

    def i2c_read(self, acknowledged):
        self.reads += 1
        self.told.append(f"{self.reads}" if acknowledged else f"{self.reads} last")
        return self.reads

    def i2c_stop(self):
        self.told.append("stop")

    def spi_select(self, selected):
        self.told.append(selected)

    def spi_transfer(self, byte):
        self.told.append(byte)
        return byte ^ 0xFF


def follow(peripheral, steps, flags):
    """Takes the steps of a table. flags: {register: names of its bits}"""
    bus = Bus()
    processor = Processor(peripheral, bus)
    for register, values, told, expected in steps:
        if register in peripheral.READ + (peripheral.TX_FIFO_OCY, peripheral.RX_FIFO_OCY):
            assert [processor.read(register) for _ in values] == list(values)
        else:
            processor.write(register, *values)
        bits = [(flag, name) for flag, names in flags.items() for name in names.split()]
        seen = {name for flag, name in bits if processor.read(flag) & getattr(peripheral, name)}
        assert (bus.told, seen) == (list(told), set(expected.split())), (register, values)
        bus.told.clear()


CR, TX, RX = Iic.CR, Iic.TX_FIFO, Iic.RX_FIFO
ON, MASTER = Iic.EN, Iic.EN | Iic.MSMS  # a master reads, and with Iic.TX it writes
SEND, LAST = MASTER | Iic.TX, MASTER | Iic.TXAK
IIC_FLAGS = {
    Iic.SR: "BB SRW TX_FIFO_EMPTY RX_FIFO_EMPTY SR_RX_FIFO_FULL",
    Iic.ISR: "TX_ERROR RX_FULL BUS_NOT_BUSY",
    Iic.CR: "MSMS RSTA",
}
EMPTY = "TX_FIFO_EMPTY RX_FIFO_EMPTY"
IDLE, BUSY, OWN = f"BUS_NOT_BUSY {EMPTY}", f"BB {EMPTY}", f"BB MSMS {EMPTY}"
FULL, UNSENT = "BB MSMS SRW TX_FIFO_EMPTY RX_FULL", "BUS_NOT_BUSY RX_FIFO_EMPTY"
IIC_STEPS = {
    "stops after one more byte": [
        (CR, [ON, SEND], [], OWN),
        (TX, [0x20, 1, 2], ["w10", 1, 2], OWN),
        (CR, [ON | Iic.TX], [], BUSY),
        (TX, [3], [3, "stop"], IDLE),
    ],
    "nobody acknowledges the address": [
        (TX, [0x44, 1, 2], [], UNSENT),
        (CR, [SEND], ["w22"], OWN + " TX_ERROR"),
        (CR, [ON], ["stop"], IDLE + " TX_ERROR"),
        (Iic.ISR, [Iic.TX_ERROR], [], IDLE),
    ],
    "a byte is not acknowledged": [
        (CR, [SEND], [], OWN),
        (TX, [0x22, 1, 2], ["w11", 1, 2], OWN),
        (TX, [3], [3], OWN + " TX_ERROR"),
        (CR, [ON | Iic.TX], ["stop"], IDLE + " TX_ERROR"),
    ],
    "the last byte is not acknowledged": [
        (CR, [SEND], [], OWN),
        (TX, [0x22, 1, 2], ["w11", 1, 2], OWN),
        (CR, [ON | Iic.TX], [], BUSY),
        (TX, [3], [3, "stop"], IDLE + " TX_ERROR"),
    ],
    "repeated start": [
        (CR, [SEND], [], OWN),
        (TX, [0x20, 7], ["w10", 7], OWN),
        (CR, [LAST | Iic.RSTA], [], OWN),
        (TX, [0x21], ["r10", "1 last"], FULL),
        (CR, [ON], ["stop"], "BUS_NOT_BUSY TX_FIFO_EMPTY RX_FULL"),
        (RX, [1], [], IDLE),
    ],
    "holds the bus until the program has read": [
        (Iic.RX_FIFO_PIRQ, [2], [], IDLE),
        (TX, [0x21], [], UNSENT),
        (CR, [MASTER], ["r10", "1", "2", "3"], FULL),
        (Iic.RX_FIFO_OCY, [2], [], FULL),
        (RX, [1], ["4"], FULL),
        (CR, [LAST], [], FULL),
        (RX, [2, 3, 4, 5], ["5 last"], OWN + " SRW"),
    ],
    "dynamic mode": [
        (CR, [ON], [], IDLE),
        (Iic.RX_FIFO_PIRQ, [15], [], IDLE),
        (TX, [0x120, 5, 0x121], ["w10", 5, "r10"], OWN + " SRW"),
        (TX, [0x214], [str(byte) for byte in range(1, 17)], FULL + " SR_RX_FIFO_FULL"),
        (RX, range(1, 21), ["17", "18", "19", "20 last", "stop"], IDLE),
        (TX, [0x144], ["w22", "stop"], IDLE + " TX_ERROR"),  # nobody is there
    ],
    "resets": [
        (TX, range(20), [], UNSENT),
        (Iic.TX_FIFO_OCY, [15], [], UNSENT),
        (CR, [Iic.TX_FIFO_RESET], [], IDLE),
        (CR, [MASTER], [], OWN),
        (TX, [0x20], ["w10"], OWN),
        (Iic.SOFTR, [0xA], ["stop"], IDLE),
    ],
}


@pytest.mark.parametrize("name", IIC_STEPS)
def test_iic(name):
    follow(Iic, [(CR, [ON], [], IDLE)] * (name != "resets") + IIC_STEPS[name], IIC_FLAGS)


SPICR, DTR, DRR = Spi.SPICR, Spi.SPI_DTR, Spi.SPI_DRR
SPI_ON = Spi.SPE | Spi.MASTER
SPI_FLAGS = {Spi.SPISR: "RX_EMPTY RX_FULL TX_EMPTY TX_FULL"}
NONE, RECEIVED = "RX_EMPTY TX_EMPTY", "TX_EMPTY"
SELECT = (Spi.SPISSR, [0xFE], [True], NONE)
SPI_STEPS = {
    "transfers": [
        (SPICR, [SPI_ON], [], NONE),
        SELECT,
        (DTR, [0x12, 0xFFFFFFAE], [0x12, 0xAE], RECEIVED),  # a char of C's may come with its sign
        (Spi.SPISSR, [0xFF], [False], RECEIVED),
        (Spi.RX_FIFO_OCY, [1], [], RECEIVED),
        (DRR, [0xED, 0x51], [], NONE),
    ],
    "FIFOs of sixteen places": [
        SELECT,
        (SPICR, [SPI_ON | Spi.MASTER_TRANSACTION_INHIBIT], [], NONE),
        (DTR, range(20), [], "RX_EMPTY TX_FULL"),
        (Spi.TX_FIFO_OCY, [15], [], "RX_EMPTY TX_FULL"),
        (SPICR, [SPI_ON], range(16), "RX_FULL TX_EMPTY"),
        (DTR, [99], [99], "RX_FULL TX_EMPTY"),
        (DRR, range(255, 239, -1), [], NONE),
        (DTR, [1], [1], RECEIVED),
        (SPICR, [SPI_ON | Spi.RX_FIFO_RESET], [], NONE),
    ],
    "does nothing disabled, and reads ones unselected": [
        (SPICR, [0], [], NONE),
        (DTR, [5], [], "RX_EMPTY"),
        (SPICR, [Spi.SPE, Spi.MASTER], [], "RX_EMPTY"),
        (SPICR, [SPI_ON | Spi.TX_FIFO_RESET], [], NONE),
        (DTR, [5], [], RECEIVED),
        (DRR, [0xFF], [], NONE),
    ],
    "reset": [
        SELECT,
        (SPICR, [SPI_ON], [], NONE),
        (DTR, [0x5A], [0x5A], RECEIVED),
        (Spi.SRR, [0xA], [False], NONE),
        (DTR, [0x5A], [], "RX_EMPTY"),  # MASTER_TRANSACTION_INHIBIT is set again
    ],
}


@pytest.mark.parametrize("name", SPI_STEPS)
def test_spi(name):
    follow(Spi, SPI_STEPS[name], SPI_FLAGS)


def test_their_interrupts():
    """Each is a level, which its enable registers let through at any time."""
    levels = []
    iic = Processor(Iic, Bus(), levels.append)
    iic.write(Iic.IER, Iic.BUS_NOT_BUSY)
    assert not levels[-1]
    iic.write(Iic.GIE, 1 << 31)
    assert levels[-1]
    iic.write(Iic.IER, Iic.TX_ERROR)
    assert not levels[-1]
    iic.write(CR, ON, SEND)
    iic.write(TX, 0x44)
    assert levels[-1]
    iic.write(Iic.SOFTR, 0xA)
    assert not levels[-1]
    spi = Processor(Spi, Bus(), levels.append)
    spi.write(Spi.IPIER, Spi.DTR_EMPTY)
    spi.write(Spi.DGIER, 1 << 31)
    spi.write(Spi.SPICR, SPI_ON)
    assert not levels[-1] and not spi.read(Spi.IPISR)
    spi.write(Spi.SPI_DTR, 0x5A)
    assert levels[-1] and spi.read(Spi.IPISR) == Spi.DTR_EMPTY
    spi.write(Spi.IPISR, Spi.DTR_EMPTY)
    assert not levels[-1] and not spi.read(Spi.IPISR)
