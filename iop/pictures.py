"""Pictures for the notebooks, drawn by matplotlib."""

import contextlib
import io

import numpy as np
from IPython.display import display
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .buffers import DDR_SIZE
from .pynq_tutorial import MAILBOX_WORDS

SHOWN = 12  # words; more do not fit under a notebook's cell
CHANGED, WRONG, GREY = "#f6c667", "#f6a5a5", "#777777"  # orange, red: each with one meaning


class Picture:
    """A finished picture, as the last value of a cell or for display()."""

    def __init__(self, png, text):
        self._png, self._text = png, text

    def _repr_png_(self):
        return self._png

    def __repr__(self):
        return self._text


@contextlib.contextmanager
def picture(width, height):
    """Yields matplotlib's Axes of a picture of so many inches, and shows it at the end of the
    block.

    It does without pyplot, and with matplotlib's own defaults: a user's MPLBACKEND may name windows
    that no notebook shows, and a matplotlibrc may ask for LaTeX."""
    png = io.BytesIO()
    with style.context("default"):
        figure = Figure((width, height), dpi=110)
        FigureCanvasAgg(figure)
        yield figure.add_subplot(1, 1, 1)
        figure.savefig(png, format="png", dpi=figure.dpi, bbox_inches="tight")
    display(Picture(png.getvalue(), repr(figure)))


def _box(axes, x, y, width, height, face, edge=GREY, line=1):
    box = Rectangle((x, y), width, height, facecolor=face, edgecolor=edge, linewidth=line)
    axes.add_patch(box)


def _small(axes, x, y, text, ha="center", va="top", color=GREY):
    axes.text(x, y, text, ha=ha, va=va, fontsize=8, color=color)


def draw_words(rows, columns=SHOWN, names=None, expected=None):
    """Draws words of memory as rows of boxes. With `expected`, a word that is not as expected is
    red; without, one that differs from the word above it is orange.

    Args:
        rows: {title: array of words, ...}, from top to bottom.
        columns: How many words of each to draw.
        names: What to write above the columns in place of their numbers.
        expected: The words that should be there, for a row of their own above the others.
    """
    rows, color, meaning = list(rows.items()), CHANGED, "orange: not what it was in the row above"
    if expected is not None:
        rows, color, meaning = [("expected", expected)] + rows, WRONG, "red: not as expected"
    with picture(9, 0.75 * len(rows) + 0.2) as axes:
        other = []  # the row that the next one is compared with
        for y, (title, words) in enumerate(rows):
            words = np.asarray(words).ravel()[:columns]
            for x, word in enumerate(words):
                differs = x < len(other) and other[x] != word
                _box(axes, x, -y, 1, -0.8, color if differs else "#f2f2f2")
                # seven characters fit into a twelfth
                size = 9 if len(str(word)) * columns < 8 * SHOWN else 6
                axes.text(x + 0.5, -y - 0.4, str(word), ha="center", va="center", fontsize=size)
            axes.text(-0.15, -y - 0.4, title, ha="right", va="center", fontsize=10)
            if expected is None or y == 0:
                other = words
        for x in range(columns):
            _small(axes, x + 0.5, 0.15, names[x] if names else f"[{x}]", va="bottom")
        _small(axes, columns, -len(rows) + 0.05, meaning, ha="right")
        axes.set_xlim(0, columns)
        axes.set_ylim(-len(rows) - 0.27, 0.5)
        axes.axis("off")


def draw_mailbox(moments):
    """Draws the mailbox as it was at several moments, {title: its four words, ...}, from top to
    bottom. A word that changed since the moment before is coloured."""
    rows = {title: [f"{words[0]:#x}"] + words[1:] for title, words in moments.items()}
    draw_words(rows, columns=len(MAILBOX_WORDS), names=MAILBOX_WORDS)


def draw_ddr(buffers, strays=()):
    """Draws DDR memory to scale with buffers in it, and below it an enlargement of the part around
    them.

    Args:
        buffers: {name: buffer, ...}.
        strays: Writes outside the buffers, [(physical address, bytes), ...], in red.
    """
    places = [(name, buffer.physical_address, buffer.nbytes) for name, buffer in buffers.items()]
    first = min(start for _, start, _ in places)
    last = max(start + size for _, start, size in places)
    part = 4096
    while first // part != (last - 1) // part:  # up to the aligned power of two that holds them all
        part *= 2
    window = first // part * part
    with picture(9, 2.9) as axes:
        for y, left, width in (2.2, 0, DDR_SIZE), (0.4, window, part):
            _box(axes, 0, y, 1, 0.6, "#d9dde3")
            for name, start, size in places:
                x, wide = (start - left) / width, size / width
                _box(axes, x, y, wide, 0.6, "#f6c667", "#b9852a")
                if y < 1:
                    bold = dict(fontsize=10, fontweight="bold")
                    axes.text(x + wide / 2, y + 0.3, name, ha="center", va="center", **bold)
            for start, size in strays:
                if left <= start < left + width:
                    x = (start - left) / width
                    _box(axes, x, y, size / width, 0.6, WRONG, "#b34747", 2)
            for quarter in range(5):
                address = f"{left + quarter * width // 4:#010x}"
                _small(axes, quarter / 4, y - 0.12, address, color="#555555")
        for x in (0, 1):
            ends = [(window + x * part) / DDR_SIZE, x], [2.2, 1.0]
            axes.plot(*ends, color=GREY, linewidth=0.8, linestyle="--")
        axes.text(0, 2.9, f"DDR memory, {DDR_SIZE >> 20} MB", fontsize=10)
        axes.text(0, -0.05, f"the {part >> 10} KB around the buffers", fontsize=10, va="top")
        axes.set_xlim(-0.07, 1.07)
        axes.set_ylim(-0.3, 3.2)
        axes.axis("off")


def draw_image(words):
    """Draws a two-dimensional array of words: the larger a word, the brighter its pixel."""
    with picture(5, 4) as axes:
        axes.imshow(words, cmap="cividis")
        axes.set(xlabel="column", ylabel="row")


def draw_signal(words):
    """Draws words of memory as a signal: the value of each, held until the next."""
    with picture(9, 2) as axes:
        axes.step(range(len(words) + 1), np.append(words, words[-1]), where="post", color="#3b6fb6")
        axes.set(xlim=(0, len(words)), xlabel="word", ylabel="value")


def draw_curves(words, curves, models=None, unit="seconds"):
    """Draws measurements over the number of words, both axes in powers of ten.

    Args:
        words: How many, for each point.
        curves: {title: values, ...}, up to three, each with points of its own shape.
        models: {title: values, ...}, computed ones, as broken lines without points.
        unit: The values'.
    """
    styles = ("o-", "#3b6fb6"), ("s-", "#4f8a3a"), ("D-", "#b9852a")
    with picture(9, 4.5) as axes:
        for (shape, color), (title, values) in zip(styles, curves.items()):
            axes.loglog(words, values, shape, color=color, label=title)
        for title, values in (models or {}).items():
            axes.loglog(words, values, "--", color="#333333", label=title)
        axes.set(xlabel="words", ylabel=unit)
        axes.grid(color="#d9dde3")
        axes.legend()
