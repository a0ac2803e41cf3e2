"""What is plugged into the virtual board: plug and unplug at any time, the virtual Pmods, and what
a device can do wrong."""

import os
import signal
import threading
import time
import types

import numpy as np
import pytest
from pynq import Overlay
from pynq.lib.pmod import Pmod_ALS, Pmod_IO, Pmod_LED8, Pmod_OLED, Pmod_Timer, Pmod_TMP2

from helpers.drivers import devmode
from helpers.kit import OVERLAY, run_python
from helpers.processes import sleeps_within
from helpers.waiting import soon
from virtual_board import device, microblaze
from virtual_board.device import WatchedMemory
from virtual_board.pmods import Als, I2cDevice, Led8, Oled, PmodDevice, SpiDevice, Tmp2

pytestmark = pytest.mark.slow


# The virtual Pmods


def test_led8(board, mb_info):
    led8 = board.plug(Led8())
    assert led8.leds == 0
    drivers = [Pmod_LED8(mb_info, index) for index in range(8)]
    for index, leds in (0, 0b1), (3, 0b1001), (7, 0b10001001):
        drivers[index].on()
        assert led8.leds == leds
    assert led8._repr_html_().count("#2ca02c") == 3


def test_oled(board, mb_info):
    oled = board.plug(Oled())
    assert not oled.picture().any()
    driver = Pmod_OLED(mb_info)
    driver.write("F", 1, 2)
    letter = oled.picture()[16:24, 8:16]
    assert oled.picture().sum() == letter.sum() > 10  # nothing but that is lit
    rows = ["".join(" #"[lit] for lit in row) for row in letter.tolist()]
    # the right way up
    assert [row.strip() for row in rows] == [
        "#######",
        "#    #",
        "#  #",
        "####",
        "#  #",
        "#",
        "###",
        "",
    ]
    driver.draw_rect(0, 0, 127, 31)
    picture = oled.picture()
    assert picture[[0, -1]].all() and picture[:, [0, -1]].all()
    driver.clear()
    assert oled.picture().shape == (32, 128) and not oled.picture().any()


def test_tmp2(board, mb_info):
    tmp2 = board.plug(Tmp2())
    driver = Pmod_TMP2(mb_info)
    assert driver.read() == 21.5
    for celsius in 0, 99.9375, 30.06:
        tmp2.celsius = celsius
        assert driver.read() == round(int(celsius * 16 + 0.5) / 16, 1)


def test_als(board, mb_info):
    als = board.plug(Als())
    driver = Pmod_ALS(mb_info)
    assert driver.read() == 77
    for als.light in 0, 255:
        assert driver.read() == als.light


# Plug and unplug


def test_plugged_before_the_first_overlay_and_after_it(board):
    tmp2, als = board.plug(Tmp2(10)), board.plug(Als())
    assert Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info).read() == 10
    assert Pmod_ALS(Overlay(OVERLAY).iop1.mb_info).read() == 77  # it stays over a download
    board.unplug(tmp2)
    board.unplug(als)
    driver = Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info)
    other = board.plug(Tmp2(30))
    assert driver.read() == 30
    board.unplug(other)
    board.plug(tmp2)
    assert driver.read() == 10
    board.unplug(tmp2)


def test_nothing_plugged_in(board, mb_info, capfd):
    """Nobody acknowledges, and what has a pull-up reads as ones."""
    driver = devmode(mb_info)
    driver.write_cmd(0x40800100, 0x1)  # IIC: CR; then an address to TX_FIFO, and START
    driver.write_cmd(0x40800108, 0x96)
    driver.write_cmd(0x40800100, 0xD)
    assert driver.read_cmd(0x40800020) & 0x2  # ISR: TX_ERROR
    assert [
        (transfer.address, transfer.acknowledged) for transfer in board.connector.transfers
    ] == [(0x4B, False)]
    driver.write_cmd(0x44A10060, 0x86)  # SPI: SPICR; SPISSR; a byte to SPI_DTR
    driver.write_cmd(0x44A10070, 0xFE)
    driver.write_cmd(0x44A10068, 0x55)
    assert driver.read_cmd(0x44A1006C) == 0xFF
    assert [Pmod_IO(mb_info, pin, "in").read() for pin in range(8)] == [0, 0, 1, 1, 0, 0, 1, 1]
    for name, read in (Pmod_TMP2, None), (Pmod_ALS, 255):
        driver = name(Overlay(OVERLAY).iop1.mb_info)
        # a thermometer that does not answer leaves what was in the program's memory
        value = driver.read()
        assert read is None or value == read
    assert capfd.readouterr().err == ""


