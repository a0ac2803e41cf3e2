"""pynq's own drivers, unmodified, with their own programs (.bin) on the virtual IOP: against the
kit's virtual Pmods where there is one, or else against a device of this file's.

A program's behaviour is in its C source, in pynq/lib/pmod/*/src of the installed package; the
comments name the files there."""

import os
import signal
import struct
import threading
import time

import pytest
from pynq.lib import pmod

from helpers.waiting import soon
from virtual_board.ip import IoSwitch
from virtual_board.ip.timer_counter import ARHT, ENT, TINT
from virtual_board.pmods import Als, I2cDevice, Led8, Oled, PmodDevice, SpiDevice, Tmp2

pytestmark = pytest.mark.slow


@pytest.fixture
def mb_info(board, overlay, capfd):
    """No program of pynq's needs what the virtual board does not have: it says nothing."""
    yield overlay.iop1.mb_info
    assert capfd.readouterr().err == ""


class Pins(PmodDevice):
    """Keeps the levels of the pins that the IOP drives, one after the other, and when each
    began."""

    def __init__(self):
        self.seen, self.times = [], []

    def pins(self, levels, driven):
        if not self.seen or self.seen[-1] != levels & driven:
            self.seen.append(levels & driven)
            self.times.append(time.monotonic())

    def take(self):
        taken, self.seen = self.seen, []
        return taken


class Spi(SpiDevice):
    """Keeps the bytes of each transfer, and answers with those of `answers`, from the first on in
    each transfer."""

    def __init__(self):
        self.transfers, self.answers = [], b""

    def select(self, selected):
        if selected:
            self.transfers.append(b"")

    def transfer(self, byte):
        sent = len(self.transfers[-1])
        self.transfers[-1] += bytes([byte])
        return self.answers[sent] if sent < len(self.answers) else 0


class I2c(I2cDevice):
    """Keeps each transfer, as "R " or "W " and its bytes in hexadecimal, and whether it has ended.
    The IOP reads the bytes that answer() gives when a transfer begins."""

    def __init__(self, address):
        self.address, self.transfers, self.stopped = address, [], True

    def answer(self):
        return b""

    def start(self, reading):
        self.stopped = False
        self.transfers.append("R " if reading else "W ")
        self.left = list(self.answer()) if reading else []

    def write(self, byte):
        self.transfers[-1] += f"{byte:02x}"
        return True

    def read(self):
        byte = self.left.pop(0)
        self.transfers[-1] += f"{byte:02x}"
        return byte

    def stop(self):
        self.stopped = True

    def take(self):
        taken, self.transfers = self.transfers, []
        assert self.stopped
        return taken


# The pins


def test_led8(board, mb_info):
    led8 = board.plug(Led8())
    leds = [pmod.Pmod_LED8(mb_info, index) for index in range(8)]
    assert led8.leds == 0
    for index, lit in enumerate([0x01, 0x03, 0x07, 0x0F, 0x1F, 0x3F, 0x7F, 0xFF]):
        leds[index].on()
        assert led8.leds == lit
    leds[7].off()
    leds[0].toggle()
    leds[3].write(0)
    assert led8.leds == 0x76 and [led.read() for led in leds] == [0, 1, 1, 0, 1, 1, 1, 0]
    assert led8._repr_html_().count("</b> on") == 5


def test_io(board, mb_info):
    device = board.plug(Pins())
    out = pmod.Pmod_IO(mb_info, 5, "out")
    device.take()
    for level in 1, 0, 1:
        out.write(level)
    assert device.take() == [0x20, 0x00, 0x20]
    inputs = [pmod.Pmod_IO(mb_info, index, "in") for index in range(8)]
    assert device.take() == [0]  # the IOP drives none of them now
    assert [pin.read() for pin in inputs] == [0, 0, 1, 1, 0, 0, 1, 1]  # base.xdc: PULLUP
    for level in 1, 0:
        for index in range(8):
            device.drive(index, level)
            assert inputs[index].read() == level
    device.drive(2, None)
    assert [pin.read() for pin in inputs] == [0, 0, 1, 0, 0, 0, 0, 0]


# SPI


def test_oled(board, mb_info):
    oled = board.plug(Oled())
    assert not oled.picture().any()
    driver = pmod.Pmod_OLED(mb_info)
    driver.write("F", 1, 2)
    letter = oled.picture()[16:24, 8:16]
    assert oled.picture().sum() == letter.sum()  # nothing but that is lit
    rows = ["".join(" #"[lit] for lit in row).strip() for row in letter.tolist()]
    assert rows == "#######|#    #|#  #|####|#  #|#|###|".split("|")  # the right way up
    driver.draw_rect(0, 0, 127, 31)
    picture = oled.picture()
    assert picture[[0, -1]].all() and picture[:, [0, -1]].all()
    driver.clear()
    assert oled.picture().shape == (32, 128) and not oled.picture().any()


