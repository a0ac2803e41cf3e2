"""linux.py ROOT: what is below pynq on a PYNQ-Z1, for programs that see the folder ROOT as theirs
(root.sh starts it).

- physical memory, the file ROOT/dev/mem, and over it the real MicroBlazes of the base overlay's
  IOPs, in QEMU, with a thermometer in the first Pmod connector; nobody hears their interrupts
- the CMA pool, from which the drivers' libraries (board.c) get buffers over a socket
- ROOT/proc and ROOT/sys, a FUSE file system: a write to a pin or to the FPGA manager returns when
  it has taken effect, as it does with a driver. The rest of /proc is the machine's own.

A line "unknown" or "operating" on standard input switches the board off, which kills its processes,
and on again, with that as the FPGA manager's state; a line in answer says that it is done. The
board ends with standard input. This is the first process of its PID namespace, so everything on the
board ends with it."""

import contextlib
import errno
import mmap
import os
import signal
import socketserver
import stat
import struct
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from functools import partial
from types import SimpleNamespace

import mfusepy
import numpy as np

from helpers.waiting import soon
from virtual_board import description
from virtual_board.connector import wiring_of
from virtual_board.memory import DDR_SIZE, PAGE
from virtual_board.microblaze.mmu import FILE_SIZE, IopMemory
from virtual_board.microblaze.owner import MicroBlaze
from virtual_board.microblaze.qemu import cpu_seconds
from virtual_board.peripherals import Peripherals
from virtual_board.pmods import Tmp2

PHYSICAL = 1 << 32  # bytes: what a Zynq's 32-bit addresses reach
# by the name in base.hwh; iop1 of the tutorial's overlay is the first of them
IOPS = {"iop_pmoda": 0x40000000, "iop_pmodb": 0x42000000, "iop_arduino": 0x44000000}
SLCR = 0xF8000000  # UG585: system level control registers, of which pynq reads the clocks'
# a PYNQ-Z1's, as virtual_board/device.py explains them; not from there, which this tests against
CLOCKS = {0x100: 26 << 12, 0x108: 20 << 12, 0x120: 2 << 8}
# begins the configuration data (UG470), in the byte order of the FPGA manager
SYNC_WORD = b"\x66\x55\x99\xaa"
GPIO_CHIP = 906  # the number that Linux gives a Zynq's first GPIO
IOP_RESET = GPIO_CHIP + 54  # EMIO pin 0, the first IOP's: active high; the others' follow
# of the PC's processor, which is over ten times what QEMU takes to begin a program. On a board it
# has begun when the write to the pin returns, and the kit does not ask whether it begins once more.
BEGINS = 0.005  # seconds
POOL_SIZE = 128 << 20
LEFTOVER = b"\xa5"  # what memory is full of when it is handed out: Linux does not clear it
ALLOCATE, FREE, AVAILABLE = range(3)  # board.c has the same


class Memory:
    """The file of physical memory."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR)
        self.words = np.frombuffer(mmap.mmap(self.file, FILE_SIZE), np.uint32)

    def power_up(self):
        os.ftruncate(self.file, 0)
        os.ftruncate(self.file, PHYSICAL)
        for offset, value in CLOCKS.items():
            os.pwrite(self.file, struct.pack("<I", value), SLCR + offset)


class CmaPool:
    """Physical memory for all processes. Sizes are in bytes; any thread may call."""

    def __init__(self, memory):
        self._memory, self._lock, self._taken = memory, threading.Lock(), {}  # address: size

    def allocate(self, size):
        """The address of `size` bytes, or 0. By first fit; Linux aligns to 1 MB at most."""
        size = -(-size // PAGE) * PAGE
        align = min(1 << (size - 1).bit_length(), 1 << 20)
        with self._lock:
            address = DDR_SIZE - POOL_SIZE
            for taken in sorted(self._taken):
                if address + size <= taken:
                    break
                address = -(-(taken + self._taken[taken]) // align) * align
            if not size or address + size > DDR_SIZE:
                return 0
            self._taken[address] = size
        os.pwrite(self._memory.file, LEFTOVER * size, address)
        return address

    def free(self, address):
        with self._lock:
            self._taken.pop(address, None)

    def available(self):
        with self._lock:
            return POOL_SIZE - sum(self._taken.values())


class Driver(socketserver.StreamRequestHandler):
    """Answers one process's library, and frees what it holds when its connection ends."""

    def handle(self):
        held = set()
        try:
            for request in iter(lambda: self.rfile.read(8), b""):
                self.wfile.write(
                    struct.pack("<I", self.answer(held, *struct.unpack("<II", request)))
                )
        except ConnectionError:
            pass
        for address in held:
            self.server.pool.free(address)

    def answer(self, held, what, argument):
        pool = self.server.pool
        if what == AVAILABLE:
            return pool.available() // mmap.PAGESIZE
        if what == FREE:
            held.discard(argument)
            pool.free(argument)
            return 0
        address = pool.allocate(argument)
        held.add(address)
        return address


