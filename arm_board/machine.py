"""The ARM machine as a process of QEMU: its command line, its lines to the outside, and how it ends
with the process that started it.

It is QEMU's sabrelite, an i.MX6 with two Cortex-A9 as a Zynq has, which Debian's kernel supports.
Its RAM begins at RAM_START. Linux gets parts of it (LINUX), so that what a Zynq has at the other
addresses, such as the memories of IOPs, is memory of the same file, in which an offset is the
physical address."""

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from virtual_board.microblaze import qemu

from . import BoardError

NAME = "qemu-system-arm"
OLDEST = 7, 2
HAS_OFFSET = 8, 1  # memory-backend-file,offset=
RAM_START, RAM_SIZE = 0x10000000, 0xF0000000
# CMA has a range, because IOPs reach DDR up to 0x1fffffff. With iomem=relaxed, /dev/mem leads to
# all that is not Linux's own memory.
LINUX = (
    "mem=256M@0x10000000 mem=640M@0x48000000 cma=64M@0x10000000-0x20000000 iomem=relaxed"
    " console=ttymxc1,115200 panic=1 quiet"
)
SSH, JUPYTER = 22, 9090  # the board's ports
GIC, FIRST_OF_FABRIC = "/machine/soc/a9mpcore/gic", 29  # Linux's IRQ 61 (module/interrupt.c)


def find():
    """The path of QEMU. BoardError if it is missing or too old."""
    path = shutil.which(NAME)
    if path is None:
        raise BoardError(
            f"The board needs {NAME}, and it is not here: type `sh setup.sh arm`, or on Debian and"
            " Ubuntu `sudo apt-get install qemu-system-arm`."
        )
    has = qemu.version(path)
    if has[:2] < OLDEST:
        has, needs = (".".join(map(str, numbers)) for numbers in (has, OLDEST))
        raise BoardError(f"{path} is QEMU {has}, and the board needs {needs} or newer.")
    return path


def free_port(wanted):
    """A TCP port of 127.0.0.1: the wanted one, or any if that is in use."""
    for port in wanted, 0:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]


def command(program, files, disk, keep, ports, backend, lines):
    """The command line, as a list.

    Args:
        files: The folder with vmlinuz, board.dtb and initrd.
        disk: The path of the card's image.
        keep: Whether what is written stays in it.
        ports: {a port of the board's: a port of 127.0.0.1}
        backend: The memory's object.
        lines: {"console", "fabric", "qtest", "monitor": the number of an open socket}"""
    forwards = [f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for there, here in ports.items()]
    said = [("-chardev", f"socket,id={name},fd={number}") for name, number in lines.items()]
    snapshot = "off" if keep else "on"
    # it has no clock that goes on without power, and asks no other computer for the time
    now = f"board.time={int(time.time())}"
    return [
        *(program, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg"),
        *("-M", "sabrelite,memory-backend=ram", "-m", f"{RAM_SIZE >> 20}M", "-smp", "2"),
        *("-object", backend),
        *(word for pair in said for word in pair),
        # the machine's UARTs in turn: Linux's console is the second
        *("-serial", "null", "-serial", "chardev:console", "-serial", "chardev:fabric"),
        *("-object", "qtest,id=test,chardev=qtest", "-mon", "chardev=monitor,mode=control"),
        *("-nic", ",".join(["user,model=imx.enet", *forwards])),
        *("-drive", f"if=none,id=card,format=raw,snapshot={snapshot},file={escaped(disk)}"),
        *("-device", "sd-card,drive=card"),
        *("-kernel", f"{files}/vmlinuz", "-dtb", f"{files}/board.dtb"),
        *("-initrd", f"{files}/initrd", "-append", f"{LINUX} {now}"),
    ]


def escaped(path):
    """A path as part of one of QEMU's options, which commas separate."""
    return str(path).replace(",", ",,")


class Machine:
    """A running machine. Linux ends it when the thread that made it ends. Any thread may call.

    Args:
        memory: The descriptor of a file of 4 GB.
        files, disk, keep, ports: As for command().

    fabric: the socket to fabric.ko
    console: a binary file of what the board prints"""

    def __init__(self, memory, files, disk, keep=False, ports=None):
        program = find()
        backend = f"memory-backend-file,id=ram,size={RAM_SIZE},share=on,mem-path=/dev/fd/{memory}"
        environment = qemu.environment(program)
        if qemu.version(program)[:2] >= HAS_OFFSET:
            backend += f",offset={RAM_START}"
        else:
            environment["LD_PRELOAD"] = f"{files}/offset.so"
        pairs = {name: socket.socketpair() for name in ("console", "fabric", "qtest", "monitor")}
        far = {name: pair[1].fileno() for name, pair in pairs.items()}
        self._said = tempfile.TemporaryFile("w+")
        words = command(program, files, disk, keep, ports or {}, backend, far)
        descriptors = [memory, *far.values()]
        try:
            self._process = qemu.start(words, environment, descriptors, self._said)
        except (OSError, subprocess.SubprocessError) as error:
            raise BoardError(f"{program} cannot be started: {error}.") from None
        finally:
            for _, theirs in pairs.values():
                theirs.close()
        self.pid = self._process.pid
        self.fabric, self.console = pairs["fabric"][0], pairs["console"][0].makefile("rb")
        self._monitor = pairs["monitor"][0].makefile("rwb")
        self._qtest = pairs["qtest"][0].makefile("rwb")
        self._one_at_a_time = threading.Lock()
        self._sockets = [pair[0] for pair in pairs.values()]
        try:
            self._monitor.readline()  # its greeting
            self._ask_monitor("qmp_capabilities")
        except (OSError, ValueError) as error:
            raise BoardError(
                f"{program} ended when it was started, and said: {self.end()}"
            ) from error

    def interrupt(self, level):
        """Sets the fabric's interrupt line in the ARM's interrupt controller."""
        line = f"set_irq_in {GIC} unnamed-gpio-in {FIRST_OF_FABRIC} {int(level)}\n"
        with self._one_at_a_time:
            self._qtest.write(line.encode())
            self._qtest.flush()
            answer = self._qtest.readline()
        if answer and answer.strip() != b"OK":
            raise BoardError(f"QEMU has not taken an interrupt, and said: {answer.decode()}")

    def reset(self):
        """Restarts the machine: its kernel begins anew."""
        self._ask_monitor("system_reset")

    def _ask_monitor(self, what):
        self._monitor.write(json.dumps({"execute": what}).encode() + b"\n")
        self._monitor.flush()
        while "event" in json.loads(self._monitor.readline()):  # these come in between
            pass

    def is_running(self):
        return self._process.poll() is None

    def end(self):
        """Switches it off, at once, and returns what QEMU said. May be called twice."""
        self._process.kill()
        self._process.wait()
        for line in self._sockets:
            line.close()
        if self._said.closed:
            return ""
        self._said.seek(0)
        with self._said:
            return " ".join(self._said.read().split()) or "nothing"
