"""The connectors of a base overlay, and the inside of its Arduino IOP, with pynq's own drivers and
their programs: where a base overlay of an image is at hand."""

import pytest
from pynq import Overlay
from pynq.lib import arduino, pmod
from pynq.lib.arduino import ARDUINO_GROVE_G1, ARDUINO_GROVE_I2C, ARDUINO_SWCFG_DIOALL

from helpers.base_overlay import STOCK
from helpers.kit import OVERLAY
from virtual_board import watched
from virtual_board.ip import IoSwitch, Timer, UartLite
from virtual_board.ip.timer_counter import ENIT, ENT, LOAD, TINT, UDT
from virtual_board.pmods import (
    Button,
    Gesture,
    GroveAdc,
    GroveOled,
    Imu,
    Joystick,
    Led,
    LedBar,
    LightSensor,
    Pir,
    PmodDevice,
    Servo,
    SpiDevice,
    Thermistor,
    Tmp2,
    UartDevice,
)

pytestmark = pytest.mark.slow

INTC, SWITCH, UART, SPI_SHARED = 0x41200000, 0x44A20000, 0x40600000, 0x44A00000
TIMERS = [0x41C00000 + 0x10000 * number for number in range(6)]


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """pynq's drivers give up after 10 ms: on a busy machine the board makes them wait longer."""
    monkeypatch.setattr(watched, "ANSWERED_WITHIN", 60)


@pytest.fixture(params=STOCK)
def base(board, request):
    if not STOCK[request.param].exists():
        pytest.skip("no base overlay of an image here")
    return Overlay(str(STOCK[request.param]))


@pytest.fixture
def mb_info(base, capfd):
    """No program of pynq's needs what the virtual board does not have: it says nothing."""
    yield base.iop_arduino.mb_info
    assert capfd.readouterr().err == ""


@pytest.fixture
def devmode(mb_info):
    """pynq's program that reads and writes wherever Python tells it."""
    driver = arduino.Arduino_DevMode(mb_info, ARDUINO_SWCFG_DIOALL)
    driver.start()
    return driver


# Connectors


def test_each_iop_leads_to_its_connector(board, base):
    described = {iop.name: iop.connector for iop in board.fabric.overlay.iops}
    assert described == {"iop_pmoda": "pmoda", "iop_pmodb": "pmodb", "iop_arduino": "arduino"}
    a, b = board.pmoda.plug(Tmp2(10)), board.pmodb.plug(Tmp2(20))
    drivers = [pmod.Pmod_TMP2(iop.mb_info) for iop in (base.iop_pmoda, base.iop_pmodb)]
    assert [driver.read() for driver in drivers] == [10, 20]
    assert board.plugged() == board.pmoda.plugged() == [a] and board.pmodb.plugged() == [b]
    assert board.pmodb.transfers()[-1][:4] == ("I2C", 0x4B, True, True)
    assert (board.pmoda.pins, board.pmodb.pins) == (8, 8)
    assert (board.arduino.pins, board.rpi.pins) == (20, 28)
    tutorial = Overlay(OVERLAY)
    assert pmod.Pmod_TMP2(tutorial.iop1.mb_info).read() == 10
    board.pmodb.unplug(b)  # which leads nowhere now
    assert board.pmodb.plugged() == []


def test_plugged_before_the_overlay(board):
    board.arduino.plug(Led(13))
    assert "Led" in repr(board.arduino) and "nothing" in repr(board.rpi)


def test_pins(board, mb_info, monkeypatch):
    # which pynq keeps for ever, whatever overlay is downloaded
    monkeypatch.setattr(arduino.Arduino_IO, "singleton_instance", None)
    led, button = board.arduino.plug(Led(13)), board.arduino.plug(Button(19))
    out, read = (arduino.Arduino_IO(mb_info, 13, "out"), arduino.Arduino_IO(mb_info, 19, "in"))
    for level in 1, 0:
        out.write(level)
        assert led.on == level
    assert read.read() == 0
    button.press()
    assert read.read() == 1
    with pytest.raises(ValueError, match="pin is 20: the connector arduino has the pins 0 to 19"):
        board.arduino.plug(Led(20))


# XADC


