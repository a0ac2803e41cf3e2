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
CHANGED, WRONG = "#f6c667", "#f6a5a5"  # orange and red, each with one meaning


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


def draw_words(rows, columns=SHOWN, names=None, expected=None):
    """Draws words of memory as rows of boxes. With `expected`, a word that is not as expected is
    red; without, one that differs from the word above it is orange.

    rows: {title: array of words, ...}, from top to bottom
    columns: how many words of each to draw
    names: what to write above the columns in place of their numbers
    expected: the words that should be there, for a row of their own above the others
    """
    color, meaning = (
        (CHANGED, "orange: not what it was in the row above")
        if expected is None
        else (WRONG, "red: not as expected")
    )
    drawn = ([] if expected is None else [("expected", expected)]) + list(rows.items())
    with picture(9, 0.75 * len(drawn) + 0.2) as axes:
        other = None  # the row that the next one is compared with
        for y, (title, words) in enumerate(drawn):
            words = np.asarray(words).ravel()[:columns]
            for x, word in enumerate(words):
                differs = other is not None and x < len(other) and other[x] != word
                axes.add_patch(
                    Rectangle(
                        (x, -y),
                        1,
                        -0.8,
                        facecolor=color if differs else "#f2f2f2",
                        edgecolor="#777777",
                    )
                )
                # seven characters fit into a twelfth
                size = 9 if len(str(word)) * columns < 8 * SHOWN else 6
                axes.text(x + 0.5, -y - 0.4, str(word), ha="center", va="center", fontsize=size)
            axes.text(-0.15, -y - 0.4, title, ha="right", va="center", fontsize=10)
            if expected is None or y == 0:
                other = words
        for x in range(columns):
            name = names[x] if names else f"[{x}]"
            axes.text(x + 0.5, 0.15, name, ha="center", va="bottom", fontsize=8, color="#777777")
        axes.text(
            columns, -len(drawn) + 0.05, meaning, ha="right", va="top", fontsize=8, color="#777777"
        )
        axes.set_xlim(0, columns)
        axes.set_ylim(-len(drawn) - 0.27, 0.5)
        axes.axis("off")


def draw_mailbox(moments):
    """Draws the mailbox as it was at several moments. A word that changed since the moment before
    is coloured.

    moments: {title: its four words, ...}, from top to bottom
    """
    rows = {title: [f"{words[0]:#x}"] + words[1:] for title, words in moments.items()}
    draw_words(rows, columns=len(MAILBOX_WORDS), names=MAILBOX_WORDS)


def draw_ddr(buffers, strays=()):
    """Draws DDR memory to scale with buffers in it, and below it an enlargement of the part around
    them.

    buffers: {name: buffer, ...}
    strays: writes outside the buffers, [(physical address, bytes), ...], in red
    """
    places = [(name, buffer.physical_address, buffer.nbytes) for name, buffer in buffers.items()]
    first, last = (
        min(start for _, start, _ in places),
        max(start + size for _, start, size in places),
    )
    part = 4096
    while first // part != (last - 1) // part:  # up to the aligned power of two that holds them all
        part *= 2
    window = first // part * part
    with picture(9, 2.9) as axes:
        for y, left, width in (2.2, 0, DDR_SIZE), (0.4, window, part):
            axes.add_patch(Rectangle((0, y), 1, 0.6, facecolor="#d9dde3", edgecolor="#777777"))
            for name, start, size in places:
                x, wide = (start - left) / width, size / width
                axes.add_patch(
                    Rectangle((x, y), wide, 0.6, facecolor="#f6c667", edgecolor="#b9852a")
                )
                if y < 1:
                    axes.text(
                        x + wide / 2,
                        y + 0.3,
                        name,
                        ha="center",
                        va="center",
                        fontsize=10,
                        fontweight="bold",
                    )
            for start, size in strays:
                if left <= start < left + width:
                    axes.add_patch(
                        Rectangle(
                            ((start - left) / width, y),
                            size / width,
                            0.6,
                            facecolor=WRONG,
                            edgecolor="#b34747",
                            linewidth=2,
                        )
                    )
            for quarter in range(5):
                address = left + quarter * width // 4
                axes.text(
                    quarter / 4,
                    y - 0.12,
                    f"{address:#010x}",
                    ha="center",
                    va="top",
                    fontsize=8,
                    color="#555555",
                )
        for x in (0, 1):
            axes.plot(
                [(window + x * part) / DDR_SIZE, x],
                [2.2, 1.0],
                color="#777777",
                linewidth=0.8,
                linestyle="--",
            )
        axes.text(0, 2.9, f"DDR memory, {DDR_SIZE >> 20} MB", fontsize=10)
        axes.text(0, -0.05, f"the {part >> 10} KB around the buffers", fontsize=10, va="top")
        axes.set_xlim(-0.07, 1.07)
        axes.set_ylim(-0.3, 3.2)
        axes.axis("off")


def draw_image(words):
    """Draws a two-dimensional array of words as an image: the larger a word, the brighter its
    pixel."""
    with picture(5, 4) as axes:
        axes.imshow(words, cmap="cividis")
        axes.set_xlabel("column")
        axes.set_ylabel("row")


def draw_signal(words):
    """Draws words of memory as a signal: the value of each, held until the next."""
    with picture(9, 2) as axes:
        axes.step(range(len(words) + 1), np.append(words, words[-1]), where="post", color="#3b6fb6")
        axes.set_xlim(0, len(words))
        axes.set_xlabel("word")
        axes.set_ylabel("value")


def draw_curves(words, curves, models=None, unit="seconds"):
    """Draws measurements over the number of words, both axes in powers of ten.

    words:  how many, for each point
    curves: {title: values, ...}, up to three, each with points of its own shape
    models: {title: values, ...}, computed ones, as broken lines without points
    """
    with picture(9, 4.5) as axes:
        for style, color, (title, values) in zip(
            "osD", ("#3b6fb6", "#4f8a3a", "#b9852a"), curves.items()
        ):
            axes.loglog(words, values, style + "-", color=color, label=title)
        for title, values in (models or {}).items():
            axes.loglog(words, values, "--", color="#333333", label=title)
        axes.set_xlabel("words")
        axes.set_ylabel(unit)
        axes.grid(color="#d9dde3")
        axes.legend()
