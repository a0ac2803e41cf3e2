"""5_performance's checks."""

import pytest
from checks import performance as check

from helpers.exercises import RIGHT, answers

TWEAK = [
    ("np.float64(words) * instructions * 10 / 1e9", RIGHT),
    ("'0.2 s'", "'0.2 s', and should be a number"),
    ("words * 2.375 * 1e-8", r"word of \S+ instructions each: the result is"),
    ("words * round(instructions) * 1e-8", "the result is"),
    ("words * instructions * 10", "the result is"),  # nanoseconds
]
CHANGE = [
    (
        """
        for start in range(0, words + 1, 1000):  # the last block may have no words
            end = min(start + 1000, words)
            buffer[start:end] = list(range(start + 1, end + 1))
        """,
        RIGHT,
    ),
    (
        """
        for number, block in enumerate(np.split(buffer[:words], range(1000, words, 1000))):
            block[:] = np.arange(block.size) + (1000 * number + 1)
        """,
        RIGHT,
    ),
    (
        """
        numbers = np.arange(1, words + 1, dtype=np.uint32)
        for start in range(0, words, 1000):
            buffer[:words][start:start + 1000] = numbers[start:start + 1000]
        """,
        "bytes of memory",
    ),
    (
        """
        for start in range(0, words, 1000):
            part = buffer[start:min(start + 1000, words)]
            np.copyto(part, np.arange(start + 1, start + part.size + 1, dtype=np.uint32))
        """,
        RIGHT,
    ),
    (
        """
        numbers = np.arange(1, 1001, dtype=np.uint32)
        for start in range(0, words, 1000):
            end = min(start + 1000, words)
            np.add(numbers[:end - start], np.uint32(start), out=buffer[start:end])
        """,
        RIGHT,
    ),
    ("np.asarray(buffer)[:words] = np.arange(1, words + 1)", "1001.: it wrote 1,001 in one go"),
    (
        "np.copyto(buffer[:words], np.arange(1, words + 1, dtype='u4'))",
        "1001.: it wrote 1,001 in one go",
    ),
    ("for i in range(words): buffer[i:i + 1].fill(1 + i)", "it made 999 assignments"),
    ("buffer[:words] = np.arange(1, words + 1)", r"\(buffer, 1001\): it wrote 1,001 in one go"),
    ("for i in range(words): buffer[i] = 1 + i", "it made 999 assignments"),
    ("right(buffer, words); buffer[:words] -= 1", "word 0 is 0"),
    ("right(buffer, -(-words // 1000) * 1000)", "wrote more words than that"),
]
CROSSING = "(b[0] - a[0]) / (1 / a[1] - 1 / b[1])"
WRITE = [
    (
        f"""
        if b[1] > a[1]:
            return max(0, {CROSSING})
        return 0 if b[1] == a[1] and b[0] < a[0] else None
        """,
        RIGHT,
    ),
    ("None if right(a, b) is None else math.ceil(right(a, b))", RIGHT),
    (f"max(0, {CROSSING})", "the result is"),
    (f"None if {CROSSING} < 0 else {CROSSING}", "the result is None. Expected: 0"),
    ("0 if b[0] < a[0] else right(a, b)", "the result is 0. Expected: None"),
    ("'never'", "'never', and should be a number"),
]


@pytest.mark.parametrize(
    "check, answer, says",
    answers(check.tweak, "board_at_least(words, instructions)", TWEAK)
    + answers(check.change, "fill_in_blocks(buffer, words)", CHANGE)
    + answers(check.write, "break_even(a, b)", WRITE),
)
def test_an_answer(check, answer, says, told):
    told(says, check, answer)
