"""The checks of 9_leds_and_buttons' exercises.

The first two write to the LEDs' registers, of a board or of the virtual one. The last one has a
button and an LED of its own, so that no finger is needed."""

import asyncio
import random
import time

from pynq import MMIO, PL

from . import Case, Wrong, raised, says, shown, whole
from .limit import TooLong, names_of

GPIO_DATA = 0x0
ALL = 0xF  # LD0 to LD3
STATES = "off", "on"
COLORS = "off", "blue", "green", "cyan", "red", "magenta", "yellow", "white"
WANTED = 0b101_010  # LD5 magenta, LD4 green
LASTS = 2  # seconds that follow() gets
LATE = 2  # seconds after which an LED or an end is late: a machine may be busy
MOST_LOOKS = 20  # of follow(), which has to look six times


@says("LD4 is green and LD5 is magenta.")
def tweak(color_word):
    rule = "LD4 has bits 0 to 2 and LD5 bits 3 to 5; of three bits the lowest is blue."
    rgbleds, bits = _gpio("rgbleds_gpio"), whole(color_word)
    tried = f"color_word = {shown(color_word) if bits is None else bin(bits)}"
    case = Case(tried, "LD4 is green and LD5 is magenta", rule)
    case.holds(bits is not None, "it is not a whole number")
    case.holds(0 <= bits < 64, "the two LEDs have six bits, and this number does not fit them")
    rgbleds.write(GPIO_DATA, bits)  # where the student sees it
    case.holds(bits == WANTED, f"LD4 is {COLORS[bits & 7]} and LD5 is {COLORS[bits >> 3]}")


@says("one LED changes, and the others stay as they are all the time.")
def change(set_led):
    requests = [(0b0101, 1, True), (0b0101, 2, False), (0b1111, 3, False), (0, 0, True)]
    requests += [(0b1000, 3, True), (0b0111, 3, False)]  # it is so already
    requests += [(random.randrange(16), random.randrange(4), i % 2 == 0) for i in range(4)]
    leds = _gpio("leds_gpio")
    as_it_was = leds.read(GPIO_DATA)
    try:
        for request in requests:
            _sets(set_led, leds, *request)
    finally:
        leds.write(GPIO_DATA, as_it_was)


def _sets(set_led, leds, before, number, on):
    bit = 1 << number
    wanted = before | bit if on else before & ~bit
    tried = f"set_led(leds, {number}, {on}), where GPIO_DATA is {before:#06b}"
    rule = "A write sets all bits: that of the LED as `on` says, and each other one as it was."
    case = Case(tried, f"{wanted:#06b}", rule)
    leds.write(GPIO_DATA, before)
    watched = Watched(leds)
    case.of(set_led, watched, number, on)
    for offset, word in watched.written:
        case.holds(offset == GPIO_DATA, f"it wrote to the register at {shown(offset)}")
        bits = whole(word)
        case.holds(bits is not None, f"it wrote {shown(word)}")
        came = f"it wrote {bits:#06b} to GPIO_DATA"
        case.holds((bits ^ before) & ~bit == 0, f"{came}, which changes another LED")
    after = leds.read(GPIO_DATA) & ALL
    came = "it changed the LEDs, but not by the `leds` that it was given"
    case.holds(watched.written or after == before, came)
    case.holds(after == wanted, f"GPIO_DATA is {after:#06b} afterwards")


class Watched:
    """An MMIO as the student's function gets it.

    written: [(offset, word), ...], each as it was given"""

    def __init__(self, mmio):
        self._mmio, self.written = mmio, []

    def __getattr__(self, name):
        return getattr(self._mmio, name)

    def write(self, offset, data):
        self.written.append((offset, data))
        self._mmio.write(offset, data)


def _gpio(name):
    """An MMIO of a GPIO of the base overlay. Wrong if another overlay was downloaded."""
    found = (PL.ip_dict or {}).get(name)
    if found is None:
        raise Wrong(
            f"the overlay that is downloaded now has no {name}: run the Set-up again, which"
            " downloads the base overlay."
        )
    return MMIO(found["phys_addr"], 16)


@says("the LED follows the button, nothing else stands still meanwhile, and it ends in time.")
def write(follow):
    _in_a_loop(_follows(follow, [1, 0, 1, 0, 1], LASTS))
    for level in 1, 0:
        _in_a_loop(_follows(follow, [level], 0))


