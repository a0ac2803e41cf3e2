"""linux.py ROOT CMA_MB LEFTOVER: what is below pynq on a PYNQ-Z1, for programs that see the folder
ROOT as theirs (root.sh starts it).

- physical memory, the file ROOT/dev/mem, and the IOP's real MicroBlaze over it, in QEMU, with its
  peripherals and a thermometer in its Pmod connector; nobody hears its interrupt
- the CMA pool of CMA_MB megabytes, from which the drivers' libraries (board.c) get buffers, over
  the socket ROOT/run/board/driver; LEFTOVER is the byte that its memory is full of when it is
  handed out
- ROOT/proc and ROOT/sys, a FUSE file system: a write to a pin or to the FPGA manager returns when
  it has taken effect, as it does with a driver. The rest of /proc is the machine's own.

Commands come on standard input, a line of JSON each, and get a line of JSON in answer. {"power":
STATE} kills every process of the board and switches it off and on again, with STATE ("unknown" or
"operating") as the FPGA manager's state after that. The board ends with standard input. This is the
first process of its PID namespace, so everything on the board ends with it."""

import ctypes
import errno
import json
import mmap
import os
import shutil
import signal
import socket
import stat
import struct
import sys
import threading
import time

import mfusepy
import numpy as np

from virtual_board.cma import whole_pages
from virtual_board.connector import Connector
from virtual_board.iop import PmodIop
from virtual_board.memory import DDR_SIZE, SIZE
from virtual_board.microblaze import MicroBlaze
from virtual_board.pmods import Tmp2

HERE = os.path.dirname(os.path.abspath(__file__))
PHYSICAL = 1 << 32  # bytes: what a Zynq's 32-bit addresses reach
IOP_WORDS = 0x10000 // 4
SLCR = 0xF8000000  # UG585: system level control registers, of which pynq reads the clocks'
# a PYNQ-Z1's, as virtual_board/device.py explains them
CLOCKS = {0x100: 26 << 12, 0x108: 20 << 12, 0x120: 2 << 8}
# begins the configuration data (UG470), in the byte order of the FPGA manager
SYNC_WORD = b"\x66\x55\x99\xaa"
GPIO_CHIP = 906  # the number that Linux gives a Zynq's first GPIO
IOP_RESET = GPIO_CHIP + 54  # EMIO pin 0: active high
ALLOCATE, FREE, AVAILABLE = range(3)  # board.c has the same


class Memory:
    """The file of physical memory, and what of it the MicroBlaze sees: the interface of
    virtual_board's SharedMemory."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR)
        # By the function that QEMU's view is made by, too.
        library = ctypes.CDLL(os.path.join(os.environ["BOARD_LIBRARY"]))
        library.map_microblaze_view.restype = ctypes.c_void_p
        view = library.map_microblaze_view(self.file)
        self.words = np.ctypeslib.as_array(
            ctypes.cast(view, ctypes.POINTER(ctypes.c_uint32)), (SIZE // 4,)
        )

    def power_up(self):
        os.ftruncate(self.file, 0)
        os.ftruncate(self.file, PHYSICAL)
        for offset, value in CLOCKS.items():
            os.pwrite(self.file, struct.pack("<I", value), SLCR + offset)


class CmaPool:
    """Hands out physical memory to the processes that are connected. Addresses and sizes in bytes;
    any thread may call."""

    def __init__(self, memory, megabytes, leftover):
        self._memory, self._leftover = memory, leftover
        self.size = megabytes << 20
        self.base = DDR_SIZE - self.size
        self._lock = threading.Lock()
        self._taken = {}  # address: size

    def allocate(self, size):
        """The address of `size` bytes, or 0."""
        if not size:
            return 0
        align = min(1 << max(size - 1, 4095).bit_length(), 1 << 20)  # as Linux does, at most 1 MB
        with self._lock:
            address = self.base
            for taken in sorted(self._taken):
                if address + whole_pages(size) <= taken:
                    break
                address = -(-(taken + self._taken[taken]) // align) * align
            if address + whole_pages(size) > DDR_SIZE:
                return 0
            self._taken[address] = whole_pages(size)
        os.pwrite(self._memory.file, bytes([self._leftover]) * whole_pages(size), address)
        return address

    def free(self, address):
        with self._lock:
            self._taken.pop(address, None)

    def available(self):
        with self._lock:
            return self.size - sum(self._taken.values())

    def serve(self, path):
        """Answers the libraries of all processes. What a process holds is freed when its connection
        ends."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(64)
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection):
        held = set()
        with connection:
            while True:
                try:
                    request = connection.recv(8)
                except ConnectionError:
                    request = b""
                if not request:
                    break
                what, argument = struct.unpack("<II", request)
                answer = 0
                if what == ALLOCATE:
                    answer = self.allocate(argument)
                    held.add(answer)
                elif what == FREE:
                    held.discard(argument)
                    self.free(argument)
                elif what == AVAILABLE:
                    answer = self.available() // mmap.PAGESIZE
                connection.sendall(struct.pack("<I", answer))
        for address in held:
            self.free(address)


