"""The modules that pynq has no driver for, with a program of the test's own in C, on the real
MicroBlaze: it reads registers, and the test does with them what the data sheet says, or it measures
pins."""

import struct

import numpy as np
import pytest
from pynq.lib import MicroblazeRPC

from iop import cells
from virtual_board.pmods import (
    Bme680,
    Bmp280,
    Dps310,
    Gesture,
    GroveAdc,
    Imu,
    LedStick,
    LightColorProximity,
    Motor,
    Servo,
    UltrasonicRanger,
    WaterLevel,
)

pytestmark = pytest.mark.slow

REGISTERS = """
    #include <i2c.h>
    static i2c bus(void) { static i2c b; static int o; if (!o++) b = i2c_open(2, 6); return b; }
    int get(int address, int number, unsigned char *data, int count) {
        unsigned char first = number;
        if (i2c_write(bus(), address, &first, 1) != 1) return -1;
        return i2c_read(bus(), address, data, count);
    }
    int set(int address, int number, int value) {
        unsigned char data[2] = {number, value};
        return i2c_write(bus(), address, data, 2);
    }
"""
PINS = """
    #include <xparameters.h>
    #include <gpio.h>
    #include <timer.h>
    #include <xio_switch.h>
    #define DATA (*(volatile unsigned *)XPAR_GPIO_0_BASEADDR)
    #define TLR0 (*(volatile unsigned *)(XPAR_TMRCTR_0_BASEADDR + 4))
    #define TCSR0 (*(volatile unsigned *)XPAR_TMRCTR_0_BASEADDR)
    #define TCR0 (*(volatile unsigned *)(XPAR_TMRCTR_0_BASEADDR + 8))
    int pwm(int pin, int period, int high) {
        timer t = timer_open_device(0);
        init_io_switch();
        set_pin(pin, PWM0);
        timer_pwm_generate(t, period, high);
        return 0;
    }
    int drive(int pin, int level) {
        gpio g = gpio_open(pin);
        gpio_set_direction(g, GPIO_OUT);
        gpio_write(g, level);
        return 0;
    }
    static void bit(int one) {  // 8 writes: 3 or 5 of them high
        for (int i = 0; i < 8; i++) DATA = i < (one ? 5 : 3);
    }
    int colors(unsigned char *bytes, int count) {
        drive(0, 0);
        for (int i = 0; i < count; i++)
            for (int j = 7; j >= 0; j--) bit(bytes[i] >> j & 1);
        return 0;
    }
    int echo(int pin) {
        gpio g = gpio_open(pin);
        gpio_set_direction(g, GPIO_OUT);
        gpio_write(g, 1);
        gpio_write(g, 0);
        gpio_set_direction(g, GPIO_IN);
        TLR0 = 0;
        TCSR0 = 0x20;
        TCSR0 = 0x90;
        unsigned begin, end = 0;
        do begin = TCR0; while (!gpio_read(g) && begin < 100000000);
        do end = TCR0; while (gpio_read(g) && end < 100000000);
        return end - begin;
    }
"""


@pytest.fixture
def cell(overlay):
    """A function that compiles and loads C, and returns what has its functions."""
    cells.install()
    return lambda source: MicroblazeRPC(overlay.iop1, '#line 1 "cell_magic"\n\n' + source)


@pytest.fixture
def registers(cell):
    """Functions get(address, number, count) and set(address, number, value) of the IOP's bus."""
    c = cell(REGISTERS)

    class Registers:
        @staticmethod
        def get(address, number, count):
            data = np.zeros(count, np.uint8)
            assert c.get(address, number, data, count) == count
            return data.tobytes()

        @staticmethod
        def set(address, number, value):
            assert c.set(address, number, value) == 2

    return Registers