def test_analog_pins(board, mb_info):
    driver = arduino.Arduino_Analog(mb_info, [0, 1, 2, 3, 4, 5])
    assert driver.read() == pytest.approx([0] * 6)
    volts = [0.5, 1.0, 1.5, 2.0, 2.5, 3.3]
    for number, value in enumerate(volts):
        board.arduino.set_volts(f"A{number}", value)
    # arduino_analog.py takes 3.33 V for full scale
    assert driver.read() == pytest.approx(volts, rel=0.005)
    board.arduino.plug(Thermistor(25, pin="A2"))  # as large as the resistor below it
    assert driver.read()[2] == pytest.approx(3.3 / 2, rel=0.01)
    stick = board.arduino.plug(Joystick("A0", "A1"))
    stick.x, stick.y = 1, -1
    x, y = driver.read()[:2]
    assert (x, y) == pytest.approx((0.78 * 3.3, 0.2 * 3.3), rel=0.01)
    stick.pressed = True
    assert driver.read()[0] == pytest.approx(3.3, rel=0.01)


@pytest.mark.parametrize(
    "connector, pin, volts, says",
    [
        ("arduino", "A6", 1, "pin is 'A6': the connector arduino has the analog pins A0, A1, A2"),
        ("arduino", "A0", 3.4, r"volts is 3.4: an analog pin takes 0 to 3.3 V"),
        ("arduino", "A0", "1", r"volts is '1': an analog pin takes 0 to 3.3 V"),
        ("arduino", "A0", float("nan"), r"volts is nan"),
        ("pmoda", "A0", 1, "the connector pmoda has no analog pin"),
    ],
)
def test_volts_that_cannot_be(board, connector, pin, volts, says):
    with pytest.raises(ValueError, match=says):
        getattr(board, connector).set_volts(pin, volts)


# Drivers for Grove modules


def test_light(board, mb_info):
    sensor = LightSensor()
    board.arduino.plug(GroveAdc(sensor))
    driver = arduino.Grove_Light(mb_info, ARDUINO_GROVE_I2C)
    for sensor.kiloohms in 1, 10, 35:
        assert driver.read() == pytest.approx(sensor.kiloohms, rel=0.01)


def test_imu(board, mb_info):
    imu = board.arduino.plug(Imu())
    driver = arduino.Grove_IMU(mb_info, ARDUINO_GROVE_I2C)
    imu.acceleration = [0.5, -1.25, 1.5]
    assert driver.get_accl() == [0.5, -1.25, 1.5]
    assert driver.get_pressure() == pytest.approx(101325, abs=30)


def test_oled(board, mb_info):
    oled = board.arduino.plug(GroveOled())
    driver = arduino.Grove_OLED(mb_info, ARDUINO_GROVE_I2C)
    driver.write("F")
    assert oled.picture()[:8, :8].any() and not oled.picture()[8:].any()


def test_led_bar_and_pir(board, mb_info):
    bar, pir = board.arduino.plug(LedBar(*ARDUINO_GROVE_G1)), board.arduino.plug(Pir(8))
    driver = arduino.Grove_LEDbar(mb_info, ARDUINO_GROVE_G1)
    driver.write_binary(0b0000011111)
    assert bin(bar.leds).count("1") == 5
    assert repr(pir) == "<virtual Pir: pin 8 is 0>"


def test_gesture(board, mb_info):
    sensor = board.arduino.plug(Gesture())
    driver = arduino.Grove_Gesture(mb_info, ARDUINO_GROVE_I2C)
    for gesture in "clockwise", "up", "wave":
        sensor.make(gesture)
        assert driver.read_gesture() == gesture
    assert driver.read_gesture() == "no-detection"


# The inside of the IOP


