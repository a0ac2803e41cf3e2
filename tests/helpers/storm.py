"""storm.py SEED SECONDS [KILLED_AFTER]: everything at once in one notebook's process, and a model
that knows what must be where.

Threads allocate, fill, read, and free buffers with one IOP; the overlay is loaded again; the stop
button is pressed. On the virtual board processes are forked and ask the same IOP, and QEMU is
killed or hangs. On a board, of which the stand-in is one, another storm may go on at the same time,
and the overlay that is loaded again may be the base overlay.

A request that returns was served as asked. One that raised an error which the documentation names
has left in each word what was there or what was asked for, and nothing beside it. At the end
nothing is lost, the next request is right, and the virtual board's processor falls asleep.

Prints what happened, and ends with 1 and the first thing that was wrong, or kills itself after
KILLED_AFTER seconds. test_storm.py runs it, on a stand-in the one of board/. Needs Python 3.6."""

import collections
import faulthandler
import fcntl
import os
import random
import signal
import sys
import threading
import time
import traceback

import numpy as np

import virtual_board

# seconds for a request; far more than one takes on a busy machine, and all that a killed QEMU costs
TIMEOUT = 3.0
WORKERS = 3  # threads beside the main one
MOST_WORDS = 20000


class Wrong(Exception):
    """What must not be."""


class Storm:
    """One board, one IOP at a time, and all who use it. `counts` says how often what happened."""

    def __init__(self, seed, seconds, killed_after):
        self.board = virtual_board.activate()  # None on a board
        import pynq
        from pynq import Overlay

        from helpers.kit import OVERLAY
        from iop.pynq_tutorial import Pynq_Tutorial
        from iop.xlnk import Xlnk

        self.xlnk = Xlnk()
        self.threads_may_call = not pynq.__version__.startswith("2.")
        self.Overlay, self.overlay, self.new_iop = Overlay, OVERLAY, Pynq_Tutorial
        self.chance = random.Random(seed)
        self.end = time.monotonic() + seconds
        self.killed = time.monotonic() + killed_after
        self.counts = collections.Counter()
        self.wrong = []
        self.exposed = False  # whether the main thread is where the stop button may hit it
        self.loading = threading.Lock()  # held while pynq's own download goes on
        self.load()

    def load(self):
        """Loads the overlay anew; threads that still have the IOP of before are told when they use
        it."""
        with self.loading, open(
            "/tmp/storm.loading" if self.board is None else os.devnull, "a"
        ) as everybodys:
            # pynq's downloads by two processes at once write the same file of /lib/firmware, and
            # mix up what its server knows.
            fcntl.flock(everybodys, fcntl.LOCK_EX)
            self.load_now()

    def load_now(self):
        base_first = self.board is None and self.chance.random() < 0.2
        for attempt in range(200):
            try:
                if base_first:
                    self.Overlay("base.bit")
                self.iop = self.new_iop(self.Overlay(self.overlay).iop1.mb_info)
                return
            except (RuntimeError, TimeoutError, OSError):
                # The other process downloads one meanwhile; while it writes the file, the FPGA
                # manager refuses that.
                if self.board is not None or attempt == 199:
                    raise
                self.counts["start refused"] += 1

    def over(self):
        return bool(self.wrong) or time.monotonic() > self.end

    def run(self):
        signal.signal(signal.SIGINT, self.stop_button)
        # An Overlay() of pynq 2 in one thread, and any other call of pynq's in another, break in on
        # each other.
        workers = WORKERS if self.board is not None or self.threads_may_call else 0
        others = [
            threading.Thread(target=self.guarded, args=(User(self, self.chance.random()).work,))
            for _ in range(workers)
        ]
        others.append(
            threading.Thread(
                target=self.guarded, args=(self.weather, random.Random(self.chance.random()))
            )
        )
        for thread in others:
            thread.start()
        main = User(self, self.chance.random(), main=True)
        self.guarded(main.work)
        for thread in others:
            thread.join(60)
            if thread.is_alive():
                self.wrong.append("a thread hangs")
        self.guarded(self.calm)

    def guarded(self, function, *given):
        try:
            function(*given)
        except BaseException:
            self.wrong.append(traceback.format_exc())

    def stop_button(self, number, frame):
        if self.exposed:
            self.exposed = False
            raise KeyboardInterrupt

    def weather(self, chance):
        """What comes from outside."""
        while not self.over():
            time.sleep(chance.uniform(0, 0.3))
            event = chance.random()
            if time.monotonic() > self.killed:
                with self.loading:  # a file that pynq has half written is pynq's own business
                    os.kill(os.getpid(), signal.SIGKILL)
            if self.board is None and not self.threads_may_call:
                continue  # nor does pynq 2's server stand the stop button in the middle of a talk
            if event < 0.8 or self.board is None:
                os.kill(os.getpid(), signal.SIGINT)
            else:
                pid = self.board.microblaze.pid
                if pid is not None:
                    self.counts["QEMU hit"] += 1
                    try:
                        os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGSTOP]))
                    except ProcessLookupError:
                        pass
                time.sleep(1)

    def calm(self):
        """After the storm."""
        self.load()
        buffer = self.xlnk.cma_array((1000,), "u4")
        while not User(self, 0).step(lambda: self.iop.write_to_buffer(buffer, 1000, 5)):
            self.load()
        if buffer.tolist() != list(range(5, 1005)):
            raise Wrong("the request after the storm was not served")
        buffer.freebuffer()
        if self.xlnk.cma_stats()["Buffer Count"]:
            raise Wrong(f"buffers are left: {self.xlnk.cma_stats()}")
        if self.board is not None:
            self.calm_of_the_virtual_board()

    def calm_of_the_virtual_board(self):
        if self.board.stray_writes():
            raise Wrong(f"words outside every buffer: {self.board.stray_writes()[:3]}")
        if self.board.cma.available() != 128 << 20:
            raise Wrong(f"{(128 << 20) - self.board.cma.available()} bytes of memory are lost")
        deadline = time.monotonic() + 60
        while not self.board.microblaze.is_asleep:
            if time.monotonic() > deadline:
                raise Wrong("the processor does not fall asleep")
            time.sleep(0.05)


