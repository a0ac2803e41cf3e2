"""What pynq's own drivers reach in the fabric: AXI GPIO, interrupts, timer, memory."""

import threading
import time

import numpy as np
import pytest
from pynq import GPIO, MMIO, Interrupt, Overlay, allocate

from helpers import overlays
from helpers.drivers import in_a_loop, wakes
from helpers.waiting import soon
from virtual_board.hwh_writer import SYSTEM, Hwh
from virtual_board.ip import Gpio, Intc


@pytest.fixture
def parts(board, tmp_path):
    return Overlay(overlays.write(overlays.board_design(), tmp_path))


# AXI GPIO


def test_leds_show_what_a_program_writes(parts, board):
    assert [led.is_on for led in board.leds] == [False, True, False, False]  # C_DOUT_DEFAULT
    parts.lights.channel1.setlength(4)
    parts.lights.channel1.write(0b0101, 0xF)
    assert repr(board.leds) == "LD0 is on, LD1 is off, LD2 is on, LD3 is off"
    parts.lights.register_map.GPIO_DATA = 8
    assert board.leds[3].is_on and not board.leds[0].is_on
    parts.lights.mmio.array[0:1] = [6]
    assert [led.is_on for led in board.leds] == [False, True, True, False]
    assert int(parts.lights.register_map.GPIO_DATA) == 6
    parts.download()
    assert [led.is_on for led in board.leds] == [False, True, False, False]
    assert parts.lights.read(0) == 2


def test_buttons_and_switches(parts, board):
    fingers, both = parts.fingers.channel1, parts.both
    board.buttons[2].press()
    board.switches[1].on()
    assert fingers.read() == 0b0100 and both.read(8) == 0b10
    fingers.setdirection("in")
    in_a_loop(fingers[2].wait_for_value_async(1))
    assert repr(board.buttons[2]) == "BTN2 is pressed" and board.buttons[2].is_pressed
    assert repr(board.switches) == "SW0 is off, SW1 is on"
    parts.download()  # the finger is still there
    assert fingers.read() == 0b0100 and both.read(8) == 0b10
    board.buttons[2].release()
    board.switches[1].off()
    assert fingers.read() == 0 and both.read(8) == 0
    board.buttons[0].press(0.05)
    assert soon(lambda: fingers.read() == 0) and not board.buttons[0].is_pressed
    board.buttons[0].press(0.05)
    board.buttons[0].press()  # and stays
    time.sleep(0.2)
    assert fingers.read() == 1


@pytest.mark.parametrize("seconds", [0, -1, "long", float("nan")])
def test_a_press_takes_time(parts, board, seconds):
    with pytest.raises(ValueError, match="seconds is .*: give a number greater than 0"):
        board.buttons[0].press(seconds)
    assert parts.fingers.read(0) == 0


def test_a_gpio_of_two_channels(parts):
    both = parts.both.register_map
    both.GPIO_TRI = 0b1100
    both.GPIO_DATA = 0b1010
    both.GPIO2_DATA = 0b11  # inputs
    assert (int(both.GPIO_DATA), int(both.GPIO_TRI), int(both.GPIO2_DATA)) == (0b0010, 0b1100, 0)


def test_waiting_for_a_button(parts, board):
    """By pynq's own classes, twice, and from another thread's press."""
    channel = parts.fingers.channel1

    async def pressed():
        await channel[1].wait_for_value_async(1)

    async def released():
        await channel[1].wait_for_value_async(0)

    wakes(
        (pressed, board.buttons[1].press),
        (released, lambda: threading.Thread(target=board.buttons[1].release).start()),
        (pressed, lambda: board.buttons[1].press(0.2)),
    )
    assert soon(lambda: channel.read() == 0)


def test_an_earlier_overlays_array(parts, board, tmp_path):
    """It leads to what is at the address now."""
    array = parts.lights.mmio.array
    design = Hwh("moved")
    overlays.gpio(design, "rgb", 0x41200000)
    design.external("rgb_leds_tri_o", "rgb.gpio_io_o", "O", 4)
    Overlay(overlays.write(design, tmp_path, "moved"))
    array[0], array[1] = 0b100001, 0
    assert board.rgbleds[0].color == 1 and not board.rgbleds[1].is_on
    assert not any(led.is_on for led in board.leds)


def test_emio_inputs(parts, board):
    """The timer's interrupt is pin 0; the LEDs are pins 1 to 4."""
    pins = [GPIO(GPIO.get_gpio_pin(number), "in") for number in range(6)]
    assert [pin.read() for pin in pins] == [0, 0, 1, 0, 0, 0]
    parts.lights.write(0, 0b1001)
    assert [pin.read() for pin in pins] == [0, 1, 0, 0, 1, 0]


# The array


