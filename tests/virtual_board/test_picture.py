"""The picture of the board, as text and live. tests/browser/test_board.py looks at it in a page."""

import threading

import pytest

from helpers.waiting import soon
from virtual_board import picture
from virtual_board.pmods import Led, Led8, Oled, Potentiometer

pytestmark = pytest.mark.slow


@pytest.fixture
def base(board, monkeypatch):
    from pynq.overlays.base import BaseOverlay

    monkeypatch.setenv("BOARD", "Pynq-Z2")
    yield BaseOverlay("base.bit")
    for part in board.buttons:
        part.release()
    for part in board.switches:
        part.off()


def test_it_shows_what_is_lit_and_plugged_in(base, board):
    base.leds[2].on()
    base.rgbleds[4].off()  # pynq remembers what an earlier overlay's had
    base.rgbleds[5].write(3)
    board.switches[1].on()
    there = board.pmoda.plug(Led8()), board.pmodb.plug(Oled())
    knob = board.arduino.plug(Potentiometer(0.5, "A1"))
    assert repr(board).splitlines() == [
        "leds      LD0 is off, LD1 is off, LD2 is on, LD3 is off",
        "rgbleds   LD4 is off, LD5 is cyan",
        "buttons   BTN0 is released, BTN1 is released, BTN2 is released, BTN3 is released",
        "switches  SW0 is off, SW1 is on",
        "pmoda     <virtual Pmod Led8: LEDs that are on: none>",
        "pmodb     <virtual Pmod Oled: 0 of 4096 pixels are lit>",
        f"arduino   {knob!r}; A1: 1.65 V",
        "rpi       nothing is plugged in",
    ]
    drawn = board._repr_html_()
    assert all(module._repr_html_() in drawn for module in there)
    lit = [name for name in ("LD5", "LD4", "LD2", "LD0") if f"&#9679;</span><br>{name}" in drawn]
    assert lit == ["LD5", "LD2"] and "on<br>SW1" in drawn and "off<br>BTN0" in drawn


def test_what_is_written_in_it_is_no_html(board):
    class Own(Led):
        def __repr__(self):
            return '<script>"'

    own = board.pmoda.plug(Own(0))
    drawn = board._repr_html_()
    board.unplug(own)
    assert "<script>" not in drawn and drawn.count("&lt;script&gt;&quot;") == 2


def test_a_module_that_cannot_be_shown_is_named(board):
    class Own(Led):
        def __repr__(self):
            return 1 / 0

    own = board.pmoda.plug(Own(0))
    said = repr(board), board._repr_html_()
    board.unplug(own)
    assert all("Own (ZeroDivisionError when it was shown)" in text for text in said)


def test_it_follows_the_board_and_moves_it(base, board):
    threads = set(threading.enumerate())
    widget = picture.live(board)
    keys = {key.description: key for key in widget.children[1].children}
    assert list(keys) == ["SW1", "SW0", "BTN3", "BTN2", "BTN1", "BTN0"]
    keys["SW1"].value = True
    assert base.switches.read() == 2
    keys["BTN0"].click()
    assert base.buttons.read() == 1
    assert soon(lambda: keys["BTN0"].button_style == "success")
    assert soon(lambda: base.buttons.read() == 0 and keys["BTN0"].button_style == "")
    board.switches[1].off()
    board.switches[0].on()
    base.leds[3].on()
    shown = widget.children[0]
    assert soon(lambda: "LD3 is on" in shown.value and "SW0 is on" in shown.value)
    assert soon(lambda: (keys["SW0"].value, keys["SW1"].value) == (True, False))
    assert base.switches.read() == 1
    widget.close()
    assert soon(lambda: set(threading.enumerate()) <= threads)


def test_outside_a_notebook_it_is_text(board):
    assert board.show() is board