def test_plugged_while_a_program_runs(board, mb_info):
    """Devices come and go while the IOP counts on its pins."""
    driver = Pmod_LED8(mb_info, 0)
    stop, errors = threading.Event(), []

    def toggle():
        try:
            while not stop.is_set():
                driver.toggle()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        for _ in range(50):
            led8, tmp2 = board.plug(Led8()), board.plug(Tmp2())
            board.unplug(tmp2)
            board.unplug(led8)
    finally:
        stop.set()
        thread.join()
    assert not errors
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


def test_plugged_when_qemu_was_killed(board, mb_info):
    """It is there for the next program, in the QEMU that takes that one's place."""
    Pmod_TMP2(mb_info)
    os.kill(board.microblaze.pid, signal.SIGKILL)
    tmp2 = board.plug(Tmp2(25))
    assert tmp2 in board.plugged()
    driver = Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info)
    assert driver.read() == 25
    os.kill(board.microblaze.pid, signal.SIGKILL)
    board.unplug(tmp2)
    assert tmp2 not in board.plugged()


# What cannot be plugged in


class Plain(I2cDevice):
    address = 0x20

    def write(self, byte):
        return True

    def read(self):
        return 0


class PlainSpi(SpiDevice):
    def transfer(self, byte):
        return 0


class Reads(I2cDevice):
    address = 0x20

    def read(self):
        return 0


class NoTransfer(SpiDevice):
    pass


def at(address):
    return type("At", (Plain,), {"address": address})()


@pytest.mark.parametrize(
    "plugged, device, error, says",
    [
        (None, Led8, TypeError, r"Led8 is a class: .* as in board.plug\(Led8\(\)\)"),
        (None, "an LED", TypeError, "'an LED' is not a virtual Pmod: derive its class"),
        (None, None, TypeError, "None is not a virtual Pmod"),
        (None, Reads(), TypeError, "Reads has no method write: write one"),
        (None, NoTransfer(), TypeError, "NoTransfer has no method transfer"),
        (None, I2cDevice(), TypeError, "I2cDevice has no method write"),
        (None, at(None), ValueError, "the address None"),
        (None, at(0x07), ValueError, "the address 0x7: .* 0x08 to 0x77"),
        (None, at(0x96), ValueError, "the address 0x96: .* without the bit for reading"),
        (None, at("0x20"), ValueError, "the address '0x20'"),
        (None, at(32.0), ValueError, "the address 32.0"),
        (
            Plain(),
            at(0x20),
            ValueError,
            "the I2C address 0x20, as has the Plain that is plugged in",
        ),
        (PlainSpi(), Als(), ValueError, "one slave select line, and a PlainSpi uses it"),
        (Oled(), Als(), ValueError, "one slave select line, and a Oled uses it"),
    ],
)
@pytest.mark.parametrize("downloaded", [False, True])
def test_cannot_be_plugged_in(board, plugged, device, error, says, downloaded):
    if downloaded:
        Overlay(OVERLAY)
    if plugged is not None:
        board.plug(plugged)
    with pytest.raises(error, match=says):
        board.plug(device)
    assert board.connector.devices == ([] if plugged is None else [plugged])
    board.plug(at(0x21))
    del board.connector.devices[:]


def test_plugged_twice_and_not_plugged(board):
    led8 = board.plug(Led8())
    with pytest.raises(ValueError, match="This Led8 is plugged in already"):
        board.plug(led8)
    board.plug(Led8())  # another one shows the same pins
    with pytest.raises(ValueError, match="This Tmp2 is not plugged in"):
        board.unplug(Tmp2())
    board.unplug(led8)
    with pytest.raises(ValueError, match="This Led8 is not plugged in"):
        board.unplug(led8)
    board.close()
    led8.drive(0, 1)  # it has nothing to do with the board any more
    with pytest.raises(RuntimeError, match="closed"):
        board.plug(Led8())


@pytest.mark.parametrize(
    "pin, level, says",
    [(8, 1, "pin is 8"), (-1, 1, "pin is -1"), ("SDA", 0, "pin is 'SDA'"), (3, 2, "level is 2")],
)
def test_cannot_be_driven(pin, level, says):
    with pytest.raises(ValueError, match=says):
        PmodDevice().drive(pin, level)


# What a device can do wrong


def divides(self):
    return 1 / 0