class Fabric:
    """The FPGA and the pins that go to it. Any thread may call."""

    def __init__(self, root, memory):
        self._root, self._memory = root, memory
        self._lock = threading.RLock()
        self.pins = {}  # exported ones by their number: [direction, value]
        self.microblaze = None

    def power_up(self, state):
        self.state, self.flags = state, 0
        self.pins.clear()
        if self.microblaze:
            self.microblaze.close()
        self._memory.power_up()
        connector = Connector()
        connector.plug(Tmp2())
        peripherals = PmodIop(self._memory.words, connector, raised=lambda level: None)
        self.microblaze = MicroBlaze(self._memory, peripherals)
        self.microblaze.reset(active=True)

    def configure(self, name):
        """What the FPGA manager does with a file of /lib/firmware: the IOP's memory is empty then,
        and the IOP stands still."""
        with open(os.path.join(self._root, "lib/firmware", name.strip()), "rb") as file:
            data = file.read()
        with self._lock:
            if SYNC_WORD not in data[:256]:
                self.state = "write error"
                raise OSError(errno.EINVAL, "no configuration data")
            self.microblaze.reset(active=True)
            self._memory.words[:IOP_WORDS] = 0
            self.state = "operating"

    def export(self, number):
        self.pins.setdefault(int(number), ["in", "0"])

    def unexport(self, number):
        self.pins.pop(int(number), None)

    def set_direction(self, number, direction):
        self.pins[number][0] = direction.strip()
        # which drives it low (Linux, Documentation/admin-guide/gpio/sysfs.rst)
        if direction.strip() == "out":
            self.set_value(number, "0")

    def set_value(self, number, value):
        with self._lock:
            self.pins[number][1] = value.strip()
            if number == IOP_RESET:
                self.microblaze.reset(active=value.strip() == "1")


INTERRUPTS = """           CPU0       CPU1
 45:          0          0     GIC-0  61 Level     fabric
"""
CPUINFO = (
    "processor\t: 0\nmodel name\t: ARMv7 Processor rev 0 (v7l)\n\nHardware\t: Xilinx Zynq"
    " Platform\n"
)