def test_each_timer_has_its_signal(board, devmode):
    class Signals(PmodDevice):
        def __init__(self):
            self.seen = {}

        def pwm(self, pin, period, high):
            self.seen[pin] = period, high

    device, servo = board.arduino.plug(Signals()), board.arduino.plug(Servo(9))
    for number, base in enumerate(TIMERS):
        devmode.write_cmd(base + Timer.TLR0, 2000000 + number - 2)
        devmode.write_cmd(base + Timer.TLR1, 100000 * (number + 1) - 2)
        for control in Timer.TCSR0, Timer.TCSR1:
            devmode.write_cmd(base + control, LOAD)
            devmode.write_cmd(base + control, 0x200 | UDT | 0x10 | 0x4 | ENT)
    # pins 8 to 11: PWM3, PWM0, PWM1, and again GPIO
    devmode.write_cmd(SWITCH + 8, 0x00111013)
    assert device.seen == {8: (2000003, 400000), 9: (2000000, 100000), 10: (2000001, 200000)}
    assert servo.degrees == pytest.approx(180 * 40 / 175)
    devmode.write_cmd(SWITCH + 8, 0)
    assert device.seen == {8: (0, 0), 9: (0, 0), 10: (0, 0)}
    other = board.arduino.plug(Signals())
    assert other.seen == {}


def test_each_timer_captures_on_its_pin(board, devmode):
    class Edges(PmodDevice):
        capture_period, capture_pin = 1000, 6

    board.arduino.plug(Edges())
    devmode.write_cmd(SWITCH + 4, (IoSwitch.TIMER_IC0 + 5) << 16)  # pin 6
    for base in TIMERS[5], TIMERS[4]:
        devmode.write_cmd(base + Timer.TCSR0, 0x89 | ENT)  # captures
        captured = devmode.read_cmd(base + Timer.TCSR0) & TINT
        assert bool(captured) == (base == TIMERS[5])


def test_the_interrupt_controller(board, devmode):
    devmode.write_cmd(INTC + 0x08, 0x3F)  # IER: the timers
    assert devmode.read_cmd(INTC + 0x00) == 0
    devmode.write_cmd(TIMERS[2] + Timer.TLR0, 10)
    devmode.write_cmd(TIMERS[2] + Timer.TCSR0, LOAD)
    devmode.write_cmd(TIMERS[2] + Timer.TCSR0, ENIT | UDT | ENT)
    while not devmode.read_cmd(TIMERS[2] + Timer.TCSR0) & TINT:
        pass
    assert devmode.read_cmd(INTC + 0x00) == 0
    devmode.write_cmd(INTC + 0x1C, 2)  # MER: HIE, before which no input counts
    assert devmode.read_cmd(INTC + 0x00) == devmode.read_cmd(INTC + 0x04) == 1 << 2
    devmode.write_cmd(INTC + 0x1C, 1)
    assert devmode.read_cmd(INTC + 0x1C) == 3  # it stays set
    devmode.write_cmd(TIMERS[2] + Timer.TCSR0, ENIT | UDT | TINT)
    devmode.write_cmd(INTC + 0x0C, 1 << 2)  # IAR
    assert devmode.read_cmd(INTC + 0x00) == 0


def test_uart(board, devmode):
    class Doubles(UartDevice):
        """Answers each byte with its double."""

        def receive(self, byte):
            self.send([2 * byte % 256])

    board.arduino.plug(Doubles())
    for byte in 1, 100, 200:
        devmode.write_cmd(UART + UartLite.TX_FIFO, byte)
    status = UartLite.TX_EMPTY | UartLite.RX_VALID
    assert devmode.read_cmd(UART + UartLite.STAT_REG) == status
    assert [devmode.read_cmd(UART + UartLite.RX_FIFO) for _ in range(3)] == [2, 200, 144]
    assert devmode.read_cmd(UART + UartLite.STAT_REG) == UartLite.TX_EMPTY
    with pytest.raises(TypeError, match="Odd has no method receive: write one"):
        board.arduino.plug(type("Odd", (UartDevice,), {})())


def test_both_spis_reach_the_device(board, devmode):
    class Keeps(SpiDevice):
        sent = []

        def transfer(self, byte):
            self.sent.append(byte)
            return byte ^ 0xFF

    device = board.arduino.plug(Keeps())
    for base in SPI_SHARED, SPI_SHARED + 0x10000:
        devmode.write_cmd(base + 0x60, 0x06)  # SPICR: on, and a master
        devmode.write_cmd(base + 0x70, 0xFE)  # SPISSR
        devmode.write_cmd(base + 0x68, 0x5A)  # SPI_DTR
        assert devmode.read_cmd(base + 0x6C) == 0xA5  # SPI_DRR
        devmode.write_cmd(base + 0x70, 0xFF)
    assert device.sent == [0x5A, 0x5A]
