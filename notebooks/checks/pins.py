"""Checks of 7_pins. Two of them need the virtual board, for they plug modules of their own into the
IOP's connector."""

import contextlib
import random
import struct
import tempfile

import numpy as np
from pynq import Overlay
from pynq.lib.pmod import Pmod_TMP2

from iop.pynq_tutorial import Pynq_Tutorial

from . import Case, Wrong, _is_untouched, allocated, says, shown, whole
from .firmware import RESULT, built, is_filled_in

LEDS = 8
STEP = 1 / 128  # degrees, of the thermometer's 16 bits


@says("the light runs there and back, one LED at a time.")
def tweak(film):
    wanted = [1 << led for led in list(range(LEDS)) + list(range(LEDS - 2, 0, -1))]
    words = list(film)
    if len(words) != len(wanted):
        raise Case(
            "the film",
            "14: LEDs 0 to 7, and then 6 to 1",
            "At each end the light turns round and stays for one word only.",
        ).wrong(f"it has {len(words)} words")
    for number, (word, right) in enumerate(zip(words, wanted)):
        if whole(word) != right:
            raise Case(
                f"word {number} of the film",
                f"{right:#x}, LED {right.bit_length() - 1} alone",
                "Bit i of a word is LED i.",
            ).wrong(
                "it is {}".format(
                    shown(word)
                    if whole(word) is None
                    else f"{whole(word):#x}, which lights {_leds(whole(word))}"
                )
            )


@says("the IOP counts the pins that are high.")
def change(source):
    is_filled_in(source)
    with _plugged(_module()) as module, allocated(
        (1,), np.uint32
    ) as buffer, tempfile.TemporaryDirectory() as folder:
        iop = Pynq_Tutorial(_new_iop(), built(source, folder))
        for levels in [0x00, 0xFF, 0x01, 0x80] + [random.randrange(256) for _ in range(4)]:
            for pin in range(8):
                module.drive(pin, levels >> pin & 1)
            case = Case(
                f"the levels {levels:08b}, pin 7 first",
                bin(levels).count("1"),
                "Each bit that is 1 counts once.",
            )
            try:
                iop.write_to_buffer(buffer, 1, 0, timeout=1)
            except TimeoutError:
                raise case.wrong("the IOP did not answer within a second") from None
            if iop.read_mailbox(RESULT) != bin(levels).count("1"):
                raise case.wrong(f"RESULT is {iop.read_mailbox(RESULT)}")


@says("pynq's driver reads your thermometer.")
def write(device_class):
    if any(_is_untouched(getattr(device_class, method, ...)) for method in ("start", "read")):
        raise Wrong("fill in the cell above, then run both again.")
    with _plugged(device_class()) as device:
        driver = Pmod_TMP2(_new_iop())
        for celsius in (20.0, 0.0, 0.5, 127.75, STEP * random.randrange(1, 2**14)):
            device.celsius = celsius
            read = driver.read()
            sent = bytes(the_board().transfers()[-1].received)
            right = struct.pack(">H", int(celsius / STEP))
            if sent != right:
                raise Case(
                    f"{celsius} degrees",
                    right.hex(),
                    "The bytes are the steps of 1/128 degree, the high one first, and "
                    "in each transfer from the beginning.",
                ).wrong(
                    "your device sent the bytes {}, which the driver took for {} degrees".format(
                        sent.hex() or "(none)", read
                    )
                )


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
        raise Wrong(
            "this check plugs in virtual modules, and this is a real board. Try the exercise on the"
            " virtual board of a PC."
        )
    return board


def _module():
    """A module that drives the pins."""
    the_board()
    from virtual_board.pmods import PmodDevice

    return PmodDevice()


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
