"""The checks of 6_safety's exercises."""

import random

import numpy as np

from . import Case, allocated, count, says, shown, whole


@says("so many words fit, and not one more.")
def tweak(iop, buffer, length):
    case = Case(
        f"length = {shown(length)} at buffer.physical_address + 0x400",
        "the largest length that passes",
        "From a bare address there is room to the end of the buffer that it lies in, and an address"
        " counts bytes.",
    )
    if whole(length) is None:
        raise case.wrong("that is no whole number")
    for words, passes in (whole(length), True), (whole(length) + 1, False):
        try:
            iop.write_to_buffer(buffer.physical_address + 0x400, words, 1)
        except (TypeError, ValueError) as error:
            if passes:
                raise case.wrong("the guard says: " + str(error).rstrip(".")) from None
        else:
            if not passes:
                raise case.wrong(f"it passes, but so does {words}")


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
    length, data, pythons = (
        random.randint(3, 15),
        random.randint(1000, 2000),
        random.randint(3000, 4000),
    )
    tried = f"fill(shared, {length}, {data}), and Python had written {pythons} into all of shared"
    asked = Case(
        tried,
        "one call of by_hand, which the virtual board's IOP answers",
        "This is about doing by hand what write_to_buffer does, and numpy has no way past the"
        " cache.",
    )
    shared[:] = pythons
    del answers[:]
    asked.of(fill, shared, length, data)
    if answers != ["answered"]:
        raise asked.wrong(
            f"by_hand said {answers[0]}"
            if len(answers) == 1
            else f"your function called by_hand {len(answers)} times"
        )
    for where in "for Python", "in DDR":
        words = shared.copy()
        if (words[:length] != np.arange(data, data + length)).any():
            raise Case(
                tried,
                f"{data} there",
                "What the IOP wrote is in DDR: nothing may be written over it after that, and "
                "Python sees it when its cache has forgotten what it had.",
            ).wrong(f"{where} word 0 is {words[0]}")
        if (words[length:] != pythons).any():
            raise Case(
                tried,
                f"{pythons} there",
                "What Python wrote is in its cache alone until something sends it to DDR, and "
                "lost if the cache forgets it before.",
            ).wrong(f"{where} word {length} is {words[length]}")
        shared.invalidate()  # now Python sees DDR


@says("it lets pass what lies in one buffer, and nothing else.")
def write(is_safe):
    for _ in range(20):
        sizes = [4 * random.randint(2, 1000) for _ in range(3)]
        first = 4096 * random.randint(100, 10000)
        # two of them touch
        buffers = [(first, sizes[0]), (first + sizes[0], sizes[1]), (first + 0x100000, sizes[2])]
        random.shuffle(buffers)
        for start, size in buffers:
            words = size // 4
            inside = "It begins at a word of a buffer and ends in the same buffer."
            _asks(is_safe, buffers, start, words, True, inside)
            _asks(is_safe, buffers, start + size - 4, 1, True, inside)
            _asks(is_safe, buffers, start + 4, words - 1, True, inside)
            _asks(
                is_safe,
                buffers,
                start + 4,
                words,
                False,
                "It ends behind the buffer that it begins in.",
            )
            _asks(is_safe, buffers, start + 2, 1, False, "A word begins at a multiple of 4.")
            for length in 0, -1:
                _asks(is_safe, buffers, start + 4, length, False, "It asks for no word at all.")
        _asks(is_safe, buffers, first - 4, 2, False, "It begins before a buffer.")
        _asks(is_safe, buffers, first - 4, sizes[0] // 4 + 2, False, "It begins before a buffer.")
        _asks(
            is_safe,
            buffers,
            first,
            sum(sizes[:2]) // 4,
            False,
            "Two buffers that touch are still two: one may be freed tomorrow.",
        )
    _asks(is_safe, [], 0x8000, 1, False, "Where there is no buffer, nothing is safe.")


def _asks(is_safe, buffers, address, length, expected, rule):
    case = Case(
        "{} at {:#x}, and {} as the buffers".format(
            count(length, "word"),
            address,
            ", ".join("({:#x}, {})".format(*buffer) for buffer in buffers) or "none",
        ),
        expected,
        rule,
    )
    answer = case.of(is_safe, buffers, address, length)
    if answer is not expected and not (isinstance(answer, np.bool_) and answer == expected):
        raise case.wrong(f"it says {shown(answer)}")
