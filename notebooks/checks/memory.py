"""The checks of 1_memory's exercises."""

import random

import numpy as np

from . import Case, allocated, count, is_buffer, says, shown, whole

PAGE = 4096  # bytes


@says("64 KB are sixteen pages, and no smaller buffer needs the sixteenth.")
def tweak(words):
    smallest = "the smallest number of words whose buffer takes 64 KB"
    rule = "Memory comes in pages of 4 KB, and the first word in a page takes all of it."
    case = Case(f"words = {shown(words)}", smallest, rule)
    number = whole(words)
    case.holds(number is not None and number > 0, "that is not a whole number greater than 0")
    kb, kb_of_one_less = (-(-4 * size // PAGE) * PAGE // 1024 for size in (number, number - 1))
    case.holds(kb == 64, f"they are {4 * number} bytes, which take {kb} KB")
    case.holds(kb_of_one_less < 64, "they take 64 KB, but so does a buffer with one word less")


@says("the pixel is where you say it is.")
def change(frame, address):
    given = shown(frame)
    if isinstance(frame, np.ndarray):
        given = f"a buffer of shape {frame.shape} and dtype {frame.dtype}"
    wanted = "a buffer in which frame[100, 7] is 16 bits, and so for each of 480 rows of 640 pixels"
    rule = "numpy's first index is the row, and the dtype says how many bits an element has."
    case = Case(f"frame = {given}", wanted, rule)
    memory = Case(
        f"frame = {given}", "what allocate(...) returned", "A circuit cannot use another."
    )
    memory.holds(is_buffer(frame), "it is not a buffer from allocate(), or it was freed")
    rows, pixels = (frame.shape + (1,))[:2]
    bits = frame.nbytes * 8 // max(rows * pixels, 1)
    came = f"it has {rows} rows of {pixels} elements, {bits} bits each"
    case.holds((rows, pixels, bits) == (480, 640, 16), came)

    number, first = whole(address), frame.physical_address
    given = shown(address) if number is None else hex(number)
    rule = "Before it are 100 rows and 7 pixels. Addresses count bytes from physical_address on."
    case = Case(f"address = {given}", "the first byte of the pixel in row 100, column 7", rule)
    case.holds(number is not None, "that is not a whole number")
    inside = first <= number < first + frame.nbytes
    end = first + frame.nbytes - 1
    case.holds(inside, f"that is not in the frame, which lies from {first:#x} to {end:#x}")
    row, column = divmod((number - first) // 2, 640)
    case.holds((row, column) == (100, 7), f"there is the pixel in row {row}, column {column}")
    case.holds((number - first) % 2 == 0, "that is the pixel's second byte")


@says(
    "your function finds every element by its address, and knows which addresses are not the"
    " buffer's."
)
def write(index_at):
    for dimensions in 2, 1, 3, 2:
        shape = tuple(random.randint(3, 9) for _ in range(dimensions))
        with allocated(shape, random.choice(["u1", "i2", "u4", "f8"])) as buffer:
            cases = []
            for number in random.randint(1, buffer.size - 2), 0, buffer.size - 1:
                index = tuple(int(place) for place in np.unravel_index(number, shape))
                first, last = number * buffer.itemsize, (number + 1) * buffer.itemsize - 1
                rule = f"It is element {number} of the buffer, counted row by row."
                cases += (first, index, rule), (last, index, f"This is the last byte of {number}.")
            cases += [
                (-1, None, "This byte comes right before the buffer."),
                (buffer.nbytes, None, "This byte comes right behind the buffer."),
                (-buffer.physical_address, None, "Address 0 is in no buffer."),
            ]
            for case in cases:
                _finds(index_at, buffer, *case)


def _finds(index_at, buffer, offset, expected, rule):
    size, address = count(buffer.itemsize, "byte"), buffer.physical_address + offset
    tried = (
        f"a buffer of shape {buffer.shape} at {buffer.physical_address:#x}, with {size} for each"
        f" element, and the address {address:#x}"
    )
    case = Case(tried, expected, rule)
    found = case.of(index_at, buffer, address)
    is_tuple = found is None or isinstance(found, tuple)
    came = f"your function returned {shown(found)}"
    case.holds(is_tuple and found == expected, came + ("" if is_tuple else ", which is no tuple"))
