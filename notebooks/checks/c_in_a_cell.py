"""Checks of 8_c_in_a_cell. The first two call the student's C in the IOP, as a cell with
%%microblaze has loaded it."""

import numbers
import random
import threading

import numpy as np
from pynq.lib.pynqmicroblaze import magic

from . import Case, Wrong, _raised, allocated, count, says, shown, whole
from .pins import plugged, the_board

AROUND = 8  # words before and after those that a function is asked for, which it must leave alone
WORD = 2**32
ANSWER = 2  # seconds that a function of a cell may take
STEP = 1 / 128  # degrees, of the thermometer's 16 bits
REFUSALS = TypeError, ValueError


@says("each word is the one before it plus step.")
def tweak(ramp):
    _is_of_a_cell(ramp, "ramp")
    with allocated((100,), np.uint32) as memory:
        for length, data, step in (
            (10, 1000, -3),
            (10, 5, 0),
            (2, 0, 2**31 - 1),
            (12, WORD - 2, 1),
            (random.randrange(20, 80), random.randrange(WORD), random.randrange(-1000, 1000)),
            (0, 1, 1),
        ):
            tried = f"ramp(buffer, {length}, {data}, {step})"
            memory[:] = outside = ~data % WORD  # around the words, where a function has no business
            part = memory[AROUND : AROUND + length]
            _call(
                Case(tried, "a number", "The function has a result, so that Python waits for it."),
                ramp,
                memory[AROUND:],
                length,
                data,
                step,
            )
            for i, word in enumerate(part.tolist()):
                expected = (data + i * step) % WORD
                if word != expected:
                    raise Case(
                        tried,
                        expected,
                        "Word 0 is data, and each word is the one before it plus step.",
                    ).wrong(f"word {i} is {word}")
            if (memory[:AROUND] != outside).any() or (memory[AROUND + length :] != outside).any():
                raise Case(
                    tried,
                    "they stay as they were",
                    "The last word is words[length - 1], and nobody checks an address in C.",
                ).wrong("it wrote words before or behind the {}".format(count(length, "word")))


@says("it is right above zero and below.")
def change(degrees):
    _is_of_a_cell(degrees, "degrees")
    with plugged(_thermometer()) as thermometer:
        # of 1/16 degree
        for steps in [344, -200, -1, 0, 1, -640, 2400] + [
            random.randrange(-640, 2400) for _ in range(4)
        ]:
            thermometer.celsius = celsius = steps / 16
            case = Case(
                f"{celsius} degrees",
                celsius,
                "The 16 bits, the high byte first, are a number with a sign: 0xffff is -1 "
                "step of 1/128 degree.",
            )
            result = _call(case, degrees)
            if not isinstance(result, numbers.Real) or not abs(result - celsius) < STEP / 2:
                raise case.wrong(f"it says {shown(result)}")


@says("what has room is filled, and nothing else reaches the IOP.")
def write(fill_safely):
    room = "A word has 4 bytes, and there is room for as many as the buffer has bytes for."
    for shape, dtype, words in (
        ((20,), np.uint32, 20),
        ((3, 5), np.int32, 15),
        ((2, 3, 4), np.int32, 24),
        ((random.randrange(30, 60),), np.uint32, 25),
    ):
        with allocated(shape, dtype) as buffer:
            for length in (1, words):
                _passes(fill_safely, buffer, length, room)
            _is_refused(fill_safely, buffer, buffer.size + 1, room)
            _is_refused(fill_safely, buffer, -1, "No buffer has room for fewer words than none.")
    with allocated((20,), np.uint32) as buffer:
        _passes(fill_safely, buffer[5:10], 5, room)
        _is_refused(
            fill_safely,
            buffer[5:10],
            6,
            "A part has room for its own words: it is somebody else's that come after it.",
        )
    for dtype, words in ((np.uint8, 4), (np.uint16, 8)):
        with allocated((16,), dtype) as buffer:
            _is_refused(fill_safely, buffer, 16, room)
            _is_refused(fill_safely, buffer, words + 1, room)
    for other in np.zeros(20, np.uint32), [0] * 20, bytearray(80), 0x8000, _Nothing():
        _is_refused(
            fill_safely,
            other,
            10,
            "Memory that the IOP can reach comes from allocate() or cma_array() alone, as a"
            " PynqBuffer.",
        )


class _Nothing:
    """Has what pynq asks for, and is no buffer."""

    physical_address, nbytes, size = 0x8000, 80, 20

    def __len__(self):
        return self.size

    def __repr__(self):
        return "an object that has a physical_address"


def _passes(fill_safely, buffer, length, rule):
    case = Case(
        _tried(buffer, length), "one call of fill with the same arguments, and its result", rule
    )
    fill, calls, answer = _recorder()
    result = case.of(fill_safely, fill, buffer, length, 1)
    if len(calls) != 1:
        raise case.wrong(f"fill was called {len(calls)} times" if calls else "fill was not called")
    given, words, data = calls[0]
    if getattr(given, "physical_address", None) != buffer.physical_address or (
        whole(words),
        whole(data),
    ) != (length, 1):
        raise case.wrong("fill was called with other arguments")
    if result != answer:
        raise case.wrong(f"fill returned {answer}, and fill_safely {shown(result)}")


def _is_refused(fill_safely, buffer, length, rule):
    case = Case(_tried(buffer, length), "a ValueError or a TypeError, and no call of fill", rule)
    fill, calls, _ = _recorder()
    result = case.of(fill_safely, fill, buffer, length, 1, raises=REFUSALS)
    if calls:
        raise case.wrong("fill was called")
    if result is not REFUSALS:
        raise case.wrong(f"it returned {shown(result)}")


def _recorder():
    """A fill that notes its calls and writes nothing, the list of these, and what it returns."""
    calls, answer = [], random.randrange(1000, 2000)

    def fill(buffer, length, data):
        calls.append((buffer, length, data))
        return answer

    return fill, calls, answer


def _tried(buffer, length):
    kind = (
        " x ".join(map(str, buffer.shape)) + f" elements of {buffer.dtype}"
        if isinstance(buffer, np.ndarray)
        else shown(buffer)
    )
    return (
        f"fill_safely(fill, buffer, {length}, 1), where buffer is {kind} ({type(buffer).__name__})"
    )


def _thermometer():
    the_board()  # there is one, or a sentence
    from virtual_board.pmods import Tmp2

    return Tmp2()


def _is_of_a_cell(function, name):
    """Wrong unless it is a function that a cell of C defined."""
    if not isinstance(function, magic._FunctionWrapper):
        raise Case(
            name, "a function that the cell of C above defined", "The IOP is to do the work."
        ).wrong(f"it is {shown(function)}")


def _call(case, function, *given):
    """What a function of a cell returns. It gets some seconds; then the IOP is stopped, which ends
    the call."""
    late = threading.Event()

    def stop():
        late.set()
        function.reset()

    timer = threading.Timer(ANSWER, stop)
    timer.start()
    try:
        result = function(*given)
    except RuntimeError as error:  # the program is not there any more
        if late.is_set():
            raise case.wrong(
                f"the function had not returned after {ANSWER} s, and the IOP was stopped"
            ) from None
        raise Wrong(str(error)) from None
    except Exception as error:
        raise case.wrong(_raised(error)) from None
    finally:
        timer.cancel()
        timer.join()
    if result is None:
        function.reset()  # it may still be writing
        raise case.wrong("the function returns nothing, so Python does not wait for it")
    return result
