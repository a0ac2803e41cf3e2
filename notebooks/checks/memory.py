"""The checks of 1_memory's exercises."""

import random

import numpy as np

from . import Case, allocated, is_buffer, says, shown, whole

PAGE = 4096  # bytes


@says("64 KB are sixteen pages, and no smaller buffer needs the sixteenth.")
def tweak(words):
    case = Case(
        f"words = {shown(words)}",
        "the smallest number of words whose buffer takes 64 KB",
        "Memory comes in pages of 4 KB, and the first word in a page takes all of it.",
    )
    number = whole(words)
    if number is None or number < 1:
        raise case.wrong("that is no number of words")
    kb, kb_of_one_less = (-(-4 * count // PAGE) * PAGE // 1024 for count in (number, number - 1))
    if kb != 64:
        raise case.wrong(f"they are {4 * number} bytes, which take {kb} KB")
    if kb_of_one_less == 64:
        raise case.wrong("they take 64 KB, but so does a buffer with one word less")


@says("the pixel is where you say it is.")
def change(frame, address):
    case = Case(
        "frame = {}".format(
            f"a buffer of shape {frame.shape} and dtype {frame.dtype}"
            if isinstance(frame, np.ndarray)
            else shown(frame)
        ),
        "a buffer in which frame[100, 7] is 16 bits, and so for each of 480 rows of 640 pixels",
        "numpy's first index is the row, and the dtype says how many bits an element has.",
    )
    if not is_buffer(frame):
        raise case.wrong("it is no buffer that allocate() returned, or it was freed")
    if frame.shape[:2] != (480, 640) or frame.nbytes != 480 * 640 * 2:
        rows, pixels = (frame.shape + (1,))[:2]
        raise case.wrong(
            f"it has {rows} rows of {pixels} elements, {frame.nbytes * 8 // max(rows * pixels, 1)}"
            " bits each"
        )
    first = frame.physical_address
    case = Case(
        f"address = {shown(address) if whole(address) is None else hex(whole(address))}",
        "the first byte of the pixel in row 100, column 7",
        "Before it lie 100 whole rows and 7 pixels, and an address counts bytes from the buffer's"
        " physical_address.",
    )
    if whole(address) is None:
        raise case.wrong("that is no whole number")
    offset = whole(address) - first
    if not 0 <= offset < frame.nbytes:
        raise case.wrong(
            f"that is not in the frame, which lies from {first:#x} to {first + frame.nbytes - 1:#x}"
        )
    row, column = divmod(offset // 2, 640)
    if (row, column) != (100, 7):
        raise case.wrong(f"there is the pixel in row {row}, column {column}")
    if offset % 2:
        raise case.wrong("that is the pixel's second byte")


@says(
    "your function finds every element by its address, and knows which addresses are not the"
    " buffer's."
)
def write(index_at):
    for dimensions in 2, 1, 3, 2:
        shape = tuple(random.randint(3, 9) for _ in range(dimensions))
        with allocated(shape, random.choice(["u1", "i2", "u4", "f8"])) as buffer:
            last = buffer.size - 1
            for number in 0, random.randint(1, last - 1), last:
                index = tuple(int(place) for place in np.unravel_index(number, shape))
                offset = number * buffer.itemsize
                _compare(
                    index_at,
                    buffer,
                    offset,
                    index,
                    f"It is element {number} of the buffer, counted row by row",
                )
                _compare(
                    index_at,
                    buffer,
                    offset + buffer.itemsize - 1,
                    index,
                    f"This is the last byte of element {number}",
                )
            _compare(index_at, buffer, -1, None, "This byte comes right before the buffer")
            _compare(
                index_at, buffer, buffer.nbytes, None, "This byte comes right behind the buffer"
            )
            _compare(index_at, buffer, -buffer.physical_address, None, "Address 0 is in no buffer")


def _compare(index_at, buffer, offset, expected, rule):
    case = Case(
        "a buffer of shape {}, {} byte{} an element, and the address {} bytes from its beginning".format(
            buffer.shape, buffer.itemsize, "s" * (buffer.itemsize > 1), offset
        ),
        expected,
        rule + ".",
    )
    found = case.of(index_at, buffer, buffer.physical_address + offset)
    if not (found is None if expected is None else isinstance(found, tuple) and found == expected):
        raise case.wrong(
            "your function returned {}{}".format(
                shown(found),
                "" if found is None or isinstance(found, tuple) else ", which is no tuple",
            )
        )