def test_als(board, mb_info):
    class Sunrise(Als):
        """Each sample is one brighter than the last."""

        rises = False

        def select(self, selected):
            if selected and self.rises:
                self.light = min(self.light + 1, 200)
            super().select(selected)

    als = board.plug(Sunrise())
    driver = pmod.Pmod_ALS(mb_info)
    for light in 77, 0, 255:
        als.light = light
        assert driver.read() == light
    driver.set_log_interval_ms(2)
    als.light, als.rises = 0, True
    driver.start_log()
    assert soon(lambda: als.light > 5)  # the newest may not be in the log yet
    log = driver.get_log()
    assert len(log) >= 4 and log == [min(place, 200) for place in range(1, 1 + len(log))]


def test_dac(board, mb_info):
    device = board.plug(Spi())
    dac = pmod.Pmod_DAC(mb_info)
    for volts in 0, 1.25, 2.5:
        dac.write(volts)
    # pmod_dac.c: RefOn(), and FixedGen() with a value of 12 bits, of 0.6105 mV each
    sent = [transfer.hex() for transfer in device.transfers]
    assert sent == ["08000001", "03000055", "0307ff55", "030fff55"]


def test_dpot(board, mb_info):
    """pynq's driver waits for neither of two commands: the second must not come before the IOP has
    seen the first."""
    device = board.plug(Spi())
    potentiometer = pmod.Pmod_DPOT(mb_info)
    for value in 100, 255, 0, 1:
        potentiometer.write(value)
        assert soon(lambda: device.transfers and device.transfers[-1] == bytes([value]))
    del device.transfers[:]
    potentiometer.write(10, step=20, log_ms=1)
    assert soon(lambda: len(device.transfers) > 15)
    # pmod_dpot.c: it goes on, modulo 256, until the next command
    assert device.transfers[:15] == [bytes([(10 + 20 * count) % 256]) for count in range(15)]


@pytest.mark.parametrize(
    "couple, junction, alarms",
    [(0, 0, 0), (25.25, 22.0625, 0), (-250, -10.5, 0x10001), (1350.75, 125, 0x10007)],
)
def test_tc1(board, mb_info, couple, junction, alarms):
    device = board.plug(Spi())
    thermometer = pmod.Pmod_TC1(mb_info)
    raw = (int(couple * 4) & 0x3FFF) << 18 | (int(junction * 16) & 0xFFF) << 4 | alarms
    device.answers = struct.pack(">I", raw)
    assert thermometer.read_raw() == raw
    # pmod_tc1.py looks for the sign of the thermocouple's 14 bits at the 18th
    assert thermometer.read_thermocouple_temperature() == couple + 4096 * (couple < 0)
    assert thermometer.read_junction_temperature() == junction
    assert thermometer.read_alarm_flags() == alarms


# I2C


def test_tmp2(board, mb_info):
    tmp2 = board.plug(Tmp2())
    thermometer = pmod.Pmod_TMP2(mb_info)
    assert thermometer.read() == 21.5
    for tmp2.celsius, read in (0, 0), (99.9375, 99.9), (30.06, 30.1), (0.5, 0.5):
        assert thermometer.read() == read
    # pmod_tmp2.c, 50 and 55: `u32 sample` has two bytes without their sign, so that what is below
    # zero reads 512 too high
    tmp2.celsius = -10.5
    assert thermometer.read() == 501.5
    # pmod_tmp2.py, _reg2float(): the exponent of 1 to 2 is 0 after its 127 are taken off, and is
    # taken for that of a denormalised number, so that these read 1 too low
    tmp2.celsius = 1.5
    assert thermometer.read() == 0.5


