"""A test that is the processor: it writes to a peripheral's registers and reads them."""

import numpy as np


class Processor:
    """Accesses the registers of one peripheral."""

    def __init__(self, peripheral, *arguments, **options):
        self.peripheral = peripheral(np.zeros(0x100, np.uint32), 0, *arguments, **options)
        self.peripheral.reset()

    def write(self, offset, *values):
        for value in values:
            self.peripheral[offset] = value
            if offset in self.peripheral.WRITTEN:
                self.peripheral.written(offset, self.peripheral[offset])

    def read(self, offset):
        value = self.peripheral[offset]
        if offset in self.peripheral.READ:
            self.peripheral.was_read(offset)
        return value
