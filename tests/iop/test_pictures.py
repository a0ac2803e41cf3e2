"""The pictures: what they say in words comes from the data, and what they show is the same."""

import base64
import re
import xml.etree.ElementTree as xml
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from iop import pictures


@pytest.fixture
def drawn(monkeypatch):
    """A function that draws, and gives the HTML, as XML, and the text."""

    def draw(function, *args, **options):
        shown = []
        monkeypatch.setattr(pictures, "display", shown.append)
        function(*args, **options)
        (picture,) = shown
        return xml.fromstring(f"<div>{_html(picture)}</div>"), repr(picture)

    return draw


def _html(picture):
    return picture._repr_html_().replace("&emsp;", "").replace("<br>", "<br/>")


def table_in(html):
    return [["".join(cell.itertext()) for cell in row] for row in html.iter("tr")]


def words_in(text):
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def positions(html, what, *names):
    return [[float(one.get(name).rstrip("%")) for name in names] for one in html.iter(what)]


def test_a_changed_word_has_a_star_in_html_and_in_text(drawn):
    rows = {"before": np.zeros(3, np.uint32), "a<b": np.array([0, 4294967295, 0], np.uint32)}
    html, text = drawn(pictures.draw_words, rows, columns=3)
    assert table_in(html)[1:] == [["before", "0", "0", "0"], ["a<b", "0", "* 4294967295", "0"]]
    assert [mark.find("b").text for mark in html.iter("mark")] == ["* 4294967295"]
    assert words_in(text)[2:] == [
        ["a<b", "0", "* 4294967295", "0"],
        ["* not what it was in the row above"],
    ]


def test_words_are_compared_with_those_expected(drawn):
    rows = {"one": [1, 9, 3], "two": [1, 9], "long": range(1, 99)}
    html, text = drawn(pictures.draw_words, rows, columns=3, expected=[1, 2, 3])
    assert table_in(html) == [
        ["", "[0]", "[1]", "[2]"],
        ["expected", "1", "2", "3"],
        ["one", "1", "* 9", "3"],
        ["two", "1", "* 9", ""],
        ["long", "1", "2", "3"],
    ]
    assert text.endswith("\n* not as expected")


def test_the_mailbox_has_its_words_names(drawn):
    moments = {"ready": [0, 0, 0, 1], "asked": [0x18000000, 10, 1, 1]}
    html, text = drawn(pictures.draw_mailbox, moments)
    assert table_in(html)[0][1:] == ["BUFFER_ADDR", "ARRAY_LENGTH", "INIT_DATA", "STATUS"]
    assert words_in(text)[2] == ["asked", "* 0x18000000", "* 10", "* 1", "1"]


def test_leds_are_labelled_and_said_to_be_on_or_off(drawn):
    html, text = drawn(pictures.draw_leds, {"now": 0x81})
    names, leds = table_in(html)
    assert names[1:] == [f"LED {led}" for led in range(7, -1, -1)]
    assert [word[2:] for word in leds[1:]] == ["on"] + ["off"] * 6 + ["on"]
    assert words_in(text)[1] == leds and len(list(html.iter("mark"))) == 2


def test_buffers_and_strays_lie_where_their_addresses_say(drawn):
    buffers = {"image": (0x18000000, 0x400000), "second": (0x18400000, 0x200000)}
    buffers = {
        name: SimpleNamespace(physical_address=start, nbytes=size)
        for name, (start, size) in buffers.items()
    }
    html, text = drawn(pictures.draw_ddr, buffers, strays=[(0x8000000, 1024)])
    assert text.splitlines() == [
        "DDR memory, 512 MB",
        "image: 4194304 bytes from 0x18000000",
        "second: 2097152 bytes from 0x18400000",
        "! written outside every buffer: 1024 bytes from 0x08000000",
    ]
    assert html.find("div").get("aria-label") == text.replace("\n", "; ")
    places = [
        ("".join(div.itertext()), *re.findall(r"(?:left|width): ([\d.]+)%", div.get("style")))
        for div in html.iter("div")
        if "absolute" in div.get("style", "")
    ]
    assert places == [
        ("", "75.000", "0.781"),
        ("", "75.781", "0.391"),
        ("!", "25.000", "0.000"),
        ("image", "0.000", "50.000"),
        ("second", "50.000", "25.000"),
    ]


def test_an_image_is_as_bright_as_its_words(drawn):
    words = np.zeros((512, 512), np.uint32)
    words[3, 4], words[200:300] = 1, 1000
    html, text = drawn(pictures.draw_image, words)
    assert text == (
        "512 rows of 512 words, from 0 to 1000. Rows in which not all words are 0: 3, 200 to 299."
    )
    assert html.find("details").findtext("summary") and text in "".join(html.itertext())
    png = base64.b64decode(next(html.iter("image")).get("href").partition(",")[2])
    start = png.index(b"IDAT")
    size = int.from_bytes(png[start - 4 : start], "big")
    data = zlib.decompress(png[start + 4 : start + 4 + size])
    pixels = np.frombuffer(data, np.uint8).reshape(256, 257)[:, 1:]  # without each row's filter
    assert np.array_equal(pixels, words[::2, ::2] * 255 // 1000)


def test_a_signal_goes_through_its_words(drawn):
    html, text = drawn(pictures.draw_signal, [0, 100, 50, 50])
    assert text == "4 words, from 0 to 100: 0 100 50 50"
    assert html.find("div").get("aria-label") == text
    points = next(html.iter("polyline")).get("points").split()
    ends = [tuple(map(float, point.split(","))) for point in points]
    assert ends == [(0, 100), (25, 100), (25, 0), (50, 0), (50, 50), (75, 50), (75, 50), (100, 50)]


@pytest.mark.parametrize("log, second", [(True, 50), (False, 100 * 9 / 99)])
def test_curves_have_their_points_and_numbers(drawn, log, second):
    curves, models = {"loop": [1, 10, 100], "numpy": [1, 1, 1]}, {"model": [1, 5, 10]}
    html, text = drawn(pictures.draw_curves, [1, 10, 100], curves, models, log=log)
    assert words_in(text) == [
        ["seconds over words: loop, numpy, model"],
        ["1", "10", "100"],
        ["loop", "1", "10", "100"],
        ["numpy", "1", "1", "1"],
        ["model", "1", "5", "10"],
    ]
    assert table_in(html)[1:] == words_in(text)[2:]
    marks = [(text.get("x"), text.get("y")) for text in html.iter("text") if text.text == "\u25cf"]
    assert marks[1] == (f"{second:.2f}%", f"{100 - second:.2f}%")
    dashed = [line.get("stroke-dasharray") for line in html.iter("polyline")]
    assert dashed == ["", "", "6 4"]


def test_one_value_and_no_value_are_drawn_too(drawn):
    drawn(pictures.draw_signal, [7, 7])
    drawn(pictures.draw_image, np.zeros((2, 3), np.uint32))
    drawn(pictures.draw_curves, [10], {"one": [10]})