def test_adc(board, mb_info):
    class Ad7991(I2c):
        """raw: 12 bits of each channel. It converts those that its configuration names, in turn."""

        raw, channels = [1000, 2000, 4095, 0], [0]

        def write(self, byte):
            if self.transfers[-1] == "W ":
                self.channels = [channel for channel in range(4) if byte >> (4 + channel) & 1]
            return super().write(byte)

        def answer(self):
            channel = self.channels.pop(0)
            self.channels.append(channel)
            return struct.pack(">H", channel << 12 | self.raw[channel])

    device = board.plug(Ad7991(0x28))
    adc = pmod.Pmod_ADC(mb_info)
    assert adc.read_raw(1, 1, 1) == [1000, 2000, 4095]
    # ad7991.c, adc_config(): channels 0 to 2, reference on the fourth input
    assert device.take() == ["W 78", "R 03e8", "R 17d0", "R 2fff"]
    assert adc.read_raw(0, 1, 0) == [2000]
    assert device.take() == ["W 28", "R 17d0"]
    # pmod_adc.c has a reference of 2.048 V (42), but ad7991.c takes it as a whole number (116: `u32
    # vref`): 2 V
    assert adc.read(1, 1, 1) == [0.4883, 0.9766, 1.9995]
    device.take()
    adc.reset()
    assert device.take() == ["W 08"]


def test_iic(board, mb_info):
    class Memory(I2c):
        """The first byte that is written is an address."""

        def write(self, byte):
            if self.transfers[-1] == "W ":
                self.at = byte
            elif self.transfers[-1].startswith("W"):
                self.bytes[self.at] = byte
                self.at += 1
            return super().write(byte)

        def answer(self):
            return self.bytes[self.at :]

    device = board.plug(Memory(0x50))
    device.bytes = bytearray(256)
    iic = pmod.Pmod_IIC(mb_info, 3, 2, 0x50)
    for data in [1], [2, 3], [4, 5, 6, 255], list(range(20, 40)):
        iic.send([0x10] + data)
        iic.send([0x10])
        assert iic.receive(len(data)) == data
        assert device.take() == ["W 10" + bytes(data).hex(), "W 10", "R " + bytes(data).hex()]


# The timer


def test_pwm(board, mb_info):
    pwm = pmod.Pmod_PWM(mb_info, 3)
    iop = board.iop1
    assert iop["io_switch"].pins(IoSwitch.PWM0) == 1 << 3 and iop["timer"].pwm is None
    for period, duty in (1000, 30), (65535, 98), (1, 1):
        pwm.generate(period, duty)  # microseconds, per cent
        # PG079: TLR + 2 ticks of 10 ns
        assert iop["timer"].pwm == (100 * period + 2, period * duty + 2)
    pwm.stop()
    assert iop["timer"].pwm is None


def test_timer_counts_and_measures(board, mb_info):
    device = board.plug(PmodDevice())
    timer = pmod.Pmod_Timer(mb_info, 2)
    assert timer.event_detected(100000) == 0 and timer.event_count(100000) == 0
    iop = board.iop1
    assert iop["io_switch"].pins(IoSwitch.TIMER_IC0) == 1 << 2
    for period, ticks in (10000, 1000000), (123, 10000), (7, 1000):
        device.capture_period = period
        assert timer.event_detected(2 * period + 100) == 1
        # it begins anywhere in a period
        assert timer.event_count(ticks) in (ticks // period, ticks // period + 1)
        assert timer.get_period_ns() == 10 * period


def test_timer_makes_pulses(board, mb_info, monkeypatch):
    timer = pmod.Pmod_Timer(mb_info, 0)
    switch, counts = board.iop1["io_switch"], board.iop1["timer"]
    written = counts.written
    acknowledged = []

    def watch(offset, value):
        if offset in (counts.TCSR0, counts.TCSR1):
            acknowledged.append(bool(value & TINT and value & ENT))
        written(offset, value)

    monkeypatch.setattr(counts, "written", watch)
    # With 57000 ticks the event after the last of ten is due while the program stops the timer.
    for period, times in [(100000, 10), (5000, 7)] + [(57000, 10)] * 40:
        acknowledged.clear()
        started = time.monotonic()
        timer.generate_pulse(period, times)
        # An event may come half a millisecond early, by the timer's own word; ticks are of 10 ns.
        assert time.monotonic() - started > period * times / 1e8 - 0.001
        assert sum(acknowledged) == times
        assert switch.pins(switch.TIMER_G0) == 1
    timer.generate_pulse(5000)  # for ever
    status = counts[counts.TCSR0]
    assert status & ENT and status & ARHT and counts[counts.TLR0] == 5000
    timer.stop()
    assert not counts[counts.TCSR0] & ENT


# On a busy machine


def test_a_first_command_while_qemu_gets_no_time(board, mb_info):
    """Before the program has used a peripheral, too. pynq's driver gives up after 10 ms."""
    driver = pmod.Pmod_DevMode(mb_info, pmod.PMOD_SWCFG_DIOALL)
    pid = board.microblaze.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (pid, signal.SIGCONT)).start()
    driver.load_switch_config()
