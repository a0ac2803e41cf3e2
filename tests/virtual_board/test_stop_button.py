"""The stop button at any moment: afterwards the next request is right, the idle watch lives, and
the core becomes idle."""

import os
import random
import signal
import threading

import pytest
from pynq import Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY
from helpers.processes import qemus, sleeps_within
from helpers.stop_button import at_each_line
from iop.pynq_tutorial import Pynq_Tutorial

pytestmark = pytest.mark.slow


class Notebook:
    """What a student has in a notebook."""

    def __init__(self):
        self.board = virtual_board.activate()
        self.start_over()

    def start_over(self):
        """From the first cell on, as after "the board was closed"."""
        virtual_board.activate().close()
        self.activate()
        self.load()
        self.program()
        self.buffer = allocate((1000,), "u4", cacheable=1)

    def activate(self):
        self.board = virtual_board.activate()

    def load(self):
        self.overlay = Overlay(OVERLAY)

    def program(self):
        self.iop = Pynq_Tutorial(self.overlay.iop1.mb_info)

    def request(self, data=5):
        self.iop.write_to_buffer(self.buffer, 1000, data)


def within(seconds, function):
    """Calls a function in a thread, so that what hangs is found out."""
    raised = []

    def run():
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


def all_is_well(notebook, *steps):
    """These steps, and a request with a right result."""
    for step in steps:
        getattr(notebook, step)()
    data = random.randrange(2**31)
    notebook.buffer[:] = 0
    notebook.request(data)
    assert (
        notebook.buffer[0] == data
        and notebook.buffer[999] == data + 999
        and not notebook.board.stray_writes()
    )


@pytest.fixture
def notebook(any_board):
    if any_board is None:
        pytest.skip("only the virtual board is interrupted so often")
    notebook = Notebook()
    yield notebook
    notebook.board.close()


@pytest.mark.parametrize(
    "action, remedy, least",
    [
        ("request", [], 80),
        pytest.param("program", ["program"], 100, marks=pytest.mark.long),  # the same cell again
        ("load", ["load", "program"], 40),
        pytest.param("start_over", ["start_over"], 100, marks=pytest.mark.long),
    ],
)
def test_an_interrupt_at_any_line(notebook, action, remedy, least):
    files = ["virtual_board/", os.path.join("iop", "")]
    places = set()
    for place in at_each_line(getattr(notebook, action), files):
        places.add(place)
        try:
            within(60, lambda: all_is_well(notebook, *remedy))
        except BaseException as error:
            raise AssertionError("interrupted at " + place) from error
    assert len(places) >= least
    assert len(qemus()) == 1 and [t.name for t in threading.enumerate()].count("idle watch") == 1
    assert sleeps_within(notebook.board)


# Python says so of an interrupt that is lost in a callback of its own, as of a WeakSet; press()
# presses again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupts_by_signals_at_random_moments(notebook):
    """Between two instructions of Python's own, too, and in the middle of what the processor and
    QEMU do."""
    chance = random.Random(1)

    def forever():
        while True:
            if chance.random() < 0.3:
                notebook.program()
            if chance.random() < 0.1:
                notebook.load()
                notebook.program()
            notebook.request()

    def press(stopped):
        """The stop button, and again if nothing comes of it, as of one in the middle of pynq's
        parser: that has an `except: pass` around each connection of a .hwh
        (pynqmetadata/frontends/hwh_frontend.py). One in a weak reference's callback is lost,
        too."""
        os.kill(os.getpid(), signal.SIGINT)
        while not stopped.wait(2):
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(25):
        stopped = threading.Event()
        timer = threading.Timer(chance.uniform(0.001, 0.1), press, (stopped,))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            forever()
        stopped.set()
        timer.join(60)
        within(60, lambda: all_is_well(notebook, "load", "program"))
    assert len(qemus()) == 1 and sleeps_within(notebook.board)