def raises(error):
    def method(self, *arguments):
        raise type(error)(*error.args)  # a new one has no traceback yet

    return method


def thermometer(**methods):
    """A thermometer of 25 degrees, with something wrong with it."""
    names = dict(
        address=0x4B,
        start=lambda self, reading: setattr(self, "bytes", [0x0C, 0x80]),
        write=lambda self, byte: True,
        read=lambda self: self.bytes.pop(0),
    )
    return type("Odd", (I2cDevice,), dict(names, **methods))()


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("it is zero"),
        OSError("not there"),
        SystemExit("bye"),
        KeyboardInterrupt("now"),
        GeneratorExit("gone"),
        RecursionError("deep"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "method, reads", [("read", 512), ("start", None), ("stop", 25), ("pins", 25)]
)
def test_a_device_that_raises(board, mb_info, capfd, error, method, reads):
    device = board.plug(thermometer(**{method: raises(error)}))
    driver = Pmod_TMP2(mb_info)
    for _ in range(3):
        value = driver.read()
        assert value == reads or reads is None
    if method == "pins":
        devmode(Overlay(OVERLAY).iop1.mb_info).write_cmd(0x40000004, 0)
    said = capfd.readouterr().err
    # the student's line
    assert said.count("Traceback") == said.count(str(error)) == 1 and "in method" in said
    assert said.endswith(
        f"This came from Odd.{method}(), and the IOP goes on as if nothing were plugged in.\n"
    )
    assert "connector.py" not in said
    board.unplug(device)
    board.plug(thermometer())
    assert Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info).read() == 25


@pytest.mark.parametrize(
    "rubbish", [None, -1, 256, 1.5, "5", b"\x05", [], np.arange(3), float("nan")], ids=repr
)
def test_a_device_that_answers_rubbish(board, mb_info, capfd, rubbish):
    board.plug(thermometer(read=lambda self: rubbish))
    driver = Pmod_TMP2(mb_info)
    assert [driver.read() for _ in range(2)] == [512, 512]  # all ones
    said = capfd.readouterr().err
    assert (
        said.count(f"Odd.read() returned {rubbish!r}: a byte is a whole number")
        == 1
        == said.count("\n")
    )


@pytest.mark.parametrize("right", [5, 5.0, np.uint8(5), np.int64(5), np.float32(5), True])
def test_a_device_that_answers_with_another_kind_of_number(board, mb_info, capfd, right):
    board.plug(type("Odd", (PlainSpi,), {"transfer": lambda self, byte: right})())
    assert Pmod_ALS(mb_info).read() == (int(right) << 4 | int(right) >> 4) & 0xFF
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "answer, acknowledged, says",
    [
        (True, True, ""),
        (np.bool_(True), True, ""),
        (1, True, ""),
        (False, False, ""),
        (0, False, ""),
        (None, False, "Odd.write() returned None: return True"),
        ("yes", False, "Odd.write() returned 'yes'"),
        (np.arange(2), False, "returned array"),
    ],
    ids=repr,
)
def test_what_a_device_acknowledges(board, mb_info, capfd, answer, acknowledged, says):
    board.plug(type("Odd", (Plain,), {"write": lambda self, byte: answer})())
    driver = devmode(mb_info)
    for _ in range(2):
        driver.write_cmd(0x40800040, 0xA)  # IIC: SOFTR; CR; TX_FIFO
        driver.write_cmd(0x40800100, 0xD)
        driver.write_cmd(0x40800108, 0x40)
        assert not driver.read_cmd(0x40800020) & 0x2
        driver.write_cmd(0x40800108, 5)
        assert bool(driver.read_cmd(0x40800020) & 0x2) != acknowledged
    said = capfd.readouterr().err
    assert says in said and said.count("\n") == bool(says)


@pytest.mark.parametrize(
    "period, says",
    [(-5, "-5"), (1.5, "1.5"), ("fast", "'fast'"), (property(divides), "division by zero")],
    ids=["negative", "half", "text", "raises"],
)
def test_a_device_with_a_rubbish_capture_period(board, mb_info, capfd, period, says):
    board.plug(type("Odd", (PmodDevice,), {"capture_period": period})())
    driver = Pmod_Timer(mb_info, 0)
    assert [driver.event_detected(1000) for _ in range(3)] == [0] * 3
    assert capfd.readouterr().err.count(says) == 1


