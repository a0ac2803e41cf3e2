"""Devices in the virtual board's connector: plug and unplug at any time, and a device's errors."""

import os
import signal
import threading
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
from pynq import Overlay
from pynq.lib.pmod import Pmod_ALS, Pmod_IO, Pmod_LED8, Pmod_Timer, Pmod_TMP2

from helpers.drivers import devmode
from helpers.kit import OVERLAY, run_python
from helpers.processes import sleeps_within
from helpers.waiting import soon
from virtual_board.ip import Iic, Spi
from virtual_board.microblaze import owner
from virtual_board.pmods import Als, I2cDevice, Led8, Oled, PmodDevice, SpiDevice, Tmp2

pytestmark = pytest.mark.slow

STUCK = Path(__file__).with_name("programs") / "stuck.py"
# base.tcl
GPIO, IIC, SPI = 0x40000000, 0x40800000, 0x44A10000
CR, TX_FIFO, RX_FIFO = IIC + Iic.CR, IIC + Iic.TX_FIFO, IIC + Iic.RX_FIFO
MASTER = Iic.EN | Iic.MSMS


@pytest.fixture
def read(board):
    """A function that makes a driver of pynq's in a new download, and returns its reading."""
    return lambda driver: driver(Overlay(OVERLAY).iop1.mb_info).read()


# Plug and unplug


def test_plugged_before_the_first_overlay_and_after_it(board, read):
    tmp2, als = board.plug(Tmp2(10)), board.plug(Als())
    assert read(Pmod_TMP2) == 10
    assert read(Pmod_ALS) == 77  # it stays over a download
    board.unplug(tmp2)
    board.unplug(als)
    driver = Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info)
    other = board.plug(Tmp2(30))
    assert driver.read() == 30
    board.unplug(other)
    board.plug(tmp2)
    assert driver.read() == 10


def test_nothing_plugged_in(board, read, capfd):
    """Nobody acknowledges, and what has a pull-up reads as ones."""
    read(Pmod_TMP2)  # it leaves what was in the program's memory
    assert board.transfers()[-1][:4] == ("I2C", 0x4B, True, False)
    assert read(Pmod_ALS) == 255
    assert capfd.readouterr().err == ""


def test_plugged_while_a_program_runs(board, mb_info):
    """Devices come and go while the IOP counts on its pins."""
    driver, stop = Pmod_LED8(mb_info, 0), threading.Event()

    def toggle():
        while not stop.is_set():
            driver.toggle()

    with ThreadPool(1) as pool:
        toggling = pool.apply_async(toggle)
        try:
            for _ in range(50):
                led8, tmp2 = board.plug(Led8()), board.plug(Tmp2())
                board.unplug(tmp2)
                board.unplug(led8)
        finally:
            stop.set()
        toggling.get(60)
    led8 = board.plug(Led8())
    assert led8.leds == driver.read()  # it sees the pins as they are


def test_plugged_while_the_program_sleeps(board, mb_info):
    device = board.plug(PmodDevice())
    driver = Pmod_IO(mb_info, 5, "in")
    assert driver.read() == 0
    for level in 1, 0, 1:
        assert sleeps_within(board)
        device.drive(5, level)
        assert driver.read() == level
    board.unplug(device)
    assert driver.read() == 0
    device.drive(5, 1)  # it is not in the board
    assert driver.read() == 0


def test_plugged_when_qemu_was_killed(board, mb_info, read):
    """It is there for the next program, in the QEMU that takes that one's place."""
    Pmod_TMP2(mb_info)
    os.kill(board.microblaze.pid, signal.SIGKILL)
    tmp2 = board.plug(Tmp2(25))
    assert tmp2 in board.plugged() and read(Pmod_TMP2) == 25
    os.kill(board.microblaze.pid, signal.SIGKILL)
    board.unplug(tmp2)
    assert tmp2 not in board.plugged()


# What cannot be plugged in, unplugged or driven


class Plain(I2cDevice):
    address = 0x20

    def write(self, byte):
        return True

    def read(self):
        return 0