class Log:
    """A model that notes what it is told, and whose registers count down."""

    def __init__(self, words):
        self.words, self.told = words, []

    def __getitem__(self, offset):
        return int(self.words[offset // 4])

    def before_read(self, offset):
        self.words[offset // 4] -= 1

    def was_read(self, offset):
        self.told.append(("read", offset))

    def written(self, offset, value):
        self.told.append(("written", offset, value))


@pytest.fixture
def logged(parts, board):
    """An array of pynq's over the registers of a Log, each 100, and that."""
    slot = board.fabric.linux._slots[0x43C00000, 0x10000]
    slot.words[:] = 100
    slot.model = Log(slot.words)
    return MMIO(0x43C00000, 0x10000).array, slot.model


READS = {
    "an element": (lambda a: a[2], [8], 99),
    "the last": (lambda a: a[-1], [0xFFFC], 99),
    "by numpy's number": (lambda a: a[np.int64(3)], [12], 99),
    "of a part": (lambda a: a[4:8][1], [20], 99),
    "of every other": (lambda a: a[4:8:2][1], [24], 99),
    "backwards": (lambda a: a[3::-1][0], [12], 99),
    "a byte": (lambda a: a.view("u1")[9], [8], 0),
    "a half": (lambda a: a.view("u2")[6], [12], 99),
    "eight bytes": (lambda a: a.view("u8")[1], [8, 12], 99 << 32 | 99),
    "of two dimensions": (lambda a: a.reshape(-1, 4)[1, 2], [24], 99),
    "by a list": (lambda a: a[[1, 3]].sum(), [4, 12], 198),
    "a list": (lambda a: a[1:3].tolist(), [4, 8], [99, 99]),
    "a sum": (lambda a: a[1:3].sum(), [4, 8], 198),
    "bytes": (lambda a: a[1:2].tobytes(), [4], b"\x63\0\0\0"),
    "in a loop": (lambda a: [int(one) for one in a[1:3]], [4, 8], [99, 99]),
    "text": (lambda a: str(a[1:3]), [4, 8], "[99 99]"),
    "a part alone": (lambda a: len(a[1:3]), [], 2),
}


@pytest.mark.parametrize("name", READS)
def test_each_read_is_told(logged, name):
    array, log = logged
    read, offsets, value = READS[name]
    assert read(array) == value
    assert log.told == [("read", offset) for offset in offsets]


WRITES = {
    "an element": (lambda a: a.__setitem__(2, 7), [(8, 7)]),
    "a part": (lambda a: a.__setitem__(slice(1, 3), [7, 8]), [(4, 7), (8, 8)]),
    "of a part": (lambda a: a[4:8].__setitem__(1, 7), [(20, 7)]),
    "a byte": (lambda a: a.view("u1").__setitem__(9, 1), [(8, 100 | 1 << 8)]),
    "eight bytes": (lambda a: a.view("u8").__setitem__(1, 7), [(8, 7), (12, 0)]),
    "everything": (lambda a: a[:2].__setitem__(Ellipsis, 5), [(0, 5), (4, 5)]),
}


@pytest.mark.parametrize("name", WRITES)
def test_each_write_is_told(logged, name):
    array, log = logged
    write, expected = WRITES[name]
    write(array)
    assert log.told == [("written", *each) for each in expected]


def test_a_copy_is_no_register(logged):
    array, log = logged
    copy = array[:4].copy()
    log.told.clear()
    copy[0] = 1
    chosen = array[[1, 3]]  # by a list, which numpy copies
    log.told.clear()
    chosen[0] = np.copy(array)[0] = 1
    assert log.told == []
    plus_one = array[:2] + 1
    plus_one[0] = 9
    assert [each[0] for each in log.told] == ["read", "read"] and array[1] == 96
    part = array[:2]
    part += 1
    assert [each[0] for each in log.told[3:]] == ["read", "read", "written", "written"]
    with pytest.raises(IndexError):
        array[0x4000]
    with pytest.raises(IndexError):
        array[0x4000] = 1


# Interrupts, timer, memory


TCSR0, TLR0, TCR0 = 0x0, 0x4, 0x8
LOAD, ENIT, ENT, TINT, UDT = 0x20, 0x40, 0x80, 0x100, 0x2


def test_the_timer_interrupts(parts):
    timer, interrupts = parts.timer, []

    def start():
        timer.write(TLR0, 2 * 10**6)  # 20 ms
        timer.write(TCSR0, LOAD)
        timer.write(TCSR0, ENT | ENIT | UDT)

    async def expires():
        await timer.interrupt.wait()
        interrupts.append(timer.read(TCSR0))
        timer.write(TCSR0, TINT)

    wakes((expires, start), (expires, start))
    assert (
        len(interrupts) == 2
        and all(tcsr & TINT for tcsr in interrupts)
        and not timer.read(TCSR0) & TINT
    )
    timer.write(TLR0, 0)
    timer.write(TCSR0, LOAD)
    timer.write(TCSR0, ENT)
    counts = [timer.read(TCR0) for _ in range(3)]
    assert counts == sorted(set(counts))  # it counts while it is read


def test_each_controller_has_its_line_to_linux(board, tmp_path):
    """Two controllers, and a third behind the first."""
    design = Hwh("controllers")
    for number, pins in enumerate(("btns", "sws", "leds", "leds")):
        base = 0x41200000 + 0x10000 * number
        overlays.gpio(design, f"gpio{number}", base, C_INTERRUPT_PRESENT=1)
        design.external(f"{pins}_tri_io", f"gpio{number}.gpio_io_i", "I", 4)
    overlays.controller(design, "behind", 0x41820000, ["gpio1.ip2intc_irpt"])
    overlays.controller(
        design, "first", 0x41800000, ["gpio0.ip2intc_irpt", "behind.irq"], C_KIND_OF_INTR=0
    )
    overlays.controller(design, "second", 0x41810000, ["gpio2.ip2intc_irpt"])
    outputs = ["first.irq", "second.irq", "gpio3.ip2intc_irpt"]
    design.concatenate("all", outputs, f"{SYSTEM}.IRQ_F2P")
    overlay = Overlay(overlays.write(design, tmp_path))
    raised, gpios = [], [overlay.gpio0, overlay.gpio1, overlay.gpio2, overlay.gpio3]
    for number in 61, 62, 63:
        board.fabric.linux.when_interrupted(number, lambda number=number: raised.append(number))
    intcs = overlay.first, overlay.second, overlay.behind
    for intc in intcs:
        intc.write(Intc.IER, 3)
        intc.write(Intc.MER, 3)
    for gpio in gpios:
        gpio.write(Gpio.GIER, 1 << 31)
        gpio.write(Gpio.IP_IER, 1)
    board.switches[0].on()
    assert raised == [61] and [intc.read(Intc.ISR) for intc in intcs] == [2, 0, 1]
    overlay.behind.write(Intc.IAR, 1)
    overlay.first.write(Intc.IAR, 2)
    assert overlay.first.read(Intc.ISR) == 0
    for gpio in gpios[2:]:
        gpio.write(Gpio.IP_ISR, 1)  # by software
    assert raised == [61, 62, 63]


def test_pynqs_interrupts_go_by_the_first_controller(parts, board):
    """... and are the numbers of the wires."""
    ips = {ip.name: ip for ip in board.fabric.overlay.ips}
    for pin, known in parts.interrupt_pins.items():
        name, _, output = pin.rpartition("/")
        if name in ips:
            assert ips[name].interrupts[output] == (known["controller"], known["index"])
    assert Interrupt("timer/interrupt").number == 5


def test_the_chips_temperature_and_voltages(parts):
    """In the units of UG480, from registers of 12 bits in 16."""
    xadc = parts.xadc
    xadc.write(0x340, 0xA)  # an alarm's threshold
    xadc.write(0x200, 0)  # which cannot be written
    assert xadc.read(0x340) == 0xA and xadc.read(0x200) != 0
    xadc.write(0, 0xA)  # Software Reset Register
    assert xadc.read(0x340) == 0
    celsius = (xadc.read(0x200) >> 4) * 503.975 / 4096 - 273.15
    volts = [(xadc.read(offset) >> 4) * 3 / 4096 for offset in (0x204, 0x208, 0x218)]
    assert 20 < celsius < 80
    assert volts == pytest.approx([1.0, 1.8, 1.0], abs=0.001)


def test_many_threads(parts, board):
    """GPIO, DMA and buttons at once; each sees its own."""
    sent, received, wrong = allocate(64, "u4"), allocate(64, "u4"), []

    def blink():
        for value in range(300):
            parts.lights.write(0, value % 16)
            if parts.lights.read(0) != value % 16:
                wrong.append(value)

    def transfer():
        for turn in range(100):
            sent[:] = turn
            parts.direct.recvchannel.transfer(received)
            parts.direct.sendchannel.transfer(sent)
            parts.direct.recvchannel.wait()
            if not (received == turn).all():
                wrong.append(turn)

    def press(index):
        for _ in range(300):
            for level in 1, 0:
                board.buttons[index].press() if level else board.buttons[index].release()
                if parts.fingers.read(0) >> index & 1 != level:
                    wrong.append(index)

    threads = [threading.Thread(target=one) for one in (blink, transfer)]
    threads += [threading.Thread(target=press, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)


def test_a_bram_is_memory(parts, capfd):
    memory = MMIO(0x40000000, 0x2000)
    memory.array[:] = np.arange(0x800)
    assert memory.read(0x1FFC) == 0x7FF and capfd.readouterr().err == ""
    parts.download()
    assert memory.read(0x1FFC) == 0


def test_what_has_no_model_says_so_once(parts, capfd):
    said = "camera (xilinx.com:ip:mipi_csi2_rx_subsystem:5.1) has no model"
    assert parts.camera.mmio.array[1:4].size == 3  # which is no access
    assert said not in capfd.readouterr().err
    parts.camera.write(8, 5)
    assert parts.camera.read(8) == 5
    assert capfd.readouterr().err.count(said) == 1
