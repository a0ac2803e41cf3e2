"""Pictures for the notebooks, drawn by matplotlib."""

import matplotlib.pyplot as plt
import numpy as np

SHOWN = 12  # words; more do not fit under a notebook's cell


def draw_words(rows, columns=SHOWN):
    """Draws words of memory as rows of boxes, a box that differs from the one above it in colour.

    rows: {title: array of words, ...}, from top to bottom
    columns: how many words of each to draw
    """
    figure, axes = plt.subplots(figsize=(9, 0.75 * len(rows)), dpi=110)
    above = None
    for y, (title, words) in enumerate(rows.items()):
        words = np.asarray(words).ravel()[:columns]
        for x, word in enumerate(words):
            changed = above is not None and x < len(above) and above[x] != word
            axes.add_patch(plt.Rectangle((x, -y), 1, -0.8, facecolor="#f6c667" if changed else "#f2f2f2",
                                         edgecolor="#777777"))
            axes.text(x + 0.5, -y - 0.4, str(word), ha="center", va="center", fontsize=9 if len(str(word)) < 8 else 6)
        axes.text(-0.15, -y - 0.4, title, ha="right", va="center", fontsize=10)
        above = words
    for x in range(columns):
        axes.text(x + 0.5, 0.15, "[{}]".format(x), ha="center", va="bottom", fontsize=8, color="#777777")
    axes.set_xlim(0, columns)
    axes.set_ylim(-len(rows), 0.5)
    axes.axis("off")
    plt.show()


def draw_signal(words):
    """Draws words of memory as a signal: the value of each, held until the next."""
    figure, axes = plt.subplots(figsize=(9, 2), dpi=110)
    axes.step(range(len(words) + 1), np.append(words, words[-1]), where="post", color="#3b6fb6")
    axes.set_xlim(0, len(words))
    axes.set_xlabel("word")
    axes.set_ylabel("value")
    plt.show()