def test_adc121c021(board, registers):
    adc = board.plug(GroveAdc())
    for adc.volts in 2, 1, 3:
        registers.get(0x50, 0, 2)
    volts = [struct.unpack(">H", registers.get(0x50, n, 2))[0] / 4096 * 6.2 for n in (0, 6, 7)]
    assert volts == pytest.approx([3, 1, 3], abs=0.002)
    registers.set(0x50, 2, 0x20)
    assert registers.get(0x50, 2, 1) == b"\x20"


def test_mpu9250(board, registers):
    imu = board.plug(Imu(version=2))
    imu.acceleration, imu.rotation, imu.celsius = [10, -3, 0.5], [1500, -30, 2], 30
    imu.magnetometer.microteslas = [30, -15, 4.5]
    assert registers.get(0x68, 0x75, 1) == b"\x71" and registers.get(0x0C, 0, 1) == b"\x48"
    registers.set(0x68, 0x1B, 0x18)  # 2000 degrees a second
    registers.set(0x68, 0x1C, 0x18)  # 16 g
    words = struct.unpack(">7h", registers.get(0x68, 0x3B, 14))
    assert [word / 2048 for word in words[:3]] == pytest.approx([10, -3, 0.5], abs=0.001)
    assert words[3] / 333.87 + 21 == pytest.approx(30, abs=0.01)
    assert [word / 16.384 for word in words[4:]] == pytest.approx([1500, -30, 2], abs=0.1)
    registers.set(0x0C, 0x0A, 0x16)  # 16 bits, again and again
    field = struct.unpack("<3h", registers.get(0x0C, 0x03, 6))
    assert [word * 0.15 for word in field] == pytest.approx([30, -15, 4.5], abs=0.1)
    registers.set(0x68, 0x6B, 0x80)
    assert registers.get(0x68, 0x1B, 1) == b"\0"  # it was reset


@pytest.mark.parametrize("celsius, pascals", [(25.08, 100653), (-20, 60000), (70, 109000)])
def test_bmp280(board, registers, celsius, pascals):
    """Data sheet, 3.11.3, in whole numbers, and its calibration."""
    board.plug(Bmp280(celsius, pascals))
    assert registers.get(0x77, 0xD0, 1) == b"\x58"
    t1, t2, t3, p1, *p = struct.unpack("<HhhH8h", registers.get(0x77, 0x88, 24))
    p2, p3, p4, p5, p6, p7, p8, p9 = p
    data = registers.get(0x77, 0xF7, 6)
    adc_p, adc_t = (int.from_bytes(data[at : at + 3], "big") >> 4 for at in (0, 3))
    var1 = ((adc_t >> 3) - (t1 << 1)) * t2 >> 11
    t_fine = var1 + ((((adc_t >> 4) - t1) ** 2 >> 12) * t3 >> 14)
    assert (t_fine * 5 + 128 >> 8) / 100 == pytest.approx(celsius, abs=0.02)
    var1 = t_fine - 128000
    var2 = var1 * var1 * p6 + (var1 * p5 << 17) + (p4 << 35)
    var1 = (var1 * var1 * p3 >> 8) + (var1 * p2 << 12)
    var1 = ((1 << 47) + var1) * p1 >> 33
    pressure = ((1048576 - adc_p << 31) - var2) * 3125 // var1
    var1, var2 = p9 * (pressure >> 13) ** 2 >> 25, p8 * pressure >> 19
    assert ((pressure + var1 + var2 >> 8) + (p7 << 4)) / 256 == pytest.approx(pascals, abs=3)