class User:
    """A thread with buffers that nobody else uses, and what each must hold."""

    def __init__(self, storm, seed, main=False):
        self.storm, self.chance, self.main = storm, random.Random(seed), main
        self.mine = []  # [buffer, what it must hold]
        self.iop = storm.iop

    def work(self):
        steps = [self.take] * 2 + [self.give] + [self.ask] * 8 + [self.write] * 2 + [self.look]
        steps += [self.fork] if self.storm.board is not None else []
        steps += [self.load] if self.main else [self.statistics]
        while not self.storm.over():
            step = self.chance.choice(steps)
            self.storm.counts[step.__name__] += 1
            step()
        for buffer, expected in self.mine:
            self.compare(buffer, expected)
            buffer.freebuffer()
        del self.mine[:]

    def step(self, function, pynqs=False):
        """Calls what the stop button may hit; returns whether it came to its end. `pynqs`: it is
        pynq's own, and on a board what the button does to that is pynq's own business too."""
        try:
            try:
                if self.main and not (pynqs and self.storm.board is None):
                    self.storm.exposed = True
                function()
                return True
            finally:
                if self.main:
                    self.storm.exposed = False
        except KeyboardInterrupt:
            self.storm.counts["stopped"] += 1
        except TimeoutError:
            self.storm.counts["timeouts"] += 1
        except RuntimeError as error:
            if not any(
                words in str(error)
                for words in (
                    "An overlay was downloaded since",
                    "runs another program",
                    "QEMU",
                    "llocate",
                    "no longer",
                    "not currently loaded",
                )
            ):
                raise
            self.storm.counts["no memory" if "llocate" in str(error) else "refused"] += 1
            self.iop = self.storm.iop
        return False

    def some(self):
        if not self.mine:
            self.take()
        return self.chance.choice(self.mine) if self.mine else None

    def take(self):
        words, cacheable = self.chance.randrange(1, MOST_WORDS), self.chance.random() < 0.3
        got = []
        self.step(
            lambda: got.append(self.storm.xlnk.cma_array((words,), "u4", cacheable)), pynqs=True
        )
        if self.storm.board is None:
            for buffer in got:
                self.have_it_alone(buffer)
        for buffer in got[:1]:
            buffer[:] = 0
            buffer.flush()
            self.mine.append([buffer, np.zeros(words, "u4")])

    def have_it_alone(self, buffer):
        """Its memory may be that of a process that was killed, for which the IOP still writes
        (AT_ONCE): the next request ends that, whatever it asks for."""
        while (
            not self.step(lambda: self.iop.write_to_buffer(buffer, 1, 0, timeout=TIMEOUT))
            and not self.storm.over()
        ):
            if self.main:
                self.load()

    def give(self):
        if len(self.mine) > 1:
            buffer, expected = self.mine.pop(self.chance.randrange(len(self.mine)))
            self.compare(buffer, expected)
            while not self.step(buffer.freebuffer, pynqs=True):
                pass

    def ask(self, through=None):
        """A request for a part of a buffer, by one of the ways there are."""
        found = self.some()
        if found is None:
            return
        buffer, expected = found
        start = self.chance.randrange(len(buffer))
        length, data = (
            self.chance.randrange(1, len(buffer) - start + 1),
            self.chance.randrange(2**32),
        )
        target = (
            buffer[start:] if self.chance.random() < 0.5 else buffer.physical_address + 4 * start
        )
        new = ((np.arange(length, dtype="u8") + data) % 2**32).astype("u4")

        def request():
            self.iop.write_to_buffer(target, length, data, timeout=TIMEOUT)

        served = through(request) if through else self.step(request)
        if not served or through:
            # what was cut off may have been on its way, and another process has no cache of this
            # one's
            buffer.invalidate()
        part = np.array(buffer[start : start + length])
        if served:
            expected[start : start + length] = new
        else:
            wrong = (part != new) & (part != expected[start : start + length])
            if wrong.any():
                raise Wrong(
                    f"a word has {part[wrong][0]}, and neither"
                    f" {expected[start : start + length][wrong][0]}, which was there, nor"
                    f" {new[wrong][0]}, which was asked for"
                )
            expected[start : start + length] = part
        self.compare(buffer, expected)

    def fork(self):
        """The same by another process, as a second notebook of one board is."""

        def other(request):
            child = os.fork()
            if child == 0:
                code = 4
                try:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                    request()
                    code = 0
                except (RuntimeError, TimeoutError):
                    code = 3
                finally:
                    os._exit(code)
            deadline, ended = time.monotonic() + 60, 0
            while not ended:
                ended, status = os.waitpid(child, os.WNOHANG)
                if not ended and time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    raise Wrong("another process hangs")
                time.sleep(0.002)
            if os.WEXITSTATUS(status) not in (0, 3):
                raise Wrong(f"another process ended with {status}")
            return status == 0

        self.ask(other)

    def write(self):
        """Python's own writing, right beside what the IOP writes for others."""
        found = self.some()
        if found is not None:
            buffer, expected = found
            place, value = self.chance.randrange(len(buffer)), self.chance.randrange(2**32)
            buffer[place] = expected[place] = value
            buffer.flush()

    def look(self):
        for buffer, expected in self.mine:
            self.compare(buffer, expected)

    def compare(self, buffer, expected):
        if not np.array_equal(buffer, expected):
            place = int(np.flatnonzero(np.asarray(buffer) != expected)[0])
            raise Wrong(
                f"word {place} of {len(buffer)} at {buffer.physical_address:#x} has"
                f" {buffer[place]}, and must have {expected[place]}"
            )

    def load(self):
        self.step(self.storm.load, pynqs=True)
        self.iop = self.storm.iop

    def statistics(self):
        stats = self.storm.xlnk.cma_stats()
        if not 0 <= stats["CMA Memory Available"] <= 128 << 20 or stats["Buffer Count"] < 0:
            raise Wrong(f"the statistics are {stats}")


def main(seed, seconds, killed_after="inf"):
    faulthandler.dump_traceback_later(float(seconds) + 90, exit=True)
    storm = Storm(int(seed), float(seconds), float(killed_after))
    print(os.getpid(), flush=True)
    storm.run()
    print("; ".join(f"{count} {name}" for name, count in sorted(storm.counts.items())), flush=True)
    if storm.wrong:
        print("WRONG: " + storm.wrong[0], flush=True)
        os._exit(1)
    if storm.board is not None:
        storm.board.close()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    main(*sys.argv[1:])
