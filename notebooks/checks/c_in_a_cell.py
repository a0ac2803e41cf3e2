"""The checks of 8_c_in_a_cell's exercises.

The first two call the student's C in the IOP, as a cell with %%microblaze has loaded it."""

import numbers
import random
import threading
import types

import numpy as np
from pynq.lib.pynqmicroblaze import magic

from . import Case, Wrong, allocated, raised, says, shown, whole
from .firmware import AROUND, OUTSIDE, is_intact
from .limit import names_of
from .pins import STEP, plugged, thermometer

WORD = 2**32
LONGEST = 2  # seconds that a function of a cell may take
ANSWER = random.randrange(1000, 2000)  # of a fill
REFUSALS = TypeError, ValueError
ROOM = "A word has 4 bytes, and there is room for as many as the buffer has bytes for."


@says("each word is the one before it plus step.", r"i\+\+\)\s+words\[i\] = data;\s+return length")
def tweak(ramp):
    _is_of_a_cell(ramp, "ramp")
    requests = [(10, 1000, -3), (10, 5, 0), (2, 0, 2**31 - 1), (12, WORD - 2, 1), (0, 1, 1)]
    ranges = (20, 80), (0, WORD), (-1000, 1000)
    requests.append([random.randrange(*limits) for limits in ranges])
    with allocated((100,), np.uint32) as memory:
        for request in requests:
            _ramps(ramp, memory, *request)


def _ramps(ramp, memory, length, data, step):
    tried = f"ramp(buffer, {length}, {data}, {step})"
    memory[:] = OUTSIDE
    case = Case(tried, "a number", "The function has a result, so that Python waits for it.")
    _call(case, ramp, memory[AROUND:], length, data, step)
    rule = "Word 0 is data, and each word is the one before it plus step."
    for i, word in enumerate(memory[AROUND : AROUND + length].tolist()):
        expected = (data + i * step) % WORD
        Case(tried, expected, rule).holds(word == expected, f"word {i} is {word}")
    is_intact(tried, memory, length)


@says("it is right above zero and below.", r"return \(bytes\[0\] \* 256 \+ bytes\[1\]\) / 128.0f")
def change(degrees):
    _is_of_a_cell(degrees, "degrees")
    rule = (
        "The 16 bits, the high byte first, are a number with a sign: 0xffff is -1 step of 1/128"
        " degree."
    )
    sixteenths = [344, -200, -1, 0, 1, -640, 2400]
    sixteenths += [random.randrange(-640, 2400) for _ in range(4)]
    with plugged(thermometer()) as device:
        for number in sixteenths:
            device.celsius = celsius = number / 16
            case = Case(f"{celsius} degrees", celsius, rule)
            result = _call(case, degrees)
            right = isinstance(result, numbers.Real) and abs(result - celsius) < STEP / 2
            case.holds(right, f"it says {shown(result)}")


@says("what has room is filled, and nothing else reaches the IOP.")
def write(fill_safely):
    any_other = (random.randrange(30, 60),), np.uint32, 25
    for shape, dtype, words in (
        ((20,), np.uint32, 20),
        ((3, 5), np.int32, 15),
        ((2, 3, 4), np.int32, 24),
        any_other,
    ):
        with allocated(shape, dtype) as buffer:
            for length in 1, words, 0:
                _passes(fill_safely, buffer, length)
            _refuses(fill_safely, buffer, buffer.size + 1)
            _refuses(fill_safely, buffer, -1, "No buffer has room for fewer words than none.")
    with allocated((20,), np.uint32) as buffer:
        _passes(fill_safely, buffer[5:10], 5)
        rule = "A part has room for its own words: it is somebody else's that come after it."
        _refuses(fill_safely, buffer[5:10], 6, rule)
    for dtype, words in (np.uint8, 4), (np.uint16, 8):
        with allocated((16,), dtype) as buffer:
            _refuses(fill_safely, buffer, 16)
            _refuses(fill_safely, buffer, words + 1)
    rule = "Memory that the IOP can reach comes from allocate() or cma_array(), as a PynqBuffer."
    looks_like_one = types.SimpleNamespace(physical_address=0x8000, nbytes=80, size=20)
    for other in np.zeros(20, np.uint32), [0] * 20, bytearray(80), 0x8000, looks_like_one:
        _refuses(fill_safely, other, 10, rule)


def _passes(fill_safely, buffer, length):
    wanted = "one call of fill with the same arguments, and its result"
    case = Case(_tried(buffer, length), wanted, ROOM)
    fill, calls = _recorder()
    result = case.of(fill_safely, fill, buffer, length, 1)
    case.holds(calls, "fill was not called")
    case.holds(len(calls) == 1, f"fill was called {len(calls)} times")
    given, words, data = calls[0]
    same = getattr(given, "physical_address", None) == buffer.physical_address
    same = same and (whole(words), whole(data)) == (length, 1)
    case.holds(same, "fill was called with other arguments")
    came = f"fill returned {ANSWER}, and fill_safely {shown(result)}"
    case.holds(result == ANSWER, came)


def _refuses(fill_safely, buffer, length, rule=ROOM):
    case = Case(_tried(buffer, length), "a ValueError or a TypeError, and no call of fill", rule)
    fill, calls = _recorder()
    result = case.of(fill_safely, fill, buffer, length, 1, raises=REFUSALS)
    case.holds(not calls, "fill was called")
    case.holds(result is REFUSALS, f"it returned {shown(result)}")


def _recorder():
    """A fill that notes its calls and writes nothing, and the list of these."""
    calls = []

    def fill(buffer, length, data):
        calls.append((buffer, length, data))
        return ANSWER

    return fill, calls


def _tried(buffer, length):
    kind = shown(buffer)
    if isinstance(buffer, np.ndarray):
        kind = " x ".join(map(str, buffer.shape)) + f" elements of {buffer.dtype}"
    kind += f" ({type(buffer).__name__})"
    return f"fill_safely(fill, buffer, {length}, 1), where buffer is {kind}"


def _is_of_a_cell(function, name):
    wanted = "a function that the cell of C above defined"
    case = Case(name, wanted, "The IOP is to do the work.")
    case.holds(isinstance(function, magic._FunctionWrapper), f"it is {shown(function)}")


def _call(case, function, *given):
    """What a function of a cell returns. After some seconds the IOP is stopped, which ends it."""
    late = threading.Event()

    def stop():
        late.set()
        function.reset()

    timer = threading.Timer(LONGEST, stop)
    timer.start()
    try:
        result = function(*given)
    except RuntimeError as error:  # the program is not there any more
        came = f"the function had not returned after {LONGEST} s, and the IOP was stopped"
        raise case.wrong(came) if late.is_set() else Wrong(str(error)) from None
    except Exception as error:
        raise case.wrong(raised(error, names_of([function]))) from None
    finally:
        timer.cancel()
        timer.join()
    if result is None:
        function.reset()  # it may still be writing
        raise case.wrong("the function returns nothing, so Python does not wait for it")
    return result
