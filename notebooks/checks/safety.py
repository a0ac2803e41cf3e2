"""The checks of 6_safety's exercises."""

import random

import numpy as np

from . import Case, allocated, count, says, shown, whole


@says("so many words fit, and not one more.")
def tweak(iop, buffer, length):
    tried = f"length = {shown(length)} at buffer.physical_address + 0x400"
    rule = "From an address there is room to the end of its buffer, and an address counts bytes."
    case = Case(tried, "the largest length that passes", rule)
    words = whole(length)
    case.holds(words is not None, "that is not a whole number")
    address = buffer.physical_address + 0x400
    try:
        iop.write_to_buffer(address, words, 1)
    except (TypeError, ValueError) as error:
        raise case.wrong("the guard says: " + str(error).rstrip(".")) from None
    try:
        iop.write_to_buffer(address, words + 1, 1)
    except ValueError:
        return
    raise case.wrong(f"it passes, but so does {words + 1}")


@says("the IOP's words and Python's are all there, whichever you look at.")
def change(fill):
    names = getattr(fill, "__globals__", {})
    by_hand, answers = names.get("by_hand"), []

    def recorded(*request, **more):
        answers.append(by_hand(*request, **more))
        return answers[-1]

    names["by_hand"] = recorded
    try:
        for _ in range(3):
            with allocated((random.randint(20, 40),), np.uint32, cacheable=1) as shared:
                _fills(fill, shared, answers)
    finally:
        names["by_hand"] = by_hand


def _fills(fill, shared, answers):
    shared[:] = 0
    shared.flush()
    length, data = random.randint(3, 15), random.randint(1000, 2000)
    shared[:] = pythons = random.randint(3000, 4000)
    tried = f"fill(shared, {length}, {data}), and Python had written {pythons} into all of shared"
    rule = "Do by hand what write_to_buffer does; numpy has no way past the cache."
    case = Case(tried, "one call of by_hand, which the virtual board's IOP answers", rule)
    del answers[:]
    case.of(fill, shared, length, data)
    case.holds(len(answers) == 1, f"your function called by_hand {len(answers)} times")
    case.holds(answers == ["answered"], f"by_hand said {answers[0]}")
    iops = "DDR has what the IOP wrote: write nothing over it, and make the cache forget its own."
    own = "What Python wrote is in the cache alone until it is sent to DDR: send it before."
    for where in "for Python", "in DDR":
        words = shared.copy()
        came = f"{where} word 0 is {words[0]}"
        right = (words[:length] == np.arange(data, data + length)).all()
        Case(tried, f"{data} there", iops).holds(right, came)
        came = f"{where} word {length} is {words[length]}"
        Case(tried, f"{pythons} there", own).holds((words[length:] == pythons).all(), came)
        shared.invalidate()  # now Python sees DDR


@says("it lets pass what lies in one buffer, and nothing else.")
def write(is_safe):
    nowhere = "Where there is no buffer, nothing is safe."
    inside = "It begins at a word of a buffer and ends in the same buffer."
    behind = "It ends behind the buffer that it begins in."
    before = "It begins before a buffer."
    two = "Two buffers that touch are still two: one may be freed tomorrow."
    for _ in range(20):
        sizes = [random.randint(2, 1000) for _ in range(3)]  # words
        first = 4096 * random.randint(100, 10000)
        # the first two touch
        buffers = list(zip((first, first + 4 * sizes[0], first + 0x100000), sizes))
        cases = [
            (first - 4, 2, False, before),
            (first - 4, sizes[0] + 2, False, before),
            (first, sizes[0] + sizes[1], False, two),
        ]
        for start, words in buffers:
            cases += [
                (start, words, True, inside),
                (start + 4 * words - 4, 1, True, inside),
                (start + 4, words - 1, True, inside),
                (start + 4, words, False, behind),
                (start + 2, 1, False, "A word begins at a multiple of 4."),
                (start + 4, 0, False, "It asks for no word at all."),
                (start + 4, -1, False, "It asks for no word at all."),
            ]
        random.shuffle(buffers)
        for case in cases:
            _asks(is_safe, [(start, 4 * words) for start, words in buffers], *case)
    _asks(is_safe, [], 0x8000, 1, False, nowhere)


def _asks(is_safe, buffers, address, length, expected, rule):
    listed = ", ".join(f"({start:#x}, {size})" for start, size in buffers) or "none"
    tried = f"{count(length, 'word')} at {address:#x}, and {listed} as the buffers"
    case = Case(tried, expected, rule)
    answer = case.of(is_safe, buffers, address, length)
    right = isinstance(answer, (bool, np.bool_)) and answer == expected
    case.holds(right, f"it says {shown(answer)}")