class Linux(mfusepy.Operations):
    """/proc and /sys, as far as pynq uses them. A file is a pair of functions: one returns its
    text, one takes what is written; None if there is no such function."""

    use_ns = True

    def __init__(self, fabric, pool):
        self._fabric, self._pool = fabric, pool
        manager, gpio = "/sys/class/fpga_manager/fpga0/", "/sys/class/gpio/"
        chip = f"{gpio}gpiochip{GPIO_CHIP}/"
        self._files = {
            "/proc/meminfo": (self._meminfo, None),
            "/proc/interrupts": (lambda: INTERRUPTS, None),
            "/proc/cpuinfo": (lambda: CPUINFO, None),
            "/proc/device-tree/chosen/pynq_board": (lambda: "Pynq-Z1\0", None),
            manager + "name": (lambda: "Xilinx Zynq FPGA Manager\n", None),
            manager + "state": (lambda: fabric.state + "\n", None),
            manager + "flags": (
                lambda: f"{fabric.flags:x}\n",
                lambda text: setattr(fabric, "flags", int(text, 16)),
            ),
            manager + "firmware": (None, fabric.configure),
            gpio + "export": (None, fabric.export),
            gpio + "unexport": (None, fabric.unexport),
            chip + "base": (lambda: f"{GPIO_CHIP}\n", None),
            chip + "label": (lambda: "zynq_gpio\n", None),
            chip + "ngpio": (lambda: "118\n", None),
            "/sys/class/uio/uio0/name": (lambda: "fabric\n", None),
        }
        self._gpio = gpio + "gpio{}/"

    def _meminfo(self):
        with open("/proc/meminfo") as file:
            return (
                file.read() + f"CmaTotal: {self._pool.size >> 10:13} kB\nCmaFree:"
                f" {self._pool.available() >> 10:14} kB\n"
            )

    def _all_files(self):
        files = dict(self._files)
        for number, pin in list(self._fabric.pins.items()):
            files[self._gpio.format(number) + "direction"] = (
                lambda pin=pin: pin[0] + "\n",
                lambda text, number=number: self._fabric.set_direction(number, text),
            )
            files[self._gpio.format(number) + "value"] = (
                lambda pin=pin: pin[1] + "\n",
                lambda text, number=number: self._fabric.set_value(number, text),
            )
        return files

    def _names(self, path):
        """The names in a folder; an empty set if there is no such folder."""
        inside = path.rstrip("/") + "/"
        names = {
            file[len(inside) :].partition("/")[0]
            for file in self._all_files()
            if file.startswith(inside)
        }
        return names | set(os.listdir("/proc")) if path == "/proc" else names

    def _is_real(self, path):
        """Whether it is one of the machine's own in /proc."""
        return (
            os.path.dirname(path) == "/proc"
            and not self._names(path)
            and path not in self._files
            and os.path.lexists(path)
        )

    def getattr(self, path, fh=None):
        found = self._all_files().get(path)
        if found:
            mode = stat.S_IFREG | (0o444 if found[0] else 0) | (0o200 if found[1] else 0)
        elif self._is_real(path):
            mode = stat.S_IFLNK | 0o777
        elif self._names(path):
            mode = stat.S_IFDIR | 0o755
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
        read = self._all_files()[path][0]
        return read().encode()[offset : offset + size]

    def write(self, path, data, offset, fh):
        try:
            self._all_files()[path][1](data.decode())
        except OSError as error:
            raise mfusepy.FuseOSError(error.errno) from error
        except (KeyError, ValueError) as error:
            raise mfusepy.FuseOSError(errno.EINVAL) from error
        return len(data)


def end_all_processes():
    """Kills every process of the board, which is all of this PID namespace, and waits for their
    end."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:  # there is no other
        pass
    while [name for name in os.listdir("/proc") if name.isdigit()] != ["1"]:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(0.001)


def main(root, megabytes, leftover):
    memory = Memory(os.path.join(root, "dev/mem"))
    # For each QEMU that is started, also in place of one that took too long on a busy machine.
    # Nothing else is started here.
    os.environ.update(LD_PRELOAD=os.environ["BOARD_LIBRARY"], BOARD_QEMU="1")
    fabric = Fabric(root, memory)
    pool = CmaPool(memory, int(megabytes), int(leftover))
    fabric.power_up("unknown")
    threading.Thread(
        target=pool.serve, args=(os.path.join(root, "run/board/driver"),), daemon=True
    ).start()
    mounted = os.path.join(root, ".linux")
    threading.Thread(
        target=mfusepy.FUSE,
        args=(Linux(fabric, pool), mounted),
        daemon=True,
        kwargs=dict(
            foreground=True, allow_other=True, direct_io=True, attr_timeout=0, entry_timeout=0
        ),
    ).start()
    while not os.path.exists(os.path.join(mounted, "proc/meminfo")):
        time.sleep(0.005)
    for name in "proc", "sys":
        if ctypes.CDLL(None, use_errno=True).mount(
            os.path.join(mounted, name).encode(),
            os.path.join(root, name).encode(),
            None,
            4096,
            None,
        ):  # MS_BIND
            raise OSError(ctypes.get_errno(), "mount " + name)
    print(
        json.dumps(
            {"ready": int(os.readlink(os.path.join(os.path.dirname(root), ".outer-proc/self")))}
        ),
        flush=True,
    )
    for line in sys.stdin:
        fabric.microblaze.close()
        end_all_processes()
        for folder in "tmp", "run/lock":
            for entry in os.scandir(os.path.join(root, folder)):
                (
                    shutil.rmtree(entry.path)
                    if entry.is_dir(follow_symlinks=False)
                    else os.remove(entry.path)
                )
        fabric.power_up(json.loads(line)["power"])
        print(json.dumps({}), flush=True)
    fabric.microblaze.close()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