def test_devices_that_compare_themselves_oddly(board):
    class Equal(Led8):
        def __eq__(self, other):
            return True

        __hash__ = None

    first = board.plug(Equal())
    second = board.plug(Equal())
    board.unplug(second)
    assert len(board.connector.devices) == 1 and board.connector.devices[0] is first


STUCK = """
import os, signal, threading
import virtual_board
from pynq import Overlay
from pynq.lib.pmod import Pmod_ALS
from virtual_board import device, microblaze
from virtual_board.device import WatchedMemory
from virtual_board.pmods import Als, SpiDevice

class Stuck(SpiDevice):
    def transfer(self, byte):
        while True:
            pass

board = virtual_board.activate()
board.plug(Stuck())
als = Pmod_ALS(Overlay({overlay!r}).iop1.mb_info)
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    als.read()
except KeyboardInterrupt:
    print("interrupted")
board.close()
board = virtual_board.activate()
board.plug(Als())
print(Pmod_ALS(Overlay({overlay!r}).iop1.mb_info).read())
"""


def test_a_device_that_never_returns(board):
    """Ctrl-C ends the driver's wait, board.close() works, another board does, and Python ends."""
    done = run_python(STUCK.format(overlay=OVERLAY))
    assert done.stdout == "interrupted\n77\n" and done.returncode == 0, done.stderr


def test_a_device_that_does_not_return_is_named(board, mb_info, monkeypatch):
    monkeypatch.setattr(microblaze, "LONGEST_WAIT", 0.5)
    go_on = threading.Event()
    board.plug(type("Odd", (PlainSpi,), {"transfer": lambda self, byte: go_on.wait(60) and 0})())
    Pmod_ALS(mb_info)
    with pytest.raises(
        RuntimeError, match="a method of a device that is plugged in may not have returned"
    ):
        while True:
            board.plug(Led8())
    go_on.set()
    assert Pmod_ALS(Overlay(OVERLAY).iop1.mb_info).read() == 0


# In the middle


def test_a_reset_and_a_download_in_the_middle_of_a_transfer(board, mb_info):
    """The device is told that the transfer has ended, and the next one is whole."""
    told = []
    device = board.plug(
        thermometer(
            start=lambda self, reading: (
                told.append("start"),
                setattr(self, "bytes", [0x0C, 0x80]),
            ),
            stop=lambda self: told.append("stop"),
        )
    )
    select = board.plug(
        type("Select", (PlainSpi,), {"select": lambda self, selected: told.append(selected)})()
    )
    for interrupt in (lambda: driver.microblaze.reset(), lambda: Overlay(OVERLAY)):
        driver = devmode(Overlay(OVERLAY).iop1.mb_info)
        driver.write_cmd(0x40800100, 0xD)
        driver.write_cmd(0x40800108, 0x96)
        driver.write_cmd(0x44A10070, 0xFE)
        assert told == ["start", True]
        interrupt()
        assert told == ["start", True, "stop", False]
        del told[:]
        assert Pmod_TMP2(Overlay(OVERLAY).iop1.mb_info).read() == 25
        del told[:]
    board.unplug(select), board.unplug(device)


def test_unplugged_in_the_middle_of_a_transfer(board, mb_info):
    device = board.plug(thermometer(read=lambda self: 0x0C))
    driver = devmode(mb_info)
    driver.write_cmd(0x40800120, 0)
    driver.write_cmd(0x40800100, 0x5)
    driver.write_cmd(0x40800108, 0x97)
    assert driver.read_cmd(0x4080010C) == 0x0C
    board.unplug(device)
    driver.read_cmd(0x4080010C)
    assert driver.read_cmd(0x4080010C) == 0xFF
    driver.write_cmd(0x40800100, 0x1)


def test_a_command_is_not_written_over_before_the_iop_has_seen_it(monkeypatch):
    """Pmod_DPOT writes two commands and waits for neither. A thread is the IOP, which clears the
    first when it has seen it."""
    served = types.SimpleNamespace(serving=True)
    words = WatchedMemory.over(np.zeros(device.COMMAND + 1, "u4"), lambda: None, served)
    command = device.COMMAND
    try:
        words[command] = 1
        slow = threading.Timer(0.005, lambda: words.view(np.ndarray).__setitem__(command, 0))
        slow.start()
        words[0] = 99
        words[command] = 5
        slow.join()
        assert (words[0], words[command]) == (99, 5)
        start = time.monotonic()
        words[command] = 7  # nobody sees the 5: it does not wait for ever
        assert words[command] == 7 and time.monotonic() - start < 20
        monkeypatch.setattr(
            device.time, "sleep", lambda seconds: pytest.fail("no other word is waited for")
        )
        words[0] = 99
        words[0] = 98
    finally:
        served.serving = False


