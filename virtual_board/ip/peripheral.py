"""The base class of the IPs' models: registers, 32 bits each, at offsets in bytes."""


class Peripheral:
    """A peripheral whose registers begin at the address `base`. One thread at a time may call its
    methods: in an IOP the one that is told what the processor does, and on Linux's bus any thread
    that has the bus's lock.

    Args:
        words: The processor's memory as numpy uint32, by address / 4."""

    KIND = None  # its VLNV without the version, as a .hwh has it
    WRITTEN = ()  # offsets of the registers in which a write causes something,
    READ = ()  # and of those in which a read does
    # Whether an IOP's program asks for each read of a register, which is faster where READ has one
    # that it reads often, but a program that waits for another register's change never sleeps then.
    ASKS_TO_READ = False

    @classmethod
    def of(cls, ip, words, iop):
        """The model of an IP of an overlay.

        Args:
            ip: As description.Ip.
            words: As above.
            iop: What is around it: the Peripherals (../peripherals.py) that it becomes one of."""
        raise NotImplementedError

    @classmethod
    def for_linux(cls, ip, words, bus):
        """The model of an IP that Linux reaches; it begins with offset 0 of its words.

        Args:
            bus: What is around it: a LinuxBus (../linux_bus.py)."""
        raise NotImplementedError

    def __init__(self, words, base):
        self.base = base
        self._words = memoryview(words[base // 4 :])

    def __getitem__(self, offset):
        return self._words[offset // 4]

    def __setitem__(self, offset, value):
        self._words[offset // 4] = value & 0xFFFFFFFF

    def reset(self):
        """Resets it."""

    def written(self, offset, value):
        """The processor has written to a register, which holds the value now."""

    def before_read(self, offset):
        """Linux is about to read a register. (An IOP's reads are seen only afterwards.)"""

    def was_read(self, offset):
        """The processor has read a register, and got its value."""
