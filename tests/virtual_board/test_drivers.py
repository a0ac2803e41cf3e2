"""pynq's own drivers, unmodified, with their own programs (.bin) on the virtual IOP, each against a
device of the test's own.

What a program does is in its C source, in pynq/lib/pmod/*/src of the installed package; the
comments name the files there."""

import os
import re
import struct
import time

import pynq.lib.pmod
import pytest
from pynq.lib.pmod import (
    PMOD_GROVE_G1,
    PMOD_GROVE_G3,
    PMOD_GROVE_G4,
    Grove_Buzzer,
    Grove_LEDbar,
    Grove_OLED,
    Grove_TMP,
    Pmod_ADC,
    Pmod_ALS,
    Pmod_DAC,
    Pmod_DPOT,
    Pmod_IIC,
    Pmod_IO,
    Pmod_LED8,
    Pmod_OLED,
    Pmod_PWM,
    Pmod_TC1,
    Pmod_Timer,
    Pmod_TMP2,
)

from helpers.waiting import soon
from virtual_board.axi.counter import ARHT, ENT, TINT
from virtual_board.pmods import I2cDevice, PmodDevice, SpiDevice

pytestmark = pytest.mark.slow


@pytest.fixture
def mb_info(board, overlay):
    return overlay.iop1.mb_info


class Pins(PmodDevice):
    """Keeps the levels of the pins that the IOP drives, one after the other, and when each
    began."""

    def __init__(self):
        self.seen, self.times = [], []

    def pins(self, levels, driven):
        if not self.seen or self.seen[-1] != levels & driven:
            self.seen.append(levels & driven)
            self.times.append(time.monotonic())


class Spi(SpiDevice):
    """Keeps the bytes of each transfer, and answers with those of `answers`, from the first on in
    each transfer."""

    def __init__(self, answers=b""):
        self.transfers, self.answers = [], answers

    def select(self, selected):
        if selected:
            self.transfers.append(bytearray())

    def transfer(self, byte):
        sent = self.transfers[-1]
        sent.append(byte)
        return self.answers[len(sent) - 1] if len(sent) <= len(self.answers) else 0


class I2c(I2cDevice):
    """Keeps each transfer, as ("write" or "read", its bytes), and whether it has ended. What the
    IOP reads is what answer() gives when a transfer begins."""

    def __init__(self, address):
        self.address, self.transfers, self.stopped = address, [], True

    def answer(self):
        return b""

    def start(self, reading):
        self.stopped = False
        self.transfers.append(("read" if reading else "write", bytearray()))
        self._answer = list(self.answer()) if reading else []

    def write(self, byte):
        self.transfers[-1][1].append(byte)
        return True

    def read(self):
        byte = self._answer.pop(0)
        self.transfers[-1][1].append(byte)
        return byte

    def stop(self):
        self.stopped = True

    def take(self):
        taken, self.transfers = self.transfers, []
        assert self.stopped
        return taken