class PlainSpi(SpiDevice):
    def transfer(self, byte):
        return 0


def odd(base, **attributes):
    """A device of a class Odd with these attributes and methods."""
    return type("Odd", (base,), attributes)()


def at(address):
    return odd(Plain, address=address)


@pytest.mark.parametrize(
    "plugged, device, error, says",
    [
        (None, Led8, TypeError, r"Led8 is a class: .* as in board.plug\(Led8\(\)\)"),
        (None, "an LED", TypeError, "'an LED' is not a virtual module: derive its class"),
        (None, odd(I2cDevice, read=Plain.read), TypeError, "Odd has no method write: write one"),
        (None, SpiDevice(), TypeError, "SpiDevice has no method transfer"),
        (None, at(None), ValueError, "the address None"),
        (None, at(0x02), ValueError, "the address 0x2: .* 0x03 to 0x7f"),
        (None, at(0x96), ValueError, "the address 0x96: .* without the bit for reading"),
        (None, at("0x20"), ValueError, "the address '0x20'"),
        (Plain(), at(0x20), ValueError, "address 0x20, as has the Plain that is plugged in"),
        (Oled(), Als(), ValueError, "one slave select line, and a Oled uses it"),
    ],
)
def test_cannot_be_plugged_in(board, plugged, device, error, says):
    if plugged is not None:
        board.plug(plugged)
    with pytest.raises(error, match=says):
        board.plug(device)
    assert board.plugged() == ([] if plugged is None else [plugged])
    board.plug(at(0x21))


def test_plugged_twice_and_not_plugged(board):
    led8 = board.plug(odd(Led8, __eq__=lambda self, other: True, __hash__=None))
    with pytest.raises(ValueError, match="This Odd is plugged in already"):
        board.plug(led8)
    other = board.plug(Led8())  # which shows the same pins
    with pytest.raises(ValueError, match="This Tmp2 is not plugged in"):
        board.unplug(Tmp2())
    board.unplug(led8)
    assert len(board.plugged()) == 1 and board.plugged()[0] is other
    with pytest.raises(ValueError, match="This Odd is not plugged in"):
        board.unplug(led8)
    board.close()
    led8.drive(0, 1)  # it has nothing to do with the board any more
    with pytest.raises(RuntimeError, match="closed"):
        board.plug(Led8())


@pytest.mark.parametrize(
    "pin, level, says", [(28, 1, "pin is 28"), ("SDA", 0, "pin is 'SDA'"), (3, 2, "level is 2")]
)
def test_cannot_be_driven(pin, level, says):
    with pytest.raises(ValueError, match=says):
        PmodDevice().drive(pin, level)


# Errors in a device


def raises(error):
    def method(self, *arguments):
        raise type(error)(*error.args)  # a new one has no traceback yet

    return method


def thermometer(**methods):
    """A thermometer of 25 degrees, with something wrong with it."""

    def start(self, reading):
        self.left = [0x0C, 0x80]

    good = dict(address=0x4B, start=start, write=Plain.write, read=lambda self: self.left.pop(0))
    return odd(I2cDevice, **dict(good, **methods))


@pytest.mark.parametrize(
    "method, error, reads",
    [
        ("read", ZeroDivisionError("it is zero"), 512),
        ("read", SystemExit("bye"), 512),
        ("start", KeyboardInterrupt("now"), None),
        ("stop", GeneratorExit("gone"), 25),
        ("pins", RecursionError("deep"), 25),
    ],
)
def test_a_device_that_raises(board, mb_info, read, capfd, method, error, reads):
    device = board.plug(thermometer(**{method: raises(error)}))
    driver = Pmod_TMP2(mb_info)
    for _ in range(3):
        value = driver.read()
        assert value == reads or reads is None
    if method == "pins":
        devmode(Overlay(OVERLAY).iop1.mb_info).write_cmd(GPIO + 4, 0)
    said = capfd.readouterr().err
    # the student's line
    assert said.count("Traceback") == said.count(str(error)) == 1 and "in method" in said
    assert "connector.py" not in said and said.endswith(
        f"This came from Odd.{method}(), and the IOP goes on as if nothing were plugged in.\n"
    )
    board.unplug(device)
    board.plug(thermometer())
    assert read(Pmod_TMP2) == 25