# What the model lacks


def test_registers_that_are_not_modelled_are_named_once(board, mb_info, capfd):
    driver = devmode(mb_info)
    for _ in range(2):
        driver.write_cmd(0x40800028, 4)  # IIC: IER
        driver.write_cmd(0x4000011C, 0)  # GPIO: GIER, nothing is enabled
        driver.read_cmd(0x41200000)
        driver.write_cmd(0x40020000, 7)
    named = capfd.readouterr().err.splitlines()
    assert [line.split(", which")[0] for line in named] == [
        "The IOP's program uses AXI IIC IER",
        "The IOP's program uses AXI INTC (0x41200000)",
        "The IOP's program uses an address where nothing is (0x40020000 to 0x407fffff)",
    ]
    # of pynq's own programs none needs what is not there
    for driver in Pmod_TMP2, Pmod_OLED, Pmod_Timer:
        board.plug(Tmp2()) if driver is Pmod_TMP2 else None
        driver(*[Overlay(OVERLAY).iop1.mb_info] + [0] * (driver is Pmod_Timer))
    assert capfd.readouterr().err == ""


# What is kept


def test_transfers(board, mb_info):
    board.plug(Tmp2(25))
    Pmod_TMP2(mb_info).read()
    first = board.connector.transfers[0]
    assert (first.bus, first.address, first.reading, first.acknowledged) == (
        "I2C",
        0x4B,
        True,
        True,
    )
    assert (bytes(first.sent), bytes(first.received)) == (b"", b"\x0c\x80") and len(
        board.connector.transfers
    ) == 2
    board.plug(Als())
    Pmod_ALS(Overlay(OVERLAY).iop1.mb_info).read()
    last = board.connector.transfers[-1]
    assert last.bus == "SPI" and len(last.sent) == 2 and bytes(last.received) == b"\x04\xd0"


COUNTS_ON_PINS_0_TO_6 = [
    0x30800080,  # addik r4, r0, 0x80
    # imm; swi r4, r0, 0x40000004     GPIO_TRI: pin 7 is an input
    0xB0004000,
    0xF8800004,
    0x30630001,  # addik r3, r3, 1
    0xB0004000,
    0xF8600000,  # imm; swi r3, r0, 0x40000000     GPIO_DATA
    0xB800FFF4,
]  # bri back to the addik


def test_a_pin_that_is_driven_takes_no_write_from_the_program(board, load):
    """The register that the program writes is the one that shows a driven pin, and QEMU may be
    stopped for that at any moment."""

    class Counts(PmodDevice):
        shown = []

        def pins(self, levels, driven):
            if driven == 0x7F and levels & driven not in self.shown[-1:]:
                self.shown.append(levels & driven)

    device = board.plug(Counts())
    load(COUNTS_ON_PINS_0_TO_6)
    for level in (1, 0) * 1500:
        device.drive(7, level)
    shown = device.shown[1:]  # without what the pins had before the program wrote to them
    assert len(shown) > 100
    assert [(one, other) for one, other in zip(shown, shown[1:]) if other != (one + 1) % 128] == []


BLINK = [
    0xB0004000,
    0xF8000004,  # imm; swi r0, r0, 0x40000004     GPIO_TRI: all outputs
    0x30630001,  # addik r3, r3, 1
    0xB0004000,
    0xF8600000,  # imm; swi r3, r0, 0x40000000     GPIO_DATA
    0xB800FFF4,
]  # bri back to the addik


@pytest.mark.parametrize(
    "accesses", [20000, pytest.param(1000000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_memory_does_not_grow_with_the_number_of_accesses(board, load, accesses):
    def kilobytes(pid):
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    class Counts(PmodDevice):
        count = 0

        def pins(self, levels, driven):
            self.count += 1

    def grown(count):
        """Waits until so many were served."""
        while device.count < count:
            before = device.count
            assert soon(lambda: device.count > before), "it stands"
            time.sleep(0.05)
        return kilobytes(os.getpid()), kilobytes(board.microblaze.pid)

    device = board.plug(Counts())
    load(BLINK)
    python, qemu = grown(2000)
    python_after, qemu_after = grown(2000 + accesses)
    assert python_after - python < 1000
    # it takes 5000 now and then, for whatever, but no more with each access
    assert qemu_after - qemu < 15000