def font(path, name):
    """{character: its eight bytes} of a table in one of the programs' sources."""
    with open(
        os.path.join(os.path.dirname(pynq.lib.pmod.__file__), path), encoding="latin-1"
    ) as file:
        table = re.search(re.escape(name) + r".*?=\s*\{(.*?)\};", file.read(), re.DOTALL).group(1)
    table = bytes(
        int(byte, 16) for byte in re.findall(r"0x(..)(?=[,}\s])", re.sub(r"//.*", "", table))
    )
    return {chr(0x20 + place // 8): table[place : place + 8] for place in range(0, len(table), 8)}


# The pins


def test_led8(board, mb_info):
    device = board.plug(Pins())
    leds = [Pmod_LED8(mb_info, index) for index in range(8)]
    device.seen.clear()
    for led in leds:
        led.on()
    assert device.seen == [0x01, 0x03, 0x07, 0x0F, 0x1F, 0x3F, 0x7F, 0xFF]
    leds[7].off()
    leds[0].toggle()
    leds[0].toggle()
    leds[3].write(0)
    leds[3].write(1)
    assert device.seen[8:] == [0x7F, 0x7E, 0x7F, 0x77, 0x7F]
    assert [led.read() for led in leds] == [1] * 7 + [0]


def test_io(board, mb_info):
    device = board.plug(Pins())
    out = Pmod_IO(mb_info, 5, "out")
    device.seen.clear()
    for level in 1, 0, 1:
        out.write(level)
    assert device.seen == [0x20, 0x00, 0x20]
    inputs = [Pmod_IO(mb_info, index, "in") for index in range(8)]
    assert device.seen[-1] == 0  # the IOP drives none of them now
    assert [pin.read() for pin in inputs] == [0, 0, 1, 1, 0, 0, 1, 1]  # base.xdc: PULLUP
    for level in 1, 0:
        for index in range(8):
            device.drive(index, level)
            assert inputs[index].read() == level
    device.drive(2, None)
    assert [pin.read() for pin in inputs] == [0, 0, 1, 0, 0, 0, 0, 0]


def test_grove_buzzer(board, mb_info):
    device = board.plug(Pins())
    buzzer = Grove_Buzzer(mb_info, PMOD_GROVE_G1)
    device.seen.clear(), device.times.clear()
    buzzer.play_tone(4000, 5)  # microseconds, periods
    assert device.seen == [1, 0] * 5
    for half, (begun, ended) in enumerate(zip(device.times, device.times[1:])):
        assert ended - begun > 0.001, half  # of 2 ms, of which the timer may give back half a one


def test_grove_ledbar(board, mb_info):
    def frame():
        """Decodes what the bar's MY9221 gets: 16 bits a word, one with each edge of the clock; four
        pulses of the data pin while the clock rests store the words."""
        bits, pulses, data, clock = "", 0, 0, 0
        for levels in device.seen:
            now, edge = levels >> PMOD_GROVE_G1[0] & 1, levels >> PMOD_GROVE_G1[1] & 1
            if edge != clock:
                bits, pulses = bits + str(now), 0
            elif now and not data:
                pulses += 1
            data, clock = now, edge
        device.seen.clear()
        assert len(bits) == 13 * 16 and pulses == 4
        words = [int(bits[place : place + 16], 2) for place in range(0, len(bits), 16)]
        assert words[0] == words[11] == words[12] == 0
        return words[1:11]

    device = board.plug(Pins())
    bar = Grove_LEDbar(mb_info, PMOD_GROVE_G1)
    device.seen.clear()
    bar.write_level(5, 3, 0)
    assert frame() == [0xFF] * 5 + [0] * 5
    bar.write_level(3, 1, 1)
    assert frame() == [0] * 7 + [1] * 3
    bar.write_binary(0b1000100011)
    assert frame() == [0xFF, 0xFF, 0, 0, 0, 0xFF, 0, 0, 0, 0xFF] and bar.read() == "1000100011"
    bar.write_brightness(0b0000000011, list(range(1, 11)))
    # pmod_grove_ledbar.c takes the brightness of the last one first
    assert frame() == [10, 9] + [0] * 8
    bar.reset()
    assert frame() == [0] * 10 and bar.read() == "0000000000"


# SPI


def test_oled(board, mb_info):
    class Panel(Spi):
        """Keeps commands and data apart, and when it was reset."""

        levels = 0

        def pins(self, levels, driven):
            if self.levels & 0x20 and not levels & driven & 0x20:
                self.told.append("reset")
            self.levels = levels & driven

        def transfer(self, byte):
            self.told.append((bool(self.levels & 0x10), byte))
            return super().transfer(byte)

    def update(*pages):
        told = []
        for number, page in enumerate(pages):
            told += [(False, byte) for byte in (0x22, number, 0x00, 0x10)]
            told += [(True, byte) for byte in page + bytes(128 - len(page))]
        return told

    device = Panel()
    device.told = []
    board.plug(device)
    oled = Pmod_OLED(mb_info)
    # pmod_oled.c: OledInit(), and the empty panel twice
    start = [(False, byte) for byte in (0x8D, 0x14, 0xD9, 0xF1, 0xA1, 0xC8, 0xDA, 0x20, 0xAF)]
    assert device.told == [(False, 0xAE), "reset"] + start + 2 * update(b"", b"", b"", b"")
    assert all(len(transfer) == 1 for transfer in device.transfers)
    del device.told[:]
    oled.write("Hi!", 2, 1)
    glyphs = font("pmod_oled/src/ChrFont0.c", "rgbOledFont0[]")
    text = bytes(16) + glyphs["H"] + glyphs["i"] + glyphs["!"]
    assert device.told == update(b"", text, b"", b"")
    del device.told[:]
    oled.draw_rect(10, 16, 20, 31)
    page = bytes(10) + b"\xff" + bytes(9) + b"\xff"
    top, bottom = bytearray(page), bytearray(page)
    for x in range(11, 20):
        top[x], bottom[x] = 0x01, 0x80
    assert device.told == update(b"", text, bytes(top), bytes(bottom))


def test_als(board, mb_info):
    device = board.plug(Spi())
    light = Pmod_ALS(mb_info)
    for value in 0, 77, 255:
        device.answers = struct.pack(">H", value << 4)
        assert light.read() == value
    assert [len(transfer) for transfer in device.transfers] == [2] * 4  # one more at the start


def test_als_logs(board, mb_info):
    class Sunrise(Spi):
        def select(self, selected):
            super().select(selected)
            self.answers = struct.pack(">H", len(self.transfers) << 4)

    device = board.plug(Sunrise())
    light = Pmod_ALS(mb_info)
    light.set_log_interval_ms(2)
    light.read()
    before = len(device.transfers)
    light.start_log()
    assert soon(lambda: len(device.transfers) > before + 5)  # the newest may not be in the log yet
    log = light.get_log()
    assert len(log) >= 4 and log == list(range(before + 1, before + 1 + len(log)))


def test_dac(board, mb_info):
    device = board.plug(Spi())
    dac = Pmod_DAC(mb_info)
    for volts in 0, 1.25, 2.5:
        dac.write(volts)
    # pmod_dac.c: RefOn(), and FixedGen() with a value of 12 bits, of 0.6105 mV each
    assert device.transfers == [
        bytes([0x08, 0x00, 0x00, 0x01]),
        bytes([0x03, 0x00, 0x00, 0x55]),
        bytes([0x03, 0x07, 0xFF, 0x55]),
        bytes([0x03, 0x0F, 0xFF, 0x55]),
    ]


def test_dpot(board, mb_info):
    device = board.plug(Spi())
    potentiometer = Pmod_DPOT(mb_info)
    for value in 100, 255, 0, 1:
        potentiometer.write(value)
        assert soon(lambda: device.transfers and device.transfers[-1] == bytes([value]))
    del device.transfers[:]
    potentiometer.write(10, step=20, log_ms=1)
    assert soon(lambda: len(device.transfers) > 15)
    # pmod_dpot.c: it goes on, modulo 256, until the next command
    assert device.transfers[:15] == [bytes([(10 + 20 * count) % 256]) for count in range(15)]


def test_tc1(board, mb_info):
    device = board.plug(Spi())
    thermometer = Pmod_TC1(mb_info)
    for couple, junction, alarms in (
        (0, 0, 0),
        (25.25, 22.0625, 0),
        (-250, -10.5, 0x10001),
        (1350.75, 125, 0x10007),
    ):
        raw = (int(couple * 4) & 0x3FFF) << 18 | (int(junction * 16) & 0xFFF) << 4 | alarms
        device.answers = struct.pack(">I", raw)
        assert thermometer.read_raw() == raw
        # pmod_tc1.py looks for the sign of the thermocouple's 14 bits at the 18th
        assert thermometer.read_thermocouple_temperature() == (
            couple if couple >= 0 else couple + 4096
        )
        assert thermometer.read_junction_temperature() == junction
        assert thermometer.read_alarm_flags() == alarms
    assert all(len(transfer) == 4 for transfer in device.transfers)


# I2C


class Adt7420(I2c):
    """celsius: of each sample, one after the other; the last one stays"""

    def __init__(self, *celsius):
        super().__init__(0x4B)
        self.celsius = list(celsius)

    def answer(self):
        celsius = self.celsius.pop(0) if len(self.celsius) > 1 else self.celsius[0]
        return struct.pack(">h", int(celsius * 128))


def test_tmp2(board, mb_info):
    device = board.plug(Adt7420(0))
    thermometer = Pmod_TMP2(mb_info)
    for celsius in 21.5, 0, 99.9, 0.5:
        device.celsius = [celsius]
        assert thermometer.read() == celsius
        # pmod_tmp2.c, 55: "to clear stale data"
        assert device.take() == 2 * [("read", struct.pack(">h", int(celsius * 128)))]
    # pmod_tmp2.c, 50 and 55: `u32 sample` has two bytes without their sign, so that what is below
    # zero reads 512 too high
    device.celsius = [-10.5]
    assert thermometer.read() == 501.5
    # pmod_tmp2.py, _reg2float(): the exponent of 1 to 2 is 0 after its 127 are taken off, and is
    # taken for that of a denormalised number, so that these read 1 too low
    device.celsius = [1.5]
    assert thermometer.read() == 0.5


def test_tmp2_logs(board, mb_info):
    device = board.plug(Adt7420(*(2 + sample // 2 for sample in range(14))))  # each is read twice
    thermometer = Pmod_TMP2(mb_info)
    assert thermometer.get_log() is None
    thermometer.set_log_interval_ms(1)
    thermometer.start_log()
    assert soon(lambda: len(device.transfers) >= 14)
    log = thermometer.get_log()
    assert log[:6] == [2, 3, 4, 5, 6, 7] and set(log[6:]) <= {8}


def test_adc(board, mb_info):
    class Ad7991(I2c):
        """raw: 12 bits of each channel. It converts those that its configuration names, in turn."""

        raw, channels = [1000, 2000, 4095, 0], [0]

        def write(self, byte):
            self.channels = [channel for channel in range(4) if byte >> (4 + channel) & 1]
            return super().write(byte)

        def answer(self):
            channel = self.channels.pop(0)
            self.channels.append(channel)
            return struct.pack(">H", channel << 12 | self.raw[channel])

    device = board.plug(Ad7991(0x28))
    adc = Pmod_ADC(mb_info)
    assert adc.read_raw(1, 1, 1) == [1000, 2000, 4095]
    # ad7991.c, adc_config(): channels 0 to 2, reference on the fourth input
    assert device.take() == [
        ("write", b"\x78"),
        ("read", b"\x03\xe8"),
        ("read", b"\x17\xd0"),
        ("read", b"\x2f\xff"),
    ]
    assert adc.read_raw(0, 1, 0) == [2000]
    assert device.take() == [("write", b"\x28"), ("read", b"\x17\xd0")]
    # pmod_adc.c has a reference of 2.048 V (42), but ad7991.c takes it as a whole number (116: `u32
    # vref`): 2 V
    assert (
        adc.read(1, 1, 1)
        == [round(raw * 2 / 4096, 4) for raw in (1000, 2000, 4095)]
        == [0.4883, 0.9766, 1.9995]
    )
    device.take()
    adc.reset()
    assert device.take() == [("write", b"\x08")]


def test_iic(board, mb_info):
    class Memory(I2c):
        """The first byte that is written is an address."""

        def start(self, reading):
            super().start(reading)
            self.addressed = reading

        def write(self, byte):
            if self.addressed:
                self.bytes[self.at] = byte
                self.at += 1
            else:
                self.at, self.addressed = byte, True
            return super().write(byte)

        def answer(self):
            return self.bytes[self.at :]

    device = Memory(0x50)
    device.bytes = bytearray(256)
    board.plug(device)
    iic = Pmod_IIC(mb_info, 3, 2, 0x50)
    for data in [1], [2, 3], [4, 5, 6, 255], list(range(20, 40)):
        iic.send([0x10] + data)
        assert device.take() == [("write", bytes([0x10] + data))]
        iic.send([0x10])
        assert iic.receive(len(data)) == data
        assert device.take() == [("write", b"\x10"), ("read", bytes(data))]


def test_grove_tmp(board, mb_info):
    class Adc121c021(I2c):
        def answer(self):
            return struct.pack(">H", 1024)

    device = board.plug(Adc121c021(0x50))
    thermometer = Grove_TMP(mb_info, PMOD_GROVE_G4)
    assert device.take() == [("write", b"\x02\x20")]  # pmod_grove_adc.c: REG_ADDR_CONFIG
    assert thermometer.read_raw() == 2048  # of 4096: the program doubles it
    # at half the voltage the thermistor has its resistance of 25 degrees
    assert thermometer.read() == 25.01
    assert device.take() == 2 * [("write", b"\x00"), ("read", b"\x04\x00")]


def test_grove_oled(board, mb_info):
    def commands(*data):
        return [("write", bytes([0x80, byte])) for byte in data]

    def text(text):
        return [("write", bytes([0x40, byte])) for character in text for byte in glyphs[character]]

    def xy(row, column):
        return commands(0xB0 + row, 8 * column & 0x0F, 0x10 + (8 * column >> 4))

    glyphs = font("pmod_grove_oled/src/pmod_grove_oled.c", "BasicFont[][8]")
    device = board.plug(I2c(0x3C))
    oled = Grove_OLED(mb_info, PMOD_GROVE_G3)
    init = commands(0xFD, 0x12, 0xAE, 0xAF, 0xA4)
    clear = (
        commands(0xAE)
        + sum((xy(row, 0) + text(16 * " ") for row in range(8)), [])
        + commands(0xAF)
        + xy(0, 0)
    )
    assert device.take() == 2 * init + clear + commands(0x20, 0x00) + clear
    oled.set_position(3, 5)
    oled.write("Hi~")
    oled.set_contrast(200)
    oled.set_inverse_mode()
    oled.set_page_mode()
    assert device.take() == xy(3, 5) + text("Hi~") + commands(0x81, 200, 0xA7, 0x20, 0x02)


# The timer


def test_pwm(board, mb_info):
    pwm = Pmod_PWM(mb_info, 3)
    iop = board.iop1
    assert iop.io_switch.pins(iop.io_switch.PWM0) == 1 << 3 and iop.timer.pwm is None
    for period, duty in (1000, 30), (65535, 98), (1, 1):
        pwm.generate(period, duty)  # microseconds, per cent
        # PG079: TLR + 2 ticks of 10 ns
        assert iop.timer.pwm == (100 * period + 2, period * duty + 2)
    pwm.stop()
    assert iop.timer.pwm is None


def test_timer_counts_and_measures(board, mb_info):
    device = board.plug(PmodDevice())
    timer = Pmod_Timer(mb_info, 2)
    assert timer.event_detected(100000) == 0 and timer.event_count(100000) == 0
    iop = board.iop1
    assert iop.io_switch.pins(iop.io_switch.TIMER_IC0) == 1 << 2
    for period, ticks in (10000, 1000000), (123, 10000), (7, 1000):
        device.capture_period = period
        assert timer.event_detected(2 * period + 100) == 1
        count = timer.event_count(ticks)
        assert count in (ticks // period, ticks // period + 1)  # it begins anywhere in a period
        assert timer.get_period_ns() == 10 * period


def test_timer_makes_pulses(board, mb_info):
    timer = Pmod_Timer(mb_info, 0)
    iop = board.iop1
    # With 57000 ticks the event after the last of ten is due while the program stops the timer.
    for period, times in ((100000, 10), (5000, 7)) + ((57000, 10),) * 40:
        acknowledged = []
        written = iop.timer.written
        iop.timer.written = lambda offset, value: (
            acknowledged.append(value & TINT and value & ENT),
            written(offset, value),
        )
        started = time.monotonic()
        timer.generate_pulse(period, times)
        # An event may come half a millisecond early, by the timer's own word; ticks are of 10 ns.
        assert time.monotonic() - started > period * times / 1e8 - 0.001
        iop.timer.written = written
        assert sum(map(bool, acknowledged)) == times
        assert iop.io_switch.pins(iop.io_switch.TIMER_G0) == 1
    timer.generate_pulse(5000)  # for ever
    status = iop.timer[iop.timer.TCSR0]
    assert status & ENT and status & ARHT and iop.timer[iop.timer.TLR0] == 5000
    timer.stop()
    assert not iop.timer[iop.timer.TCSR0] & ENT
