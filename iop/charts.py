"""Charts as HTML: they fill a page's width, their text has the page's size, and their colours fit
light and dark pages."""

import base64
import math
import struct
import zlib
from html import escape

COLORS = "#4c86d0", "#4f9a3a", "#c98a20"  # of curves; each is readable on white and on black
MARKS = "\u25cf\u25a0\u25b2"  # their points: circle, square, triangle
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def axis(low, high, log=False):
    """An axis, or one in powers of ten: a function that places a value on it, in percent, and its
    labels, [(percent, text), ...]."""
    if log:
        low = math.floor(math.log10(low))
        high = max(math.ceil(math.log10(high)), low + 1)
        span, ticks = high - low, range(low, high + 1)
        labels = ["10" + str(power).translate(SUPERSCRIPT) for power in ticks]
    else:
        span = high - low or 1
        ticks = [low + quarter * span / 4 for quarter in range(5)]
        labels = [f"{tick:.10g}" for tick in ticks]

    def place(value):
        return 100 * ((math.log10(value) if log else value) - low) / span

    return place, [(100 * (tick - low) / span, label) for tick, label in zip(ticks, labels)]


def line(points, color, dashes=""):
    """SVG of a line through points, [(x, y), ...] in percent."""
    points = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in points)
    return (
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" overflow="visible">'
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"'
        f' stroke-dasharray="{dashes}" vector-effect="non-scaling-stroke"/></svg>'
    )


def marks(points, color, mark):
    """SVG of points, [(x, y), ...] in percent."""
    return "".join(
        _text(x, y, mark, f'dy="0.35em" text-anchor="middle" fill="{color}"') for x, y in points
    )


def image(pixels):
    """SVG that fills a chart with a two-dimensional array of bytes, in shades of grey."""
    height, width = pixels.shape
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    png = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey
    for kind, chunk in (b"IHDR", header), (b"IDAT", data), (b"IEND", b""):
        png += struct.pack(">I", len(chunk)) + kind + chunk
        png += struct.pack(">I", zlib.crc32(kind + chunk))
    return (
        '<image width="100%" height="100%" preserveAspectRatio="none"'
        f' href="data:image/png;base64,{base64.b64encode(png).decode()}"/>'
    )


def chart(content, across, up, names, label, words, width=""):
    """HTML of a chart.

    Args:
        content: SVG to show in it.
        across, up: The labels of its axes, as axis() makes them.
        names: The two axes' names.
        label: What a screen reader says of it.
        words: HTML with the same in words, which also stays where a page may show no SVG.
        width: In CSS, if not that of the page.
    """
    grid = ""
    for x, text in across:
        grid += f'<line x1="{x:.2f}%" x2="{x:.2f}%" y2="100%"/>'
        content += _text(x, 0, text, 'dy="1.3em" text-anchor="middle"')
    for y, text in up:
        grid += f'<line y1="{100 - y:.2f}%" y2="{100 - y:.2f}%" x2="100%"/>'
        content += _text(0, y, text, 'dx="-0.5em" dy="0.35em" text-anchor="end"')
    left = 1 + 0.7 * max(len(text) for _, text in up)  # em, for the labels there
    width = width or f"calc(100% - {left + 2:.1f}em)"
    content += _text(50, 0, escape(names[0]), 'dy="2.8em" text-anchor="middle"')
    # Of a notebook that it does not trust, a page takes out <svg> but not its texts, which would
    # stand in a row. It also takes out "all: unset", so that what is left is hidden.
    return (
        f'<div role="img" aria-label="{escape(label)}" hidden="hidden" style="all: unset">'
        f'{escape(names[1])}<svg fill="currentColor" style="display: block; overflow: visible;'
        f' margin: 0.8em 2em 3.3em {left:.1f}em; width: {width}; height: 16em">'
        f'<g stroke="currentColor" stroke-opacity="0.25">{grid}</g>{content}</svg></div>'
        f"<details><summary>the same in words</summary>{words}</details>"
    )


def _text(x, y, text, attributes):
    return f'<text x="{x:.2f}%" y="{100 - y:.2f}%" {attributes}>{text}</text>'
