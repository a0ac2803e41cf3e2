"""storm.py SEED SECONDS [KILLED_AFTER]: everything at once in one notebook's process, and a model
that knows what must be where.

Threads allocate, fill, read, and free buffers with one IOP; the overlay is loaded again; the stop
button is pressed. On the virtual board processes are forked and ask the same IOP, and QEMU is
killed or hangs. On a board, of which the stand-in is one, another storm may go on at the same time,
and the base overlay may be loaded between.

A request that returns was served as asked. One that raised an error which the documentation names
has left in each word what was there or what was asked for, and nothing beside it. At the end
nothing is lost, the next request is right, and the virtual board's processor falls asleep.

Prints what happened, and ends with 1 and the first thing that was wrong, or kills itself after
KILLED_AFTER seconds. Needs Python 3.6."""

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
MEMORY = 128 << 20  # bytes for buffers
# parts of the messages of a RuntimeError that may come
EXPECTED = "An overlay was downloaded since", "runs another program", "QEMU", "no longer"
EXPECTED += "not currently loaded", "llocate"


class Storm:
    """One board, one IOP at a time, and all who use it. `counts` says how often what happened."""

    def __init__(self, seed, seconds, killed_after):
        self.board = virtual_board.activate()  # None on a board; before pynq is imported
        import pynq

        from helpers.kit import OVERLAY
        from iop.pynq_tutorial import Pynq_Tutorial
        from iop.xlnk import Xlnk

        self.xlnk = Xlnk()
        # An Overlay() of pynq 2 in one thread, and any other call of pynq's in another, break in on
        # each other; nor does its server stand the stop button in the middle of a talk.
        self.one_thread = self.board is None and pynq.__version__.startswith("2.")
        self.Overlay, self.overlay, self.new_iop = pynq.Overlay, OVERLAY, Pynq_Tutorial
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
        path = "/tmp/storm.loading" if self.board is None else os.devnull
        with self.loading, open(path, "a") as everybodys:
            # pynq's downloads by two processes at once write the same file of /lib/firmware, and
            # mix up what its server knows.
            fcntl.flock(everybodys, fcntl.LOCK_EX)
            base_first = self.board is None and self.chance.random() < 0.2
            for attempt in range(200):
                try:
                    if base_first:
                        self.Overlay("base.bit")
                    self.iop = self.new_iop(self.Overlay(self.overlay).iop1.mb_info)
                    return
                except (RuntimeError, TimeoutError, OSError):
                    # The FPGA manager refuses it while another process downloads one.
                    if self.board is not None or attempt == 199:
                        raise
                    self.counts["start refused"] += 1

    def over(self):
        return bool(self.wrong) or time.monotonic() > self.end

    def run(self):
        signal.signal(signal.SIGINT, self.stop_button)
        users = [User(self) for _ in range(0 if self.one_thread else WORKERS)]
        work = [user.work for user in users] + [self.weather]
        others = [threading.Thread(target=self.guarded, args=(each,)) for each in work]
        for thread in others:
            thread.start()
        self.guarded(User(self, main=True).work)
        for thread in others:
            thread.join()
        self.guarded(self.calm)

    def guarded(self, function):
        try:
            function()
        except BaseException:
            self.wrong.append(traceback.format_exc())

    def stop_button(self, number, frame):
        if self.exposed:
            self.exposed = False
            raise KeyboardInterrupt

    def weather(self):
        """What comes from outside."""
        chance = random.Random(self.chance.random())
        while not self.over():
            time.sleep(chance.uniform(0, 0.3))
            if time.monotonic() > self.killed:
                with self.loading:  # a file that pynq has half written is pynq's own business
                    os.kill(os.getpid(), signal.SIGKILL)
            if self.board is None or chance.random() < 0.8:
                if not self.one_thread:
                    os.kill(os.getpid(), signal.SIGINT)
                continue
            pid = self.board.microblaze.pid
            if pid is not None:
                self.counts["QEMU hit"] += 1
                try:
                    os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGSTOP]))
                except ProcessLookupError:
                    pass
            time.sleep(1)

    def ask_once(self):
        self.load()
        buffer = self.xlnk.cma_array((1000,), "u4")
        while not User(self).step(lambda: self.iop.write_to_buffer(buffer, 1000, 5)):
            self.load()
        assert buffer.tolist() == list(range(5, 1005))
        buffer.freebuffer()

    def calm(self):
        """After the storm."""
        self.ask_once()  # with pynq 2.6, a buffer is there for as long as it has a name
        assert self.xlnk.cma_stats()["Buffer Count"] == 0, self.xlnk.cma_stats()
        if self.board is not None:
            assert self.board.stray_writes() == []
            assert self.board.cma.available() == MEMORY
            while not self.board.microblaze.is_asleep:  # main() ends it if that does not come
                time.sleep(0.05)