@pytest.mark.parametrize(
    "answer, reads",
    [(5.0, 0x50), (np.uint8(5), 0x50), (True, 0x10), (None, 0xFF), (-1, 0xFF), (256, 0xFF)]
    + [(1.5, 0xFF), ("5", 0xFF), (np.arange(3), 0xFF), (float("nan"), 0xFF)],
    ids=repr,
)
def test_a_byte_that_a_device_answers(board, mb_info, capfd, answer, reads):
    board.plug(odd(PlainSpi, transfer=lambda self, byte: answer))
    driver = Pmod_ALS(mb_info)
    assert [driver.read() for _ in range(2)] == [reads] * 2
    said = capfd.readouterr().err
    rubbish = f"Odd.transfer() returned {answer!r}: a byte is a whole number"
    assert said.count(rubbish) == said.count("\n") == (reads == 0xFF)


@pytest.mark.parametrize(
    "answer, says",
    [
        (np.bool_(True), ""),
        (0, ""),
        (None, "Odd.write() returned None: return True"),
        (np.arange(2), "returned array"),
    ],
    ids=repr,
)
def test_a_devices_acknowledgement(board, mb_info, capfd, answer, says):
    board.plug(odd(Plain, write=lambda self, byte: answer))
    driver = devmode(mb_info)
    for _ in range(2):
        driver.write_cmd(IIC + Iic.SOFTR, 0xA)
        driver.write_cmd(CR, MASTER | Iic.TX)
        driver.write_cmd(TX_FIFO, 0x40)
        driver.write_cmd(TX_FIFO, 5)
        refused = bool(driver.read_cmd(IIC + Iic.ISR) & Iic.TX_ERROR)
        assert refused != (isinstance(answer, np.bool_))
    said = capfd.readouterr().err
    assert says in said and said.count("\n") == bool(says)


@pytest.mark.parametrize(
    "period, says",
    [(-5, "-5"), ("fast", "'fast'"), (property(raises(ZeroDivisionError("by 0"))), "by 0")],
)
def test_a_device_with_a_rubbish_capture_period(board, mb_info, capfd, period, says):
    board.plug(odd(PmodDevice, capture_period=period))
    driver = Pmod_Timer(mb_info, 0)
    assert [driver.event_detected(1000) for _ in range(3)] == [0] * 3
    assert capfd.readouterr().err.count(says) == 1


def test_a_device_with_a_rubbish_capture_pin(board, mb_info, capfd):
    board.plug(odd(PmodDevice, capture_period=100, capture_pin="first"))
    driver = Pmod_Timer(mb_info, 0)
    assert [driver.event_detected(1000) for _ in range(3)] == [0] * 3
    assert "This came from Odd.capture_pin" in capfd.readouterr().err


def test_a_device_that_never_returns():
    """Ctrl-C ends the driver's wait, board.close() works, another board does, and Python ends."""
    done = run_python(STUCK.read_text())
    assert done.stdout == "interrupted\n77\n" and done.returncode == 0, done.stderr


def test_a_device_that_does_not_return_is_named(board, mb_info, read, monkeypatch):
    monkeypatch.setattr(owner, "LONGEST_WAIT", 0.5)
    go_on = threading.Event()
    board.plug(odd(PlainSpi, transfer=lambda self, byte: go_on.wait(60) and 0))
    Pmod_ALS(mb_info)
    message = "a method of a device that is plugged in may not have returned"
    with pytest.raises(RuntimeError, match=message):
        while True:
            board.plug(Led8())
    go_on.set()
    assert read(Pmod_ALS) == 0


# In the middle of a transfer


