"""What all peripherals have in common: registers, 32 bits each, at offsets in bytes."""


REGISTERS = 0x80  # more than any of them has


class Peripheral:
    """A peripheral whose registers begin at the address `base`. All its methods are for one thread, which is told of what the
    processor does.

    words: the processor's memory as numpy uint32, by address / 4
    not_modelled: a function that is called with the name of what a program uses and this model does not have
    """

    NAME = ""
    WRITTEN = ()  # offsets of the registers whose writing does something, and
    READ = ()  # of those whose reading does
    NOT_MODELLED = {}  # offset: name of a register that is there on a board and does nothing here

    def __init__(self, words, base, not_modelled):
        self.base = base
        self._words = words[base // 4:base // 4 + REGISTERS]
        self._not_modelled = not_modelled

    def __getitem__(self, offset):
        return int(self._words[offset // 4])

    def __setitem__(self, offset, value):
        self._words[offset // 4] = value & 0xFFFFFFFF

    def reset(self):
        """As it is after its reset."""

    def written(self, offset, value):
        """The processor has written to a register, which holds that value now."""

    def was_read(self, offset):
        """The processor has read a register, and got what was in it."""

    def lacks(self, name):
        """A program uses what the model does not have."""
        self._not_modelled("{} {}".format(self.NAME, name))
