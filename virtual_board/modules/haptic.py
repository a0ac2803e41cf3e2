"""Grove haptic motor: a DRV2605 (data sheet of Texas Instruments)."""

import time

from .registers import RegisterFile

LASTS = 0.5  # seconds: an effect, or its calibration


class HapticMotor(RegisterFile):
    """It plays effects. One lasts half a second by the PC's clock, but not before its program has
    seen it begin."""

    address = 0x5A
    STATUS, MODE, WAVEFORM_1, GO = 0x00, 0x01, 0x04, 0x0C
    PRESETS = {STATUS: [0xE0], MODE: [0x40]}

    _until, _seen = 0.0, True

    @property
    def playing(self):
        """The effects that it plays now: their numbers in the library (data sheet, 11.2), as a
        list."""
        if not self._goes() or self.registers[self.MODE] & 7:
            return []
        effects = self.registers[self.WAVEFORM_1 : self.WAVEFORM_1 + 8]
        return list(effects.split(b"\0")[0])

    def written(self, number, byte):
        super().written(number, byte)
        if number == self.GO:
            self._until, self._seen = time.monotonic() + LASTS, not byte & 1

    def got(self, number):
        if number == self.GO:
            self.registers[self.GO] = self._goes()
            self._seen = True
        return super().got(number)

    def _goes(self):
        begun = self.registers[self.GO] & 1
        return bool(begun and (not self._seen or time.monotonic() < self._until))
