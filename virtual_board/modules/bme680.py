"""Grove environment sensor: a BME680 (data sheet of Bosch Sensortec)."""

import struct

from .quantity import Quantity, solve
from .registers import RegisterFile


class Bme680(RegisterFile):
    """It measures as soon as a program starts the forced mode.

    celsius: -40 to 85; pascals: 30000 to 110000; percent: of humidity; ohms: the gas sensor's
        resistance, 500 to 12000000"""

    address = 0x77
    # a sensor's calibration, with figures in the ranges of the data sheet
    T1, T2, T3 = 26041, 26469, 3
    P1, P2, P3, P4, P5, P6, P7, P8, P9, P10 = (
        *(36673, -10515, 88, 7310, -96),
        *(30, 41, -2133, -2312, 30),
    )
    H1, H2, H3, H4, H5, H6, H7 = 817, 1022, 0, 45, 20, 120, -100
    G1, G2, G3 = -30, -11061, 18
    # data sheet, 3.4.1: by the range of the gas sensor
    CONST_1 = 1, 1, 1, 1, 1, 0.99, 1, 0.992, 1, 1, 0.998, 0.995, 1, 0.99, 1, 1
    CONST_2 = (
        *(8000000, 4000000, 2000000, 1000000, 499500.4995, 248262.1648, 125000, 63004.03226),
        *(31281.28128, 15625, 7812.5, 3906.25, 1953.125, 976.5625, 488.28125, 244.140625),
    )
    MEAS_STATUS, PRESS, TEMP, HUM, GAS = 0x1D, 0x1F, 0x22, 0x25, 0x2A
    CTRL_GAS_1, CTRL_MEAS, ID, RESET = 0x71, 0x74, 0xD0, 0xE0
    NEW_DATA, GAS_VALID, HEAT_STAB, RUN_GAS, FORCED = 0x80, 0x20, 0x10, 0x10, 0x01
    PRESETS = {
        0x8A: struct.pack("<hb", T2, T3),
        0x8E: struct.pack("<Hhbxhhbb", P1, P2, P3, P4, P5, P7, P6),
        0x9C: struct.pack("<hhB", P8, P9, P10),
        0xE1: [H2 >> 4, (H2 & 0xF) << 4 | H1 & 0xF, H1 >> 4],
        0xE4: struct.pack("<bbbBb", H3, H4, H5, H6, H7),
        0xE9: struct.pack("<Hhbb", T1, G2, G1, G3),
        ID: [0x61],
    }

    celsius, pascals = Quantity(-40, 85, "°C"), Quantity(30000, 110000, "Pa")
    percent, ohms = Quantity(0, 100, "%"), Quantity(500, 12000000, "ohm")

    def __init__(self, celsius=21.5, pascals=101325, percent=45, ohms=50000):
        self.celsius, self.pascals, self.percent, self.ohms = celsius, pascals, percent, ohms
        super().__init__()

    def written(self, number, byte):
        if number == self.RESET:
            if byte == 0xB6:
                self.preset()
            return
        super().written(number, byte)
        if number == self.CTRL_MEAS and byte & 0x03 == self.FORCED:
            self._convert()
            self.registers[number] &= ~0x03  # it sleeps again

    def _convert(self):
        temp = solve(lambda adc: self._t_fine(adc) / 5120, self.celsius, 0, 0xFFFFF)
        t_fine = self._t_fine(temp)
        press = solve(lambda adc: self._pressure(adc, t_fine), self.pascals, 0, 0xFFFFF)
        hum = solve(lambda adc: self._humidity(adc, t_fine / 5120), self.percent, 0, 0xFFFF)
        self.put(self.PRESS, (press << 4).to_bytes(3, "big"))
        self.put(self.TEMP, (temp << 4).to_bytes(3, "big"))
        self.put(self.HUM, hum.to_bytes(2, "big"))
        runs = self.registers[self.CTRL_GAS_1] & self.RUN_GAS
        self.put(self.GAS, self._gas().to_bytes(2, "big") if runs else [0, 0])
        self.registers[self.MEAS_STATUS] = self.NEW_DATA

    # The formulas of the data sheet, 3.3 and 3.4, in floating point

    def _t_fine(self, adc):
        """5120 times the temperature in °C."""
        var1 = (adc / 16384 - self.T1 / 1024) * self.T2
        return var1 + (adc / 131072 - self.T1 / 8192) ** 2 * self.T3 * 16

    def _pressure(self, adc, t_fine):
        var1 = t_fine / 2 - 64000
        var2 = var1 * var1 * self.P6 / 131072 + var1 * self.P5 * 2
        var2 = var2 / 4 + self.P4 * 65536
        var1 = (self.P3 * var1 * var1 / 16384 + self.P2 * var1) / 524288
        var1 = (1 + var1 / 32768) * self.P1
        p = (1048576 - adc - var2 / 4096) * 6250 / var1
        var3 = (p / 256) ** 3 * self.P10 / 131072
        return p + (self.P9 * p * p / 2147483648 + p * self.P8 / 32768 + var3 + self.P7 * 128) / 16

    def _humidity(self, adc, celsius):
        var1 = adc - (self.H1 * 16 + self.H3 / 2 * celsius)
        slope = 1 + self.H4 / 16384 * celsius + self.H5 / 1048576 * celsius**2
        var2 = var1 * self.H2 / 262144 * slope
        return var2 + (self.H6 / 16384 + self.H7 / 2097152 * celsius) * var2**2

    def _gas(self):
        """gas_r and gas_range: the ten bits and the range that come closest to the resistance."""
        found = []
        for number, (one, two) in enumerate(zip(self.CONST_1, self.CONST_2)):
            var1 = 1340 * one
            adc = min(max(round(var1 * two / self.ohms - var1 + 512), 0), 1023)
            got = var1 * two / (adc - 512 + var1)
            found.append((abs(got - self.ohms), adc, number))
        _, adc, number = min(found)
        return adc << 6 | self.GAS_VALID | self.HEAT_STAB | number
