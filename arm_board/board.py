"""A board that is switched on: the machine, its fabric, and what it prints."""

import collections
import fcntl
import re
import threading
from pathlib import Path

from virtual_board.pmods import Tmp2
from virtual_board.pynq_versions import read_hwh

from . import BoardError, machine
from .fabric import Fabric

HWH = Path(__file__).resolve().parent.parent / "virtual_board/overlays/base/Pynq-Z1/base.hwh"
STARTS_WITHIN = 900  # seconds: it takes less than a minute on an idle PC
ENDS_WITHIN = 60
KEPT = 40  # lines of the console


class Board:
    """A PYNQ-Z1 with a thermometer in its first Pmod connector. Any thread may call.

    Args:
        files: The folder with what the machine starts from (kernel.py) and card.img.
        card: The path of another card's image, on which what is written stays.
        show: A function that takes each line that the board prints about itself.

    ports: {a port of the board's: a port of 127.0.0.1}
    state: "starting", "ready", or why it has ended: "poweroff", "ended\""""

    def __init__(self, files, card=None, show=lambda line: None):
        self.state, self._show = "starting", show
        self._changed = threading.Condition()
        self._console = collections.deque(maxlen=KEPT)
        self.fabric = Fabric(read_hwh(str(HWH)).overlay, {"pmoda": Tmp2()})
        try:
            self.machine = self._switch_on(files, card)
        except BaseException:
            self.fabric.close()
            raise
        for work in self._serve, self._listen:
            threading.Thread(target=work, daemon=True).start()

    def _switch_on(self, files, card):
        wanted = {machine.SSH: 2222, machine.JUPYTER: 9090}
        with open(files / "ports.lock", "w") as lock:
            # One at a time: a port stays free until QEMU has it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.ports = {there: machine.free_port(here) for there, here in wanted.items()}
            return machine.Machine(
                self.fabric.memory.file, files, card or files / "card.img", bool(card), self.ports
            )

    def _serve(self):
        while True:
            why = self.fabric.serve(self.machine)
            if why != "restart":
                break
            self._become("starting")
            self.fabric.power_up()
            self.machine.reset()
        self._become(why)

    def _listen(self):
        for line in self.machine.console:
            line = line.decode(errors="replace").strip()
            self._console.append(line)
            said = re.match("board: (.*)", line)
            if said:
                self._show(said.group(1))
                if said.group(1) == "ready":
                    self._become("ready")

    def _become(self, state):
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def wait_for(self, state, seconds=STARTS_WITHIN):
        """Waits until it is in this state. BoardError, with what it printed last, if it has ended,
        or after so many seconds."""
        with self._changed:
            ended = ("poweroff", "ended")
            self._changed.wait_for(lambda: self.state in (state, *ended), seconds)
            if self.state == state:
                return
        said = "\n  ".join(self._console)
        raise BoardError(
            f"The board is {self.state}, and not {state} within {seconds} seconds; QEMU said"
            f" {self.machine.end()}, and the board printed last:\n  {said}"
        )

    def wait_for_end(self):
        """Waits until somebody switches it off. BoardError if QEMU ends of itself."""
        with self._changed:
            self._changed.wait_for(lambda: self.state in ("poweroff", "ended"))
        if self.state == "ended":
            raise BoardError(f"QEMU ended, and said: {self.machine.end()}")

    def close(self):
        """Switches it off, at once. May be called twice."""
        self.machine.end()
        self.fabric.close()