@pytest.mark.parametrize("download", [False, True])
def test_a_reset_in_the_middle_of_a_transfer(board, mb_info, read, download):
    """The device is told that the transfer has ended, and the next one is whole."""
    told = []
    board.plug(odd(PlainSpi, select=lambda self, selected: told.append(selected)))
    board.plug(thermometer(stop=lambda self: told.append("stop")))
    driver = devmode(mb_info)
    driver.write_cmd(CR, MASTER | Iic.TX)
    driver.write_cmd(TX_FIFO, 0x96)
    driver.write_cmd(SPI + Spi.SPISSR, 0xFE)
    assert told == [True]
    if download:
        Overlay(OVERLAY)
    else:
        driver.microblaze.reset()
    assert told == [True, "stop", False]
    assert read(Pmod_TMP2) == 25


def test_unplugged_in_the_middle_of_a_transfer(board, mb_info):
    device = board.plug(thermometer(read=lambda self: 0x0C))
    driver = devmode(mb_info)
    driver.write_cmd(IIC + Iic.RX_FIFO_PIRQ, 0)
    driver.write_cmd(CR, MASTER)
    driver.write_cmd(TX_FIFO, 0x97)
    assert driver.read_cmd(RX_FIFO) == 0x0C
    board.unplug(device)
    driver.read_cmd(RX_FIFO)
    assert driver.read_cmd(RX_FIFO) == 0xFF
    driver.write_cmd(CR, Iic.EN)


# What the model lacks, and what it keeps


def test_an_address_where_nothing_is_is_named_once(board, mb_info, capfd):
    driver = devmode(mb_info)
    for _ in range(2):
        driver.read_cmd(0x40020000)
    said = capfd.readouterr().err
    assert said.count("uses an address from 0x40020000 to 0x407fffff, where") == said.count("\n")


def test_transfers(board, read):
    board.plug(Tmp2(25))
    read(Pmod_TMP2)
    assert len(board.transfers()) == 2
    assert board.transfers()[0] == ("I2C", 0x4B, True, True, b"", b"\x0c\x80")
    board.plug(Als())
    read(Pmod_ALS)
    last = board.transfers()[-1]
    assert last.bus == "SPI" and len(last.sent) == 2 and last.received == b"\x04\xd0"


# Programs that write to the pins again and again


def counts(inputs):
    """A program that counts on the pins that are not inputs."""
    return [
        0x30800000 | inputs,  # addik r4, r0, inputs
        0xB0004000,
        0xF8800004,  # imm; swi r4, r0, 0x40000004     GPIO_TRI
        0x30630001,  # addik r3, r3, 1
        0xB0004000,
        0xF8600000,  # imm; swi r3, r0, 0x40000000     GPIO_DATA
        0xB800FFF4,  # bri back to the addik
    ]


def test_a_driven_pin_takes_no_write_from_the_program(board, load):
    """The register that the program writes is the one that shows a driven pin, and QEMU may be
    stopped for that at any moment."""

    class Counts(PmodDevice):
        shown = []

        def pins(self, levels, driven):
            if driven == 0x7F and levels & driven not in self.shown[-1:]:
                self.shown.append(levels & driven)

    device = board.plug(Counts())
    load(counts(inputs=0x80))

    def both_work_on():
        for level in (1, 0) * 50:
            device.drive(7, level)
        return len(device.shown) > 200

    assert soon(both_work_on, pause=0)
    shown = device.shown[1:]  # without what the pins had before the program wrote to them
    assert set(np.diff(shown) % 128) == {1}


def test_memory_does_not_grow_with_the_number_of_accesses(board, load):
    class Counts(PmodDevice):
        count = 0

        def pins(self, levels, driven):
            self.count += 1

    def kilobytes(served):
        """The memory of Python and of QEMU, when so many accesses were served."""
        assert soon(lambda: device.count >= served, 300)
        found = []
        for pid in os.getpid(), board.microblaze.pid:
            with open(f"/proc/{pid}/status") as status:
                found += [int(line.split()[1]) for line in status if line.startswith("RssAnon")]
        return found

    device = board.plug(Counts())
    load(counts(inputs=0))
    python, qemu = kilobytes(2000)
    python_after, qemu_after = kilobytes(22000)
    assert python_after - python < 1000
    # it takes 5000 now and then, for whatever, but no more with each access
    assert qemu_after - qemu < 15000
