"""The checks of 7_pins' exercises.

Two of them need the virtual board: they plug modules of their own into the IOP's connector."""

import contextlib
import random
import struct

import numpy as np
from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2

from iop.pynq_tutorial import Pynq_Tutorial

from . import Case, Untouched, Wrong, is_untouched, says, shown, whole
from .firmware import is_filled_in, running

STEP = 1 / 128  # degrees, of the thermometer's 16 bits
FILM = [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1]  # LEDs


@says("the light runs there and back, one LED at a time.")
def tweak(there_and_back):
    rule = "At each end the light turns round and stays for one word only."
    case = Case("the film", "14 words: LEDs 0 to 7, and then 6 to 1", rule)
    case.holds(hasattr(there_and_back, "__iter__"), f"it is {shown(there_and_back)}")
    words = list(there_and_back)
    case.holds(len(words) == len(FILM), f"it has {len(words)} words")
    for number, (word, led) in enumerate(zip(words, FILM)):
        wanted = f"{1 << led:#x}, LED {led} alone"
        case = Case(f"word {number} of the film", wanted, "Bit i of a word is LED i.")
        bits = whole(word)
        came = shown(word) if bits is None else f"{bits:#x}, which lights {_leds(bits)}"
        case.holds(bits == 1 << led, f"it is {came}")


@says("the IOP counts the pins that are high.")
def change(source):
    is_filled_in(source)
    rule = "Each bit that is 1 counts once."
    with _plugged(_pmods().PmodDevice()) as module, running(source, _new_iop()) as request:
        for levels in [0x00, 0xFF, 0x01, 0x80] + [random.randrange(256) for _ in range(4)]:
            for pin in range(8):
                module.drive(pin, levels >> pin & 1)
            tried, high = f"the levels {levels:08b}, pin 7 first", bin(levels).count("1")
            _, result = request(tried, np.zeros(1, np.uint32), 0)
            Case(tried, high, rule).holds(result == high, f"RESULT is {result}")


@says("pynq's driver reads your thermometer.")
def write(Thermometer):
    if any(is_untouched(getattr(Thermometer, method, ...)) for method in ("start", "read")):
        raise Untouched
    rule = (
        "Each transfer has the steps of 1/128 degree, from the first byte on, the high one first."
    )
    with _plugged(Thermometer()) as device:
        driver = Pmod_TMP2(_new_iop())
        for celsius in (20.0, 0.0, 0.5, 127.75, STEP * random.randrange(1, 2**14)):
            device.celsius = celsius
            read = driver.read()
            sent = bytes(the_board().transfers()[-1].received).hex() or "(none)"
            right = struct.pack(">H", int(celsius / STEP)).hex()
            came = f"your device sent the bytes {sent}, which the driver took for {read} degrees"
            Case(f"{celsius} degrees", right, rule).holds(sent == right, came)


def _leds(word):
    leds = [str(led) for led in range(word.bit_length()) if word >> led & 1]
    return "LED " + " and ".join(leds) if leds else "no LED"


def the_board():
    """The virtual board. Wrong if there is none."""
    try:
        from virtual_board import activate

        board = activate()
    except ImportError:
        board = None
    if board is None:
        needs = "this check plugs in virtual modules, and this is a real board."
        raise Wrong(f"{needs} Try the exercise on the virtual board of a PC.")
    return board


def _pmods():
    the_board()  # there is one, or a sentence
    from virtual_board import pmods

    return pmods


def thermometer():
    """A virtual thermometer. Wrong on a real board."""
    return _pmods().Tmp2()


def _new_iop():
    return Overlay("./bitstream/pynq_tutorial.bit").iop1.mb_info


@contextlib.contextmanager
def _plugged(module):
    """As plugged(); afterwards the kit's program runs."""
    try:
        with plugged(module):
            yield module
    finally:
        Pynq_Tutorial(_new_iop())


@contextlib.contextmanager
def plugged(module):
    """Nothing is in the connector but this module; afterwards the student's are there again."""
    board = the_board()
    others = board.plugged()
    for other in others:
        board.unplug(other)
    try:
        board.plug(module)
        yield module
    finally:
        for device in board.plugged():
            board.unplug(device)
        for other in others:
            board.plug(other)
