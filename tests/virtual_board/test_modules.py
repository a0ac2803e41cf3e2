"""The modules that pynq has a driver of its own for, with that driver on the virtual board: what a
student reads is what the module was set to, in physical units.

The programs' behaviour is in their C sources, in pynq/lib/pmod/*/src of the installed package."""

import numpy as np
import pytest
from pynq.lib import pmod
from pynq.lib.pmod import PMOD_GROVE_G1, PMOD_GROVE_G2, PMOD_GROVE_G4

from helpers.waiting import soon
from virtual_board import watched
from virtual_board.pmods import (
    Adc,
    Bmp180,
    Button,
    Buzzer,
    Dac,
    DigitalLight,
    Dpot,
    FingerHeartRate,
    GroveAdc,
    GroveOled,
    HapticMotor,
    I2cDevice,
    Imu,
    Led,
    LedBar,
    LightSensor,
    Pir,
    PmodDevice,
    Tc1,
    Th02,
    Thermistor,
    WaterLevel,
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """pynq's drivers give up after 10 ms: on a busy machine the board makes them wait longer."""
    monkeypatch.setattr(watched, "ANSWERED_WITHIN", 60)


@pytest.fixture
def mb_info(board, overlay, capfd):
    """No program of pynq's needs what the virtual board does not have: it says nothing."""
    yield overlay.iop1.mb_info
    assert capfd.readouterr().err == ""


# I2C


def test_adc(board, mb_info):
    adc = board.plug(GroveAdc())
    driver = pmod.Grove_ADC(mb_info, PMOD_GROVE_G4)
    for adc.volts in 0, 1.5, 3.3, 6:
        assert driver.read() == pytest.approx(adc.volts, abs=0.002)


def test_light(board, mb_info):
    sensor = LightSensor()
    board.plug(GroveAdc(sensor))
    driver = pmod.Grove_Light(mb_info, PMOD_GROVE_G4)
    for sensor.kiloohms in 1, 10, 35:
        assert driver.read() == pytest.approx(sensor.kiloohms, rel=0.01)


def test_temperature(board, mb_info):
    sensor = Thermistor()
    board.plug(GroveAdc(sensor))
    driver = pmod.Grove_TMP(mb_info, PMOD_GROVE_G4)
    for sensor.celsius in 21.5, -10, 80:
        assert driver.read() == pytest.approx(sensor.celsius, abs=0.3)


def test_temperature_and_humidity(board, mb_info):
    sensor = board.plug(Th02())
    driver = pmod.Grove_TH02(mb_info, PMOD_GROVE_G4)
    for sensor.celsius, sensor.percent in (21.5, 45), (-40, 0), (85, 100):
        assert driver.read() == (sensor.celsius, sensor.percent)


def test_digital_light(board, mb_info):
    """pmod_grove_dlight.c, read_dlight(): of each byte it keeps the lower four bits."""
    sensor = board.plug(DigitalLight(0x0A0B, 0x0102))
    driver = pmod.Grove_Dlight(mb_info, PMOD_GROVE_G4)
    assert driver.read_raw_light() == (0x0A0B, 0x0102)
    sensor.infrared = 0x0305
    assert driver.read_raw_light() == (0x0A0B, 0x0305)


def test_heart_rate(board, mb_info):
    sensor = board.plug(FingerHeartRate())
    driver = pmod.Grove_FingerHR(mb_info, PMOD_GROVE_G4)
    for sensor.beats in 70, 181:
        assert driver.read() == sensor.beats


def test_haptic_motor(board, mb_info):
    motor = board.plug(HapticMotor())
    driver = pmod.Grove_HapticMotor(mb_info, PMOD_GROVE_G4)  # it calibrates the motor
    assert motor.playing == []
    driver.play_sequence([1, 47, 14])
    assert motor.playing == [1, 47, 14] and driver.is_playing()
    driver.stop()
    assert motor.playing == [] and not driver.is_playing()


def test_imu(board, mb_info):
    imu = board.plug(Imu())
    assert board.plugged() == [imu]
    driver = pmod.Grove_IMU(mb_info, PMOD_GROVE_G4)
    assert driver.get_accl() == [0, 0, 1]
    imu.acceleration, imu.rotation = [0.5, -1.25, 1.5], [-120, 3.5, 240]
    assert driver.get_accl() == [0.5, -1.25, 1.5]
    assert driver.get_gyro() == pytest.approx([-120, 3.5, 240], abs=0.01)
    # pmod_grove_imu.py counts in the 1200/4096 microtesla of an MPU-9150; the AK8963 in 0.6
    imu.magnetometer.microteslas = [12.0, -12.0, 45.0]
    assert driver.get_compass() == pytest.approx(
        [one / 0.6 * 1200 / 4096 for one in (12, -12, 45)], abs=0.01
    )
    assert driver.get_heading() == 315
    imu.barometer.celsius, imu.barometer.pascals = 31.5, 95000
    assert driver.get_temperature() == pytest.approx(31.5, abs=0.06)
    assert driver.get_pressure() == pytest.approx(95000, abs=30)
    board.unplug(imu)
    other = board.plug(Imu())
    assert board.plugged() == [other]


def test_grove_oled(board, mb_info):
    oled = board.plug(GroveOled())
    driver = pmod.Grove_OLED(mb_info, PMOD_GROVE_G4)
    assert oled.picture().shape == (64, 128) and not oled.picture().any()
    driver.set_position(2, 3)
    driver.write("L")
    letter = oled.picture()[16:24, 24:32]
    assert letter.any() and oled.picture().sum() == letter.sum()
    # the right way up and round: a stroke on the left and one below, and nothing in the corner
    rows = ["".join(" #"[lit] for lit in row).strip() for row in letter.tolist()]
    assert rows[:6] == ["#"] * 6 or rows[1:6] == ["#"] * 5, rows
    assert any(len(row) > 3 for row in rows[5:]), rows
    driver.set_inverse_mode()
    assert oled.picture()[0, 0] and "of 8192 pixels are lit" in repr(oled)
    driver.set_normal_mode()
    driver.clear()
    assert not oled.picture().any() and "<svg" in oled._repr_html_()


def test_ad2(board, mb_info):
    adc = board.plug(Adc())
    driver = pmod.Pmod_ADC(mb_info)
    adc.first, adc.second, adc.third = 0.5, 1, 1.75
    # pmod_adc.c has a reference of 2.048 V, but ad7991.c takes it as a whole number: 2 V
    expected = [volts / 2.048 * 2 for volts in (0.5, 1, 1.75)]
    assert driver.read(1, 1, 1) == pytest.approx(expected, abs=0.001)


# SPI


def test_tc1(board, mb_info):
    tc1 = board.plug(Tc1())
    driver = pmod.Pmod_TC1(mb_info)
    for tc1.celsius, tc1.junction in (25.25, 22.0625), (1350.75, -10.5):
        assert driver.read_thermocouple_temperature() == tc1.celsius
        assert driver.read_junction_temperature() == tc1.junction
        assert driver.read_alarm_flags() == 0
    tc1.fault = True
    assert driver.read_alarm_flags() == 0x10001


def test_dac(board, mb_info):
    dac = board.plug(Dac())
    driver = pmod.Pmod_DAC(mb_info)
    assert dac.volts == [0] * 8
    for volts in 1.25, 2.5, 0:
        driver.write(volts)
        assert dac.volts[0] == pytest.approx(volts, abs=0.001)


def test_dpot(board, mb_info):
    potentiometer = board.plug(Dpot())
    driver = pmod.Pmod_DPOT(mb_info)
    for tap in 255, 0, 64:
        driver.write(tap)
        assert soon(lambda: potentiometer.tap == tap)
    assert potentiometer.ohms == 64 / 256 * 10000 + 60


# Pins


def test_led_bar(board, mb_info):
    bar = board.plug(LedBar(*PMOD_GROVE_G1))
    driver = pmod.Grove_LEDbar(mb_info, PMOD_GROVE_G1)
    assert bar.leds == 0
    for pattern in 0b1100110011, 0b0000000001, 0:
        driver.write_binary(pattern)
        assert sorted(map(bool, bar.brightness)) == sorted(pattern >> led & 1 for led in range(10))
    driver.write_brightness(0b1111100000, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert len(set(bar.brightness)) == 6
    driver.reset()
    assert bar.leds == 0
    driver.write_level(3, 3, 0)
    assert bin(bar.leds).count("1") == 3


def test_pir_and_button(board, mb_info):
    pir, button = board.plug(Pir(PMOD_GROVE_G1[0])), board.plug(Button(PMOD_GROVE_G2[0]))
    driver = pmod.Grove_PIR(mb_info, PMOD_GROVE_G1)
    other = pmod.Pmod_IO(mb_info, PMOD_GROVE_G2[0], "in")
    assert (driver.read(), other.read()) == (0, 0)
    pir.level = 1
    assert (driver.read(), other.read()) == (1, 0)
    button.press()
    assert (driver.read(), other.read()) == (1, 1)
    button.release()
    pir.level = 0
    assert (driver.read(), other.read()) == (0, 0)


def test_led(board, mb_info):
    led = board.plug(Led(5))
    driver = pmod.Pmod_LED8(mb_info, 5)
    driver.on()
    assert led.on and repr(led) == "<virtual Led: on>"
    driver.off()
    assert not led.on and led.changes == 2


def test_buzzer(board, mb_info):
    buzzer = board.plug(Buzzer(PMOD_GROVE_G1[0]))
    driver = pmod.Grove_Buzzer(mb_info, PMOD_GROVE_G1)
    driver.play_tone(1000, 25)
    assert buzzer.changes == 50


def test_buzzer_with_a_timer(board, mb_info):
    buzzer = board.plug(Buzzer(3))
    pwm = pmod.Pmod_PWM(mb_info, 3)
    pwm.generate(1000, 50)  # microseconds, per cent
    assert buzzer.hertz == pytest.approx(1000, abs=0.1)
    pwm.stop()
    assert buzzer.hertz == 0


# What cannot be plugged in or set


@pytest.mark.parametrize(
    "plugged, device, says",
    [
        (None, Led(8), "pin is 8: the connector pmoda has the pins 0 to 7."),
        (Led(2), Button(2), "Button uses the pin 2, as does the Led that is plugged in"),
        (Imu(), WaterLevel(), "WaterLevel has the I2C address 0x77, as has the Bmp180"),
        (Bmp180(), Imu(), "Bmp180 has the I2C address 0x77, as has the Bmp180"),
        (None, Thermistor(pin="A0"), "pin is 'A0': the connector pmoda has the pins 0 to 7."),
        (None, Thermistor(), "This Thermistor has no pin: make it as Thermistor(pin="),
    ],
)
def test_cannot_be_plugged_in(board, plugged, device, says):
    if plugged is not None:
        board.plug(plugged)
    with pytest.raises(ValueError) as error:
        board.plug(device)
    assert says in str(error.value)
    assert board.plugged() == ([] if plugged is None else [plugged])
    board.pmodb.plug(Led(7))


@pytest.mark.parametrize(
    "pin, volts, says",
    [
        (3, 1, 'pin is 3: name an analog pin of the connector, as "A0".'),
        ("A0", 5, "volts is 5: an analog pin takes 0 to 3.3 V."),
        ("A0", "1", "volts is '1': an analog pin takes 0 to 3.3 V."),
    ],
)
def test_volts_that_cannot_be_driven(pin, volts, says):
    with pytest.raises(ValueError) as error:
        PmodDevice().drive_volts(pin, volts)
    assert str(error.value) == says


def test_a_module_is_in_one_connector(board):
    led = board.pmoda.plug(Led(0))
    with pytest.raises(ValueError, match="This Led is in another connector: unplug it there"):
        board.pmodb.plug(led)
    board.pmoda.unplug(led)
    board.pmodb.plug(led)
    assert board.pmodb.plugged() == [led] and "Led" in repr(board.pmodb)
    assert board.plugged() == []


def test_addresses(board):
    class Plain(I2cDevice):
        def __init__(self, address):
            self.address = address

        def write(self, byte):
            return True

        def read(self):
            return 0

    for address in 0x03, 0x7F:
        board.plug(Plain(address))


def test_cannot_be_set():
    sensor = Th02()
    for celsius in 86, "warm", None, float("nan"), np.array([1, 2]):
        with pytest.raises(ValueError, match="Th02 measures -40 to 85 °C"):
            sensor.celsius = celsius
    assert sensor.celsius == 21.5
