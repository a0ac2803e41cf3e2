"""XADC Wizard (xilinx.com:ip:xadc_wiz, PG091) with the XADC (UG480) behind it: it converts all of
its channels again and again."""

from .peripheral import Peripheral

# base.xdc: the auxiliary input that an analog pin of the Arduino connector leads to
VAUX = {"A0": 1, "A1": 9, "A2": 6, "A3": 15, "A4": 5, "A5": 13}
# reference manual of the PYNQ-Z1: 2.32 kilohm and 1 kilohm divide the voltage, and 1 V is the most
FULL_SCALE = 3.32
CELSIUS = 42.0  # of the chip


class Xadc(Peripheral):
    """The status registers, which programs read. Its alarms and its settings are memory.

    Args:
        analog: A function that returns {name of an analog pin: volts}."""

    KIND = "xilinx.com:ip:xadc_wiz"
    SRR, SR = 0x00, 0x04
    TEMP, VCCINT, VCCAUX, VBRAM, VAUX0 = 0x200, 0x204, 0x208, 0x218, 0x240
    END = 0x400  # of the registers
    WRITTEN = (SRR,)
    EOC, EOS = 0x20, 0x40  # in SR: a conversion, and a sequence of them, has ended

    @classmethod
    def of(cls, ip, words, iop):
        return cls(words, ip.base, iop.wiring.analog)

    @classmethod
    def for_linux(cls, ip, words, bus):
        return cls(words, 0, dict)  # the analog pins lead to the Arduino IOP

    def __init__(self, words, base, analog):
        super().__init__(words, base)
        self._analog = analog

    def reset(self):
        for offset in range(0, self.END, 4):
            self[offset] = 0
        self._show()

    def _show(self):
        self[self.SR] = self.EOC | self.EOS
        # UG480, equations 1-7 and 1-8: 503.975 K and 3 V are full scale
        self[self.TEMP] = _code((CELSIUS + 273.15) / 503.975)
        for offset, volts in (self.VCCINT, 1.0), (self.VCCAUX, 1.8), (self.VBRAM, 1.0):
            self[offset] = _code(volts / 3)
        self.refresh()

    def written(self, offset, value):
        if offset == self.SRR and value == 0xA:
            self.reset()
        else:
            self._show()  # none of what it shows can be written

    def refresh(self):
        """Converts anew, because a voltage has changed."""
        for pin, volts in self._analog().items():
            self[self.VAUX0 + 4 * VAUX[pin]] = _code(volts / FULL_SCALE)


def _code(part):
    """A result for this part of full scale: 12 bits, the upper ones of 16 (UG480)."""
    return min(max(int(part * 4096), 0), 4095) << 4
