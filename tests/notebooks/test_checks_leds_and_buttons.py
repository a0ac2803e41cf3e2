"""9_leds_and_buttons' checks."""

import asyncio
import textwrap
import time

import pytest
from checks import leds_and_buttons as check

from helpers.exercises import RIGHT, UNTOUCHED, answers

pytestmark = pytest.mark.slow

WORDS = [
    (0b101_010, RIGHT),
    (42.0, RIGHT),
    (..., UNTOUCHED),
    (
        0b010_101,
        "color_word = 0b10101: LD4 is magenta and LD5 is green. Expected: LD4 is green and LD5",
    ),
    (0b101_010 << 1, "color_word = 0b1010100: the two LEDs have six bits"),
    (-1, "color_word = -0b1: the two LEDs have six bits"),
    ("green", "color_word = 'green': it is not a whole number"),
]
SET_LED = [
    ("leds.write(0, leds.read(0) & ~(1 << number) | on << number)", RIGHT),
    ("if leds.read(0) >> number & 1 != on: leds.write(0, leds.read(0) ^ 1 << number)", RIGHT),
    ("...", UNTOUCHED),
    ("leds.write(0, 1 << number)", "it wrote 0b0010 to GPIO_DATA, which changes another LED"),
    ("leds.write(0, 0); right(leds, number, on)", "it wrote 0b0000 to GPIO_DATA, which changes"),
    ("leds.write(0, 15); right(leds, number, on)", "it wrote 0b1111 to GPIO_DATA, which changes"),
    ("leds.write(0, leds.read(0) ^ 1 << number)", r"set_led\(leds, 3, True\), where GPIO_DATA is"),
    ("leds.write(0, leds.read(0) | 1 << number)", r"set_led\(leds, 2, False\).*is 0b0101 after"),
    ("right(leds, number, on); leds.write(4, 0)", "it wrote to the register at 4"),
    ("right(leds._mmio, number, on)", "it changed the LEDs, but not by the `leds` that it was giv"),
    ("leds.read(0)", "GPIO_DATA is 0b0101 afterwards. Expected: 0b0111"),
    ("leds[number] = on", "your code raised TypeError: .*Watched"),
]
FOLLOW = textwrap.dedent("""
    end = time.monotonic() + seconds
    while True:
        level = button.read()
        led.write(level)
        try:
            await asyncio.wait_for(button.wait_for_value_async(1 - level), end - time.monotonic())
        except asyncio.TimeoutError:
            return
""")
POLLS = """
    end = time.monotonic() + seconds
    led.write(button.read())
    while time.monotonic() < end:
        led.write(button.read())
        {}
"""
FOLLOWS = [
    (FOLLOW, RIGHT),
    (FOLLOW.replace("led.write(level)", "(led.off, led.on)[level]()"), RIGHT),
    ("...", UNTOUCHED),
    (POLLS.format("await asyncio.sleep(0.01)"), r"it has looked at the button \d+ times"),
    (POLLS.format("time.sleep(0.01)"), r"nothing else ran for \d\.\d s, not even the finger"),
    (POLLS.format("pass"), r"nothing else ran for \d\.\d s, not even the finger"),
    (FOLLOW.replace("end - time.monotonic()", "None"), "it had not ended 2 s after that"),
    (FOLLOW.replace("return", "pass"), "it had not ended 2 s after that"),
    (FOLLOW.replace("1 - level", "1"), r"it has looked at the button \d+ times|the LED is on"),
    (FOLLOW.replace("led.write(level)", "led.on()"), "button is released: the LED is on. Expected"),
    (FOLLOW.replace("led.write(level)", "led.write(1 - level)"), "the LED is off. Expected: the"),
    ("led.write(button.read())", "it ended before its time was over. Expected: it ends after 2 s"),
    ("await asyncio.sleep(seconds + 1)\n" + FOLLOW, "the LED is off. Expected: the LED is on"),
    ("led.write(button.read()) / 0", r"your code raised TypeError: .* \(in line 2 of its cell\)"),
    ("await button.wait(1)", "your code raised AttributeError: "),
]


@pytest.fixture
def base(board):
    from pynq.overlays.base import BaseOverlay

    return BaseOverlay("base.bit")


def follow(body):
    names = {"asyncio": asyncio, "time": time}
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    exec(f"async def follow(button, led, seconds):\n{body}", names)
    return names["follow"]


@pytest.mark.parametrize("word, says", WORDS)
def test_a_word_for_two_rgb_leds(word, says, told, base, board):
    told(says, check.tweak, word)
    if says == RIGHT:
        assert [led.color for led in board.rgbleds] == [2, 5]


@pytest.mark.parametrize(
    "judge, set_led, says", answers(check.change, "set_led(leds, number, on)", SET_LED)
)
def test_one_led_of_four(judge, set_led, says, told, base, board):
    base.leds[0:4].write(0b0110)
    told(says, judge, set_led)
    assert [led.is_on for led in board.leds] == [False, True, True, False]


@pytest.mark.parametrize("body, says", FOLLOWS)
def test_an_led_that_follows_a_button(body, says, told, any_board):
    told(says, check.write, follow(body))
