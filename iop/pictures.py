"""Pictures for the notebooks: HTML that grows with a page's font and fits light and dark pages, and
the same in words for a terminal, for a screen reader, and where a page may show no drawing."""

from html import escape

import numpy as np
from IPython.display import display

from . import charts
from .buffers import DDR_SIZE
from .pynq_tutorial import MAILBOX_WORDS

SHOWN = 12  # words; more do not fit under a notebook's cell
MARKED = "* ", "\u25cf "  # what a word that stands out begins with: a star, or a lit LED
# Tints that leave text readable on white and on black
GREY, ORANGE, RED = "rgba(128,128,128,0.25)", "rgba(240,160,30,0.5)", "rgba(225,40,40,0.75)"
MARK = '<mark style="background: #f6c667; color: #000"><b>'


class Picture:
    """A finished picture, as the last value of a cell or for display()."""

    def __init__(self, html, text):
        self._html, self._text = html, text

    def _repr_html_(self):
        return self._html

    def __repr__(self):
        return self._text


def table(rows, names, note=""):
    """A Picture of rows of words, in which those that begin with MARKED stand out.

    Args:
        rows: {title: texts, ...}, from top to bottom.
        names: What stands above the columns.
        note: A line below, which says what a star means.
    """
    grid = [["", *names]] + [[str(title), *words] for title, words in rows.items()]
    widths = [max(map(len, column)) for column in zip(*grid)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in grid]
    html = ""
    for y, row in enumerate(grid):
        html += "<tr>"
        for x, word in enumerate(map(escape, row)):
            kind = "th" if x == 0 or y == 0 else "td"
            word = f"{MARK}{word}</b></mark>" if word.startswith(MARKED) else word
            html += f'<{kind} style="white-space: nowrap; padding: 0.3em">{word}</{kind}>'
        html += "</tr>"
    html = f'<div style="overflow-x: auto"><table>{html}</table></div>'
    if note:
        lines, html = lines + [note], html + f"<div>{escape(note)}</div>"
    return Picture(html, "\n".join(lines))


def draw_words(rows, columns=SHOWN, names=None, expected=None):
    """Draws words of memory as rows of a table. With `expected`, a word that is not as expected has
    a star; without, one that differs from the word above it.

    Args:
        rows: {title: array of words, ...}, from top to bottom.
        columns: How many words of each to draw.
        names: What to write above the columns in place of their numbers.
        expected: The words that should be there, for a row of their own above the others.
    """
    rows, note = list(rows.items()), "* not what it was in the row above"
    if expected is not None:
        rows, note = [("expected", expected)] + rows, "* not as expected"
    names = list(names or [f"[{x}]" for x in range(columns)])[:columns]
    drawn, other = {}, []  # the row that the next one is compared with
    for title, words in rows:
        words = [str(word) for word in np.asarray(words).ravel()[:columns].tolist()]
        differs = [x < len(other) and other[x] != word for x, word in enumerate(words)]
        drawn[title] = ["* " * d + word for d, word in zip(differs, words)]
        drawn[title] += [""] * (columns - len(words))
        if expected is None or not other:
            other = words
    display(table(drawn, names, note if len(rows) > 1 else ""))


def draw_mailbox(moments):
    """Draws the mailbox as it was at several moments, {title: its four words, ...}, from top to
    bottom. A word that changed since the moment before has a star."""
    rows = {title: [f"{words[0]:#x}"] + words[1:] for title, words in moments.items()}
    draw_words(rows, columns=len(MAILBOX_WORDS), names=MAILBOX_WORDS)


def draw_leds(moments):
    """Draws eight LEDs as they were at several moments, {title: number, ...}, from top to bottom.
    Bit i of a number is LED i, and LED 7 is on the left, as in a number's digits."""
    order = range(7, -1, -1)
    rows = {
        title: ["\u25cf on" if levels >> led & 1 else "\u25cb off" for led in order]
        for title, levels in moments.items()
    }
    display(table(rows, [f"LED {led}" for led in order]))


def draw_ddr(buffers, strays=()):
    """Draws DDR memory to scale with buffers in it, and below it an enlargement of the part around
    them.

    Args:
        buffers: {name: buffer, ...}.
        strays: Writes outside the buffers, [(physical address, bytes), ...], in red, and taller.
    """
    places = [(name, buffer.physical_address, buffer.nbytes) for name, buffer in buffers.items()]
    first = min(start for _, start, _ in places)
    last = max(start + size for _, start, size in places)
    part = 4096
    while first // part != (last - 1) // part:  # up to the aligned power of two that holds them all
        part *= 2
    window = first // part * part
    title, note = f"DDR memory, {DDR_SIZE >> 20} MB", "! written outside every buffer"
    told = places + [(note, start, size) for start, size in strays]
    told = [title] + [f"{name}: {size} bytes from {start:#010x}" for name, start, size in told]
    dashes = "".join(
        f'<line x1="{(window + x * part) / DDR_SIZE:.2%}" x2="{x:.0%}" y2="100%"/>' for x in (0, 1)
    )
    html = (
        f'<div role="img" aria-label="{escape("; ".join(told))}">{title}'
        + _bar(0, DDR_SIZE, [("", start, size) for _, start, size in places], strays)
        + '<svg width="100%" height="1.5em" stroke="currentColor" stroke-dasharray="4"'
        f' style="display: block">{dashes}</svg>the {part >> 10} KB around the buffers'
        + _bar(window, part, places, strays)
        + (note if strays else "")
        + "</div>"
    )
    display(Picture(html, "\n".join(told)))