class Drivers(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def described():
    """The IOPs as the image's base.hwh has them. pynq, whose parser adds what Linux reaches, is
    what the stand-in is for, so it has no part in this."""
    memories = {}
    for name, address in IOPS.items():
        memory = dict(type="", phys_addr=address, addr_range=0x10000, interrupts={}, parameters={})
        memories[name + "/mb_bram_ctrl"] = memory
    said = dict(mem_dict=memories, ip_dict={}, gpio_dict={}, interrupt_pins={})
    hwh = os.environ["BASE"] + "/base.hwh"
    return description.read(ElementTree.parse(hwh).getroot(), SimpleNamespace(**said)).iops


class Fabric:
    """The FPGA and the pins that go to it. Any thread may call."""

    def __init__(self, root, memory):
        self._root, self._memory, self._lock = root, memory, threading.RLock()
        self.pins = {}  # exported ones by their number: [direction, value]

    def power_up(self, state):
        self.state, self.flags = state, "0"
        self.pins.clear()
        self._memory.power_up()
        self.microblazes = []
        for number, iop in enumerate(described()):
            memory = IopMemory(self._memory.file, self._memory.words, number, iop.memory.base)
            wiring = wiring_of(iop.connector)
            if not number:
                wiring.plug(Tmp2())
            peripherals = Peripherals(iop, memory.words, wiring, lambda level: None)
            self.microblazes.append(MicroBlaze(memory, peripherals))
        self._hold()

    def close(self):
        for microblaze in self.microblazes:
            microblaze.close()

    def _hold(self):
        for microblaze in self.microblazes:
            microblaze.reset(active=True)

    def configure(self, name):
        """What the FPGA manager does with a file of /lib/firmware: each IOP's memory is empty then,
        and the IOP stands still."""
        with open(os.path.join(self._root, "lib/firmware", name), "rb") as file:
            data = file.read()
        with self._lock:
            if SYNC_WORD not in data[:256]:
                self.state = "write error"
                raise OSError(errno.EINVAL, "no configuration data")
            self._hold()
            for address in IOPS.values():
                self._memory.words[address // 4 :][: 0x10000 // 4] = 0
            self.state = "operating"

    def set_flags(self, text):
        self.flags = text

    def export(self, number):
        self.pins.setdefault(int(number), ["in", "0"])

    def unexport(self, number):
        self.pins.pop(int(number), None)

    def set_direction(self, number, direction):
        self.pins[number][0] = direction
        # which drives it low (Linux, Documentation/admin-guide/gpio/sysfs.rst)
        if direction == "out":
            self.set_value(number, "0")

    def set_value(self, number, value):
        with self._lock:
            self.pins[number][1] = value
            if 0 <= number - IOP_RESET < len(self.microblazes):
                microblaze = self.microblazes[number - IOP_RESET]
                microblaze.reset(active=value == "1")
                if value == "0":
                    before = cpu_seconds(microblaze.pid)
                    soon(lambda: cpu_seconds(microblaze.pid) - before > BEGINS, 1, pause=0.001)


MANAGER, GPIO = "/sys/class/fpga_manager/fpga0/", "/sys/class/gpio/"
CONSTANT = {
    "/proc/interrupts": "    CPU0  CPU1\n 45:  0  0  GIC-0  61 Level  fabric",
    "/proc/device-tree/chosen/pynq_board": "Pynq-Z1\0",
    MANAGER + "name": "Xilinx Zynq FPGA Manager",
    f"{GPIO}gpiochip{GPIO_CHIP}/base": str(GPIO_CHIP),
    f"{GPIO}gpiochip{GPIO_CHIP}/label": "zynq_gpio",
    f"{GPIO}gpiochip{GPIO_CHIP}/ngpio": "118",
    "/sys/class/uio/uio0/name": "fabric",
}


class Linux(mfusepy.Operations):
    """/proc and /sys, as far as pynq uses them."""

    use_ns = True

    def __init__(self, fabric, pool):
        self._fabric, self._pool = fabric, pool

    def _meminfo(self):
        with open("/proc/meminfo") as file:
            total, free = POOL_SIZE >> 10, self._pool.available() >> 10
            return f"{file.read()}CmaTotal: {total:13} kB\nCmaFree: {free:14} kB"

    def _files(self):
        """{path: (its text or a function that returns it, a function that takes what is
        written)}"""
        fabric = self._fabric
        files = {path: (text, None) for path, text in CONSTANT.items()}
        files["/proc/meminfo"] = self._meminfo, None
        files[MANAGER + "state"] = fabric.state, None
        files[MANAGER + "flags"] = fabric.flags, fabric.set_flags
        files[MANAGER + "firmware"] = "", fabric.configure
        files[GPIO + "export"] = "", fabric.export
        files[GPIO + "unexport"] = "", fabric.unexport
        for number, (direction, value) in list(fabric.pins.items()):
            pin = f"{GPIO}gpio{number}/"
            files[pin + "direction"] = direction, partial(fabric.set_direction, number)
            files[pin + "value"] = value, partial(fabric.set_value, number)
        return files

    def _names(self, folder):
        """The names in a folder; an empty set if there is no such folder."""
        inside = folder.rstrip("/") + "/"
        found = [path[len(inside) :] for path in self._files() if path.startswith(inside)]
        machines = os.listdir("/proc") if folder == "/proc" else []
        return {path.partition("/")[0] for path in found}.union(machines)

    def getattr(self, path, fh=None):
        if path in self._files():
            mode = stat.S_IFREG | 0o644
        elif self._names(path):
            mode = stat.S_IFDIR | 0o755
        elif os.path.dirname(path) == "/proc" and os.path.lexists(path):  # the machine's own
            mode = stat.S_IFLNK | 0o777
        else:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return {"st_mode": mode, "st_nlink": 1, "st_size": 4096, "st_uid": 0, "st_gid": 0}

    def readlink(self, path):
        return "/.proc/" + os.path.basename(path)

    def readdir(self, path, fh):
        return [".", ".."] + sorted(self._names(path))

    def open(self, path, flags):
        return 0

    def truncate(self, path, length, fh=None):
        return 0

    def read(self, path, size, offset, fh):
        text = self._files()[path][0]
        text = text() if callable(text) else text
        return (text + "\n").encode()[offset : offset + size]

    def write(self, path, data, offset, fh):
        try:
            self._files()[path][1](data.decode().strip())
        except OSError as error:
            raise mfusepy.FuseOSError(error.errno) from error
        except (KeyError, TypeError, ValueError) as error:
            raise mfusepy.FuseOSError(errno.EINVAL) from error
        return len(data)


def serve(root, fabric, pool):
    """Starts the driver and the file system."""
    drivers = Drivers(root + "/run/board/driver", Driver)
    drivers.pool = pool
    os.chmod(root + "/run/board/driver", 0o666)
    threading.Thread(target=drivers.serve_forever, daemon=True).start()
    threading.Thread(
        target=partial(mfusepy.FUSE, Linux(fabric, pool), root + "/.linux", foreground=True),
        kwargs={"allow_other": True, "direct_io": True, "attr_timeout": 0, "entry_timeout": 0},
        daemon=True,
    ).start()
    soon(lambda: os.path.exists(root + "/.linux/proc/meminfo"), pause=0.005)
    for name in "proc", "sys":
        subprocess.check_call(["mount", "--bind", f"{root}/.linux/{name}", f"{root}/{name}"])


def end_all_processes():
    """Kills every process of the board, which is all of this PID namespace, and waits for their
    end."""
    with contextlib.suppress(ProcessLookupError):  # there is no other
        os.kill(-1, signal.SIGKILL)
    while [name for name in os.listdir("/proc") if name.isdigit()] != ["1"]:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.001)


def main(root):
    memory = Memory(root + "/dev/mem")
    fabric, pool = Fabric(root, memory), CmaPool(memory)
    fabric.power_up("unknown")
    serve(root, fabric, pool)
    print(os.readlink(os.path.dirname(root) + "/outside/self"), flush=True)
    for line in sys.stdin:
        fabric.close()
        end_all_processes()
        for folder in "tmp", "run/lock":
            subprocess.check_call(["find", f"{root}/{folder}", "-mindepth", "1", "-delete"])
        fabric.power_up(line.strip())
        print("on", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
