"""The base class of all peripherals: registers, 32 bits each, at offsets in bytes."""

REGISTERS = 0x80  # more than any of them has


class Peripheral:
    """A peripheral whose registers begin at the address `base`. Only one thread may call its
    methods: the one that is told what the processor does.

    Args:
        words: The processor's memory as numpy uint32, by address / 4.
        not_modelled: A function that takes the name of a feature that a program uses and this
            model lacks."""

    NAME = ""
    WRITTEN = ()  # offsets of the registers in which a write causes something,
    READ = ()  # and of those in which a read does
    NOT_MODELLED = {}  # offset: name of a register that a board has, and that does nothing here

    def __init__(self, words, base, not_modelled):
        self.base = base
        self._words = words[base // 4 : base // 4 + REGISTERS]
        self._not_modelled = not_modelled

    def __getitem__(self, offset):
        return int(self._words[offset // 4])

    def __setitem__(self, offset, value):
        self._words[offset // 4] = value & 0xFFFFFFFF

    def reset(self):
        """Resets it."""

    def written(self, offset, value):
        """The processor has written to a register, which holds the value now."""

    def was_read(self, offset):
        """The processor has read a register, and got its value."""

    def lacks(self, name):
        """A program uses a feature that the model lacks."""
        self._not_modelled(f"{self.NAME} {name}")