@pytest.mark.parametrize("celsius, pascals", [(21.5, 101325), (-20, 60000)])
def test_dps310(board, registers, celsius, pascals):
    """Data sheet, 4.9."""

    def signed(value, bits):
        return value - (value >> bits - 1 << bits)

    board.plug(Dps310(celsius, pascals))
    assert registers.get(0x77, 0x0D, 1) == b"\x10"
    registers.set(0x77, 0x06, 0x03)  # 8 times: 7864320
    registers.set(0x77, 0x07, 0x80)  # once: 524288
    registers.set(0x77, 0x08, 0x07)
    assert registers.get(0x77, 0x08, 1)[0] & 0xF0 == 0xF0
    data = registers.get(0x77, 0, 6)
    p = signed(int.from_bytes(data[:3], "big"), 24) / 7864320
    t = signed(int.from_bytes(data[3:], "big"), 24) / 524288
    coefficients = int.from_bytes(registers.get(0x77, 0x10, 18), "big")
    widths, values = (12, 12, 20, 20, 16, 16, 16, 16, 16), []
    for width in reversed(widths):
        values.insert(0, signed(coefficients & (1 << width) - 1, width))
        coefficients >>= width
    c0, c1, c00, c10, c01, c11, c20, c21, c30 = values
    assert c0 / 2 + c1 * t == pytest.approx(celsius, abs=0.01)
    pressure = c00 + p * (c10 + p * (c20 + p * c30)) + t * c01 + t * p * (c11 + p * c21)
    assert pressure == pytest.approx(pascals, abs=2)


@pytest.mark.parametrize("celsius, pascals, percent", [(21.5, 101325, 45), (-5, 60000, 90)])
def test_bme680(board, registers, celsius, pascals, percent):
    """Data sheet, 3.3.1 and 3.3.2, in whole numbers; 3.3.3 and 3.4.1."""
    board.plug(Bme680(celsius, pascals, percent, ohms=50000))
    assert registers.get(0x77, 0xD0, 1) == b"\x61"
    registers.set(0x77, 0x71, 0x10)  # with gas
    registers.set(0x77, 0x74, 0x55)  # once
    assert registers.get(0x77, 0x74, 1) == b"\x54" and registers.get(0x77, 0x1D, 1)[0] & 0x80
    (t1,) = struct.unpack("<H", registers.get(0x77, 0xE9, 2))
    t2, t3 = struct.unpack("<hb", registers.get(0x77, 0x8A, 3))
    p1, p2, p3, p4, p5, p7, p6 = struct.unpack("<Hhbxhhbb", registers.get(0x77, 0x8E, 12))
    p8, p9, p10 = struct.unpack("<hhB", registers.get(0x77, 0x9C, 5))
    h = registers.get(0x77, 0xE1, 8)
    data = registers.get(0x77, 0x1F, 13)
    adc_p, adc_t = (int.from_bytes(data[at : at + 3], "big") >> 4 for at in (0, 3))
    var1 = (adc_t >> 3) - (t1 << 1)
    t_fine = (var1 * t2 >> 11) + (((var1 >> 1) ** 2 >> 12) * (t3 << 4) >> 14)
    assert (t_fine * 5 + 128 >> 8) / 100 == pytest.approx(celsius, abs=0.02)
    var1 = (t_fine >> 1) - 64000
    var2 = ((var1 >> 2) ** 2 >> 11) * p6 >> 2
    var2 = (var2 + (var1 * p5 << 1) >> 2) + (p4 << 16)
    var1 = (((var1 >> 2) ** 2 >> 13) * (p3 << 5) >> 3) + (p2 * var1 >> 1) >> 18
    var1 = (32768 + var1) * p1 >> 15
    pressure = (1048576 - adc_p - (var2 >> 12)) * 3125 * 2 // var1
    var1 = p9 * ((pressure >> 3) ** 2 >> 13) >> 12
    var2, var3 = (pressure >> 2) * p8 >> 13, (pressure >> 8) ** 3 * p10 >> 17
    assert pressure + (var1 + var2 + var3 + (p7 << 7) >> 4) == pytest.approx(pascals, abs=5)
    h1, h2 = h[2] << 4 | h[1] & 0xF, h[0] << 4 | h[1] >> 4
    h3, h4, h5, h6, h7 = struct.unpack("<bbbBb", h[3:])
    adc_h = int.from_bytes(data[6:8], "big")
    slope = 1 + h4 / 16384 * celsius + h5 / 1048576 * celsius**2
    var2 = (adc_h - (h1 * 16 + h3 / 2 * celsius)) * (h2 / 262144 * slope)
    humidity = var2 + (h6 / 16384 + h7 / 2097152 * celsius) * var2**2
    assert humidity == pytest.approx(percent, abs=0.1)
    gas = int.from_bytes(data[11:13], "big")
    adc, valid, number = gas >> 6, gas & 0x30, gas & 0xF
    assert valid == 0x30 and number == 7  # the first of its constants is 0.992, the other 63004
    assert 1340 * 0.992 * 63004.03226 / (adc - 512 + 1340 * 0.992) == pytest.approx(50000, rel=0.01)