async def _follows(follow, levels, seconds):
    """Has follow() run while a finger moves the button.

    Args:
        levels: That of the button at the beginning, and those to which it is moved."""
    button, led, names = Button(levels[0]), Led(1 - levels[0]), names_of([follow])
    tried = f"follow(button, led, {seconds}), and the button is {_told(levels[0])}"
    rule = "A coroutine is defined with async def, and whoever calls it waits with await."
    case = Case(tried, "a coroutine", rule)
    made = case.of(follow, button, led, seconds)
    case.holds(asyncio.iscoroutine(made), f"it returned {shown(made)}")

    began, task = time.monotonic(), asyncio.ensure_future(made)
    try:
        for number, level in enumerate(levels):
            if number:
                tried = f"follow(button, led, {seconds}), and then the button is {_told(level)}"
                button.move(level)
            alone = await _shown(led, level, task)
            state, came = (f"the LED is {STATES[one]}" for one in (level, led.level))
            case = Case(tried, state, "It shows the button, from the start on.")
            _raises(task, case, names)
            if task.done() and number < len(levels) - 1:
                _is_over(began, seconds, tried)
                rule = "Only await lets others run: a loop without it, or time.sleep, does not."
                others = Case(tried, "others can run while it waits", rule)
                ran = alone < seconds / 2
                others.holds(ran, f"nothing else ran for {alone:.1f} s, not even the finger")
            case.holds(led.level == level, came)
        await asyncio.wait([task], timeout=max(0, began + seconds - time.monotonic()) + LATE)
        rule = "asyncio.wait_for ends a wait after some seconds."
        case = Case(tried, f"it ends after {seconds} s", rule)
        _raises(task, case, names)
        case.holds(task.done(), f"it had not ended {LATE} s after that")
        _is_over(began, seconds, tried)
        rule = "wait_for_value_async waits for the interrupt. To look again and again is polling."
        case = Case(tried, "it waits for the button's interrupt", rule)
        case.holds(button.looks <= MOST_LOOKS, f"it has looked at the button {button.looks} times")
        waits = len(levels) - 1
        case.holds(button.waits >= waits, f"it waited {button.waits} times for {waits} changes")
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=LATE)


async def _shown(led, level, task):
    """Waits until the LED has a level, or will not have it. Returns for how many seconds at most
    nothing but the task has run."""
    last, alone = time.monotonic(), 0
    end = last + LATE
    while led.level != level and last < end and not task.done():
        await asyncio.sleep(0.005)
        alone, last = max(alone, time.monotonic() - last), time.monotonic()
    return alone


def _is_over(began, seconds, tried):
    case = Case(tried, f"it ends after {seconds} s", "It follows the button for all this time.")
    # loop.time() may be a little ahead
    case.holds(time.monotonic() - began >= seconds - 0.05, "it ended before its time was over")


def _raises(task, case, names):
    if task.done() and task.exception() is not None:
        error = task.exception()
        raise error if isinstance(error, TooLong) else case.wrong(raised(error, names))


def _told(level):
    return "pressed" if level else "released"


class Button:
    """A button as the student's coroutine gets it, with what pynq's has. It exists in a loop.

    looks, waits: how many times somebody read it, and waited for it"""

    def __init__(self, level):
        self._level, self._moved = level, asyncio.Event()
        self.looks = self.waits = 0

    def move(self, level):
        self._level, moved = level, self._moved
        self._moved = asyncio.Event()
        moved.set()

    def read(self):
        self.looks += 1
        return self._level

    async def wait_for_value_async(self, value):
        self.waits += 1
        while self._level != value:
            await self._moved.wait()


class Led:
    """An LED as the student's coroutine gets it, with what pynq's has. level: 0 or 1"""

    def __init__(self, level):
        self.level = level

    def read(self):
        return self.level

    def write(self, value):
        self.level = int(bool(value))

    def on(self):
        self.write(1)

    def off(self):
        self.write(0)

    def toggle(self):
        self.write(1 - self.level)


def _in_a_loop(coroutine):
    """Runs a coroutine to its end, in this thread, in a loop of its own. A notebook's cell already
    runs in a loop, which would wait for this one; asyncio allows no second one in a thread, so it
    gets to know of the first one again afterwards."""
    outer, loop = asyncio._get_running_loop(), asyncio.new_event_loop()
    task = _current_task(outer)
    if task is not None:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
        asyncio._set_running_loop(outer)
        if task is not None:
            asyncio.tasks._enter_task(outer, task)


def _current_task(loop):
    # Python 3.6 has neither this function nor anything to leave
    current_task = getattr(asyncio, "current_task", lambda loop: None)
    return current_task(loop) if loop else None
