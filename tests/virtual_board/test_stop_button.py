"""The stop button at any line: afterwards the next request is right, no memory is lost, the idle
watch lives, and the core becomes idle."""

import gc
import random
import threading

import pytest
from pynq import Overlay, allocate

import virtual_board
from helpers.kit import OVERLAY
from helpers.processes import qemus, sleeps_within
from helpers.stop_button import at_each_line
from iop.pynq_tutorial import Pynq_Tutorial
from virtual_board.cma import POOL_SIZE

pytestmark = pytest.mark.slow


class Notebook:
    """The cells of a student's notebook."""

    def __init__(self):
        self.start_over()

    def start_over(self):
        virtual_board.activate().close()
        self.board = virtual_board.activate()
        self.load()
        self.program()
        self.buffer = allocate((1000,), "u4", cacheable=1)

    def load(self):
        self.overlay = Overlay(OVERLAY)

    def program(self):
        self.iop = Pynq_Tutorial(self.overlay.iop1.mb_info)

    def request(self, data=5):
        self.iop.write_to_buffer(self.buffer, 1000, data)

    def allocate(self):
        buffer = allocate((500,), "u4", cacheable=1)
        buffer[:] = 3
        buffer.flush()
        buffer.invalidate()
        buffer.freebuffer()

    def is_well_after(self, *cells):
        """Executes these, and a request that has a right result. In a thread, so that what hangs is
        found out."""
        well = []

        def run():
            for cell in cells:
                getattr(self, cell)()
            data = random.randrange(2**31)
            self.buffer[:] = 0
            self.request(data)
            gc.collect()
            assert self.buffer.tolist() == list(range(data, data + 1000))
            assert not self.board.stray_writes()
            assert self.board.cma.available() == POOL_SIZE - 4096  # self.buffer
            well.append(True)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(60)
        return bool(well)


@pytest.fixture
def notebook(board):
    notebook = Notebook()
    yield notebook
    notebook.board.close()


@pytest.mark.parametrize(
    "action, remedy, least",
    [
        ("request", [], 80),
        ("allocate", [], 40),
        ("load", ["load", "program"], 40),
        pytest.param("program", ["program"], 100, marks=pytest.mark.long),  # the same cell again
        pytest.param("start_over", ["start_over"], 100, marks=pytest.mark.long),
    ],
)
def test_an_interrupt_at_any_line(notebook, action, remedy, least):
    places = set()
    for place in at_each_line(getattr(notebook, action), ["virtual_board/", "iop/"]):
        places.add(place)
        assert notebook.is_well_after(*remedy), "interrupted at " + place
    assert len(places) >= least
    assert len(qemus()) == 1 and [t.name for t in threading.enumerate()].count("microblaze") == 1
    assert sleeps_within(notebook.board)
