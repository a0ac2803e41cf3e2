"""A client of GDB's remote protocol, as far as QEMU's stub needs one: stop, go on, step, read
registers, reset.

Python's packages for GDB drive a GDB program, which would be one more to install. Since QEMU 8.1
the stub reports only stops of a processor that this connection started, so everything that stops or
starts it goes through here."""

import struct

STOP = b"\x03"
SYSTEM_RESET = b"qRcmd," + b"system_reset".hex().encode()
PC = 32  # in the tuple of registers


class Stub:
    """QEMU's GDB stub at the other end of a socket, with a timeout. For one thread at a time.

    While the processor runs, QEMU takes any byte for a stop, so only the stop is sent then. Each
    go() and each step() is answered by one report when the processor stands again, whatever stopped
    it. While it stands, each command is answered by one reply. So it is always known whether a
    packet is a report or a reply.

    Every call raises OSError if the connection broke or a wait took too long. The next reply would
    then be taken for another command's, so the caller has to end QEMU."""

    def __init__(self, connection):
        self.running = False
        # of the registers' values, as struct writes it; QEMU 11 has ">", whatever the processor has
        self.byte_order = "<"
        self._connection = connection
        self._received = b""
        # of the last packet, sent with the next command: one call instead of two
        self._acknowledgement = b""

    def command(self, text):
        """Sends a command (bytes) to the stub of a standing processor, and returns the reply."""
        if self.running:
            raise RuntimeError("The processor runs: stop() it first.")
        self._send(text)
        return self._packet()

    def registers(self):
        """The registers of the standing processor as a tuple of words: r0 to r31, pc, and then the
        special registers, whose number differs between versions of QEMU."""
        state = bytes.fromhex(self.command(b"g").decode())
        return struct.unpack(f"{self.byte_order}{len(state) // 4}I", state)

    def step(self):
        """Executes one instruction, and returns the report."""
        return self.command(b"s")

    def watch(self, read, address, length):
        """Makes the standing processor stop after each access to one of `length` bytes from
        `address`: a read, or else a write. The report then says `rwatch` or `watch`, and this
        address, whichever of the bytes was accessed."""
        reply = self.command(b"Z%d,%x,%x" % (3 if read else 2, address, length))
        if reply != b"OK":
            raise OSError(f"QEMU answered a watchpoint with {reply!r}")

    def reset(self):
        """Resets the whole machine. The processor has to stand, and then stands at its reset
        address."""
        reply = self.command(SYSTEM_RESET)
        while reply[:1] == b"O" and reply != b"OK":  # the output of QEMU's monitor comes first
            reply = self._packet()
        if reply != b"OK":
            raise OSError(f"QEMU answered a reset with {reply!r}")

    def go(self):
        """Lets the processor run. Does nothing if it does already."""
        if not self.running:
            self._send(b"c")
            self.running = True

    def stop(self):
        """Stops the processor, and returns the report, which is a watchpoint's if the last
        instruction accessed a watched word. None if the processor was standing."""
        if not self.running:
            return None
        self._transmit(STOP)  # the stub drops it if it has just sent the report of another stop
        report = self._packet()
        self.running = False
        if b"watch:" in report:
            return report
        # If it is told to stop just after an access, QEMU does not report the access, and takes the
        # next one for it. It does report the access when a breakpoint stops the processor at the
        # instruction where it stands.
        pc = self.registers()[PC]
        self.command(b"Z0,%x,4" % pc)
        report = self.command(b"c")
        self.command(b"z0,%x,4" % pc)
        return report

    def report(self):
        """Reads once from the connection of a running processor, and waits if nothing has come.
        Returns the report if the processor stopped on its own, or None for an acknowledgement."""
        self._receive()
        report = self._take()
        if report is not None:
            self.running = False
        return report

    def _send(self, text):
        self._transmit(b"$" + text + b"#%02x" % (sum(text) % 256))

    def _transmit(self, data):
        acknowledgement, self._acknowledgement = self._acknowledgement, b""
        self._connection.sendall(acknowledgement + data)

    def _packet(self):
        packet = self._take()
        while packet is None:
            self._receive()
            packet = self._take()
        return packet

    def _receive(self):
        more = self._connection.recv(4096)
        if not more:
            raise ConnectionError("QEMU closed the connection")
        self._received += more

    def _take(self):
        """The content of the next packet that has come, or None. Acknowledgements between packets
        are skipped."""
        start = self._received.find(b"$")
        end = self._received.find(b"#", start + 1)
        if not 0 <= start < end <= len(self._received) - 3:
            return None
        packet = self._received[start + 1 : end]
        self._received = self._received[end + 3 :]
        # sent before anything else: until then the stub drops its input
        self._acknowledgement = b"+"
        return packet
