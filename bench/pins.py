"""What the virtual board's peripherals take: an access that is served, pynq's own drivers, and how
much the watchpoints slow down a program that uses no peripheral. `python -m bench.pins with` and
`without` measure the last, each in a process of its own."""

import os
import sys
import tempfile
import time
import timeit

import numpy as np

import virtual_board

from .measure import ON_BOARD, OVERLAY, Skipped, in_turn, row, run

BUDGET = 2e-4  # seconds that a served access may take
# seconds of a byte and its acknowledgement on an I2C bus of 100 kHz, the slowest standard one
BYTE = 9 / 1e5
WORDS = 10**6
FLAG = 0xF010  # a word of the IOP's memory
ACCESSES = 1000
LOOP = (
    0xB0004000,
    0x30C00000,  # start: imm 0x4000; addik r6, r0, 0     AXI GPIO
    0xB0000000,
    0xE900F010,  # wait:  imm 0; lwi r8, r0, FLAG
    0xBC08FFF8,  #        beqi  r8, wait
    0x30A003E8,  #        addik r5, r0, ACCESSES
    0xF8A60000,  # loop:  swi   r5, r6, 0                 GPIO_DATA
    0x30A5FFFF,  #        addik r5, r5, -1
    0xBC25FFF8,  #        bnei  r5, loop
    0xB0000000,
    0xF800F010,  #        imm 0; swi r0, r0, FLAG
    0xB800FFDC,
)  #        bri   wait


def new_iop():
    from pynq import Overlay

    return Overlay(OVERLAY).iop1.mb_info


def loop(folder):
    """A function that has the IOP write to GPIO_DATA ACCESSES times, and waits for its end as
    pynq's drivers do."""
    from pynq.lib import PynqMicroblaze

    path = os.path.join(folder, "loop.bin")
    np.array(LOOP, "u4").tofile(path)
    iop = PynqMicroblaze(new_iop(), path)

    def accesses():
        iop.write(FLAG, 1)
        deadline = time.monotonic() + 60
        while iop.read(FLAG):
            if time.monotonic() > deadline:
                raise TimeoutError("the IOP did not end its loop")

    return accesses


def seconds(function, calls=1):
    """A function that returns the seconds a call takes."""

    def sample():
        function()  # not counted: a program that slept wakes
        return timeit.timeit(function, number=calls) / calls

    return sample


def rows(quick):
    """Yields (name, function that returns the row) of each."""
    if ON_BOARD:
        yield "peripherals", skipped
        return
    runs = 2 if quick else 21
    board = virtual_board.activate()
    try:
        from virtual_board.pmods import Led8, Oled, Tmp2

        with tempfile.TemporaryDirectory() as folder:
            board.plug(Led8())

            def access():
                accesses = seconds(loop(folder))
                return row(
                    "s",
                    dict(
                        in_turn({"GPIO loop, an access": lambda: accesses() / ACCESSES}, runs),
                        **{"the budget": BUDGET},
                    ),
                )

            yield "an access that is served", access

            def thermometer():
                from pynq.lib.pmod import Pmod_TMP2

                board.plug(Tmp2())
                driver = Pmod_TMP2(new_iop())
                return row(
                    "s",
                    dict(
                        in_turn({"Pmod_TMP2.read()": seconds(driver.read, 5)}, runs),
                        **{"its 6 bytes on a bus of 100 kHz": 6 * BYTE},
                    ),
                )

            yield "reading a thermometer", thermometer

            def panel():
                from pynq.lib.pmod import Pmod_OLED

                board.plug(Oled())
                driver = Pmod_OLED(new_iop())
                return row(
                    "s",
                    in_turn(
                        {
                            'Pmod_OLED.write("Hello")': seconds(lambda: driver.write("Hello")),
                            "Pmod_OLED.clear()": seconds(driver.clear),
                        },
                        min(runs, 5),
                    ),
                )

            yield "writing on a panel", panel
    finally:
        board.close()

    def request(words):
        def sample(watchpoints):
            return float(run("-m", "bench.pins", watchpoints, str(words)))

        return row(
            "s",
            in_turn(
                {
                    "write_to_buffer": lambda: sample("with"),
                    "without watchpoints": lambda: sample("without"),
                },
                1 if quick else 7,
            ),
        )

    for words in 10, WORDS:
        yield f"beside the pins, {words:,} words", lambda words=words: request(words)


def skipped():
    raise Skipped("a board has real ones")


def main(watchpoints, words):
    """Prints the median time of a request, on a board with or without watchpoints."""
    board = virtual_board.activate()
    if watchpoints == "without":
        type(board.iop1).watchpoints = ()
    from pynq import allocate

    from iop.pynq_tutorial import Pynq_Tutorial

    iop, buffer = Pynq_Tutorial(new_iop()), allocate((int(words),), np.uint32)
    sample = seconds(
        lambda: iop.write_to_buffer(buffer, len(buffer), 1), max(1, 20000 // len(buffer))
    )
    print(np.median([sample() for _ in range(21)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