def _bar(left, width, places, strays):
    """HTML of a part of memory: a bar with places in it, and addresses below."""
    boxes = [(name, start, size, ORANGE, 0, "overflow: hidden") for name, start, size in places]
    boxes += [("!", start, size, RED, -0.4, f"border-color: {RED}") for start, size in strays]
    html = f'<div style="position: relative; height: 2em; margin: 0.5em 0; background: {GREY}">'
    for name, start, size, color, top, more in boxes:
        if left <= start < left + width:
            html += (
                f'<div style="position: absolute; left: {(start - left) / width:.3%}; width:'
                f" {size / width:.3%}; background: {color}; top: {top}em; bottom: {top}em;"
                " border-left: 1px solid; box-sizing: border-box; min-width: 2px;"
                f' text-align: center; text-indent: 4px; line-height: 2em; {more}">'
                f"<b>{escape(name)}</b></div>"
            )
    ends = "".join(f"<span>{address:#010x}</span>" for address in (left, left + width))
    return html + f'</div><div style="display: flex; justify-content: space-between">{ends}</div>'


def draw_image(words):
    """Draws a two-dimensional array of words: the larger a word, the brighter its pixel."""
    words = np.asarray(words)
    rows, columns = words.shape
    step = -(-max(rows, columns) // 256)  # a page has room for no more
    pixels = (words[::step, ::step] * (255.0 / (words.max() or 1))).astype(np.uint8)
    used = np.flatnonzero(words.any(axis=1))
    runs = [run for run in np.split(used, np.flatnonzero(np.diff(used) > 1) + 1) if run.size]
    runs = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs[:SHOWN]]
    text = f"{rows} rows of {columns} words, from {words.min()} to {words.max()}."
    text += f" Rows in which not all words are 0: {', '.join(runs) or 'none'}."
    (_, across), (_, down) = charts.axis(0, columns), charts.axis(0, rows)
    up = [(100 - y, label) for y, label in down]
    _show(charts.image(pixels), across, up, ("column", "row"), text, width="16em")


def draw_signal(words):
    """Draws words of memory as a signal: the value of each, held until the next."""
    words = np.asarray(words).ravel().tolist()
    (across, x_labels), (up, y_labels) = (
        charts.axis(0, len(words)),
        charts.axis(min(words), max(words)),
    )
    steps = [(across(x + end), up(word)) for x, word in enumerate(words) for end in (0, 1)]
    text = f"{len(words)} words, from {min(words)} to {max(words)}: "
    text += " ".join(map(str, words[:64])) + " ..." * (len(words) > 64)
    content = charts.line(steps, charts.COLORS[0])
    _show(content, x_labels, y_labels, ("word", "value"), text)


def draw_curves(words, curves, models=None, unit="seconds", across="words", log=True):
    """Draws measurements over the number of words, both axes in powers of ten.

    Args:
        words: How many, for each point.
        curves: {title: values, ...}, up to three, each with points of its own shape.
        models: {title: values, ...}, computed ones, as broken lines without points.
        unit: The values'.
        across: What `words` are, if not words.
        log: Whether the axes are in powers of ten.
    """
    every, key, content = dict(curves, **(models or {})), "", ""
    low = min(min(values) for values in every.values())
    high = max(max(values) for values in every.values())
    x, x_labels = charts.axis(min(words), max(words), log)
    y, y_labels = charts.axis(low, high, log)
    for number, (title, values) in enumerate(every.items()):
        points = [(x(many), y(value)) for many, value in zip(words, values)]
        color, mark, dashes = "currentColor", "- -", "6 4"
        if title in curves:
            color, mark, dashes = charts.COLORS[number], charts.MARKS[number], ""
            content += charts.marks(points, color, mark)
        content += charts.line(points, color, dashes)
        key += f'<span style="color: {color}">{mark}</span> {escape(title)} &emsp;'
    numbers = {title: [f"{value:.3g}" for value in values] for title, values in every.items()}
    label = f"{unit} over {across}: {', '.join(every)}"
    numbers = table(numbers, [str(many) for many in words])
    names = across, unit
    html = charts.chart(content, x_labels, y_labels, names, label, numbers._repr_html_())
    display(Picture(f"<div>{key}</div>{html}", f"{label}\n{numbers}"))


def _show(content, across, up, names, text, **size):
    html = charts.chart(content, across, up, names, text, escape(text), **size)
    display(Picture(html, text))