def test_paj7620(board, registers):
    sensor = board.plug(Gesture())
    assert registers.get(0x73, 0x00, 2) == b"\x20\x76"
    registers.set(0x73, 0xEF, 1)
    registers.set(0x73, 0xEF, 0)
    sensor.make("up", "wave", "counterclockwise")
    flags = [registers.get(0x73, number, 1)[0] for number in (0x43, 0x43, 0x44, 0x44, 0x43, 0x43)]
    assert flags == [0x04, 0, 0x01, 0, 0x80, 0]
    with pytest.raises(ValueError, match="gesture is 'hop': the sensor knows right, left, up"):
        sensor.make("hop")


def test_tmg39931(board, registers):
    sensor = board.plug(LightColorProximity())
    sensor.red, sensor.proximity, sensor.east = 1234, 77, 9
    assert registers.get(0x39, 0x92, 1) == b"\xa8" and registers.get(0x39, 0x94, 9) == bytes(9)
    registers.set(0x39, 0x80, 0x47)
    counts = struct.unpack("<B4HB", registers.get(0x39, 0x93, 10))
    assert counts == (3, 1000, 1234, 350, 250, 77)
    assert registers.get(0x39, 0xFC, 4) == bytes([0, 0, 0, 9])


@pytest.mark.parametrize("centimeters, sections", [(0, 0), (3.5, 7), (4, 8), (10, 20)])
def test_water_level(board, registers, centimeters, sections):
    board.plug(WaterLevel(centimeters))
    data = registers.get(0x77, 0, 8) + registers.get(0x78, 0, 12)
    assert [byte > 100 for byte in data] == [True] * sections + [False] * (20 - sections)


# Pins


def test_servo_and_motor(board, cell):
    c = cell(PINS)
    servo = board.plug(Servo(5))
    for degrees in 0, 90, 180:
        c.pwm(5, 2000000, 60000 + degrees * 175000 // 180)
        assert servo.degrees == pytest.approx(degrees, abs=0.01)
    board.unplug(servo)
    motor = board.plug(Motor(direction=0, speed=4))
    c.drive(0, 1)
    c.pwm(4, 2000000, 500000)
    assert motor.speed == pytest.approx(0.25, abs=0.001)
    c.drive(0, 0)
    assert motor.speed == pytest.approx(-0.25, abs=0.001)


def test_led_stick(board, cell):
    stick = board.plug(LedStick(0))
    c = cell(PINS)
    for seed in 1, 2:
        sent = np.random.default_rng(seed).integers(0, 256, 30).astype(np.uint8)
        sent[-1] |= 1  # nothing comes after the last bit that would show that it has ended
        c.colors(sent, 30)
        green, red, blue = sent.reshape(10, 3).T.tolist()
        assert stick.colors == list(zip(red, green, blue))
    assert repr(stick) == "<virtual LedStick: 10 of 10 LEDs are lit>"


def test_ranger(board, cell):
    ranger = board.plug(UltrasonicRanger(3))
    c = cell(PINS)
    for ranger.centimeters in 30, 2, 123.4, 30:
        ticks = c.echo(3)
        assert ticks / 1e8 * 34029 / 2 == pytest.approx(ranger.centimeters, abs=0.001)
    with pytest.raises(ValueError, match="UltrasonicRanger measures 2 to 350 cm"):
        ranger.centimeters = 400