class User:
    """A thread with buffers that nobody else uses, and what each must hold."""

    def __init__(self, storm, main=False):
        self.storm, self.main = storm, main
        self.chance = random.Random(storm.chance.random())
        self.mine = []  # (buffer, what it must hold)
        self.iop = storm.iop

    def work(self):
        steps = [self.take] * 2 + [self.give] + [self.ask] * 8 + [self.write] * 2 + [self.look]
        steps += [self.fork] if self.storm.board is not None else []
        steps += [self.load] if self.main else []
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
            if not any(words in str(error) for words in EXPECTED):
                raise
            self.storm.counts["no memory" if "llocate" in str(error) else "refused"] += 1
            self.iop = self.storm.iop
        return False

    def take(self):
        words, cacheable = self.chance.randrange(1, MOST_WORDS), self.chance.random() < 0.3
        got = []
        self.step(
            lambda: got.append(self.storm.xlnk.cma_array((words,), "u4", cacheable)), pynqs=True
        )
        for buffer in got:
            if self.storm.board is None:
                self.have_it_alone(buffer)
            buffer[:] = 0
            buffer.flush()
            self.mine.append((buffer, np.zeros(words, "u4")))

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

    def ask(self, ask_by=None):
        """A request for a part of a buffer, by one of the ways there are."""
        if not self.mine:
            return
        buffer, expected = self.chance.choice(self.mine)
        start = self.chance.randrange(len(buffer))
        length = self.chance.randrange(1, len(buffer) - start + 1)
        data = self.chance.randrange(2**32)
        by_address = self.chance.random() < 0.5
        target = buffer.physical_address + 4 * start if by_address else buffer[start:]
        new = ((np.arange(length, dtype="u8") + data) % 2**32).astype("u4")

        served = (ask_by or self.step)(
            lambda: self.iop.write_to_buffer(target, length, data, timeout=TIMEOUT)
        )
        if not served or ask_by:
            # a request that was cut off may have written something, and another process does not
            # have this one's cache
            buffer.invalidate()
        part, before = np.array(buffer[start : start + length]), expected[start : start + length]
        if not served:
            new = np.where(part == before, before, new)  # each word has its old value or its new
        before[:] = new
        self.compare(buffer, expected)

    def fork(self):
        """The same by another process, as a second notebook of one board is."""
        self.ask(self.in_a_child)

    def in_a_child(self, request):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            code = 4
            try:
                request()
                code = 0
            except (RuntimeError, TimeoutError):  # any of them: it has other reasons, too
                code = 3
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        assert status in (0, 3 << 8), "another process failed"
        return status == 0

    def write(self):
        """Python's own writing, right beside what the IOP writes for others."""
        if self.mine:
            buffer, expected = self.chance.choice(self.mine)
            place, value = self.chance.randrange(len(buffer)), self.chance.randrange(2**32)
            buffer[place] = expected[place] = value
            buffer.flush()

    def look(self):
        for buffer, expected in self.mine:
            self.compare(buffer, expected)
        if not self.main:  # which may not be interrupted in this
            stats = self.storm.xlnk.cma_stats()
            assert 0 <= stats["CMA Memory Available"] <= MEMORY and stats["Buffer Count"] >= 0

    def compare(self, buffer, expected):
        wrong = np.flatnonzero(np.asarray(buffer) != expected)
        assert not len(wrong), f"{buffer[wrong[0]]}, not {expected[wrong[0]]}, in word {wrong[0]}"

    def load(self):
        self.step(self.storm.load, pynqs=True)
        self.iop = self.storm.iop


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
