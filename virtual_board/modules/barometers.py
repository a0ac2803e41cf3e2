"""Barometers with a compensation formula: BMP180, BMP280 (data sheets of Bosch Sensortec) and
DPS310 (data sheet of Infineon)."""

import struct

from .quantity import Quantity, solve
from .registers import RegisterFile


class _Barometer(RegisterFile):
    """celsius: -40 to 85; pascals: 30000 to 110000"""

    address = 0x77

    celsius, pascals = Quantity(-40, 85, "°C"), Quantity(30000, 110000, "Pa")

    def __init__(self, celsius=21.5, pascals=101325):
        self.celsius, self.pascals = celsius, pascals
        super().__init__()


class Bmp180(_Barometer):
    """The barometer of a Grove IMU 10DOF v1."""

    # figures of the data sheet's example, 3.5
    AC1, AC2, AC3, AC4, AC5, AC6 = 408, -72, -14383, 32741, 32757, 23153
    B1, B2, MB, MC, MD = 6190, 4, -32768, -8711, 2868
    CTRL_MEAS, OUT = 0xF4, 0xF6
    TEMPERATURE = 0x2E  # in CTRL_MEAS, without its first two bits
    PRESETS = {
        0xAA: struct.pack(">hhhHHHhhhhh", AC1, AC2, AC3, AC4, AC5, AC6, B1, B2, MB, MC, MD),
        0xD0: [0x55],
    }

    def written(self, number, byte):
        super().written(number, byte)
        if number == self.CTRL_MEAS:
            self.registers[number] &= ~0x20  # Sco: the conversion has ended
            ut = solve(self._b5, self.celsius * 160, 0, 0xFFFF)
            if byte & 0x3F == self.TEMPERATURE:
                self.put(self.OUT, struct.pack(">H", ut))
            else:
                oss = byte >> 6
                b5 = self._b5(ut)
                up = solve(lambda up: self._pressure(up, b5, oss), self.pascals, 0, 0xFFFF << oss)
                self.put(self.OUT, (up << 8 - oss).to_bytes(3, "big"))

    def _b5(self, ut):
        """160 times the temperature in °C. Below UT of 9000, which is -80 °C, it is no sensor's."""
        x1 = (max(ut, 9000) - self.AC6) * self.AC5 >> 15
        return x1 + int((self.MC << 11) / (x1 + self.MD))

    def _pressure(self, up, b5, oss):
        b6 = b5 - 4000
        x3 = (self.B2 * (b6 * b6 >> 12) >> 11) + (self.AC2 * b6 >> 11)
        b3 = ((self.AC1 * 4 + x3 << oss) + 2) // 4
        x3 = ((self.AC3 * b6 >> 13) + (self.B1 * (b6 * b6 >> 12) >> 16) + 2) >> 2
        b4 = self.AC4 * (x3 + 32768) >> 15
        p = (up - b3) * (50000 >> oss) * 2 // b4
        x1 = (p >> 8) * (p >> 8) * 3038 >> 16
        return p + (x1 + (-7357 * p >> 16) + 3791 >> 4)


class Bmp280(_Barometer):
    """The barometer of a Grove IMU 10DOF v2."""

    # figures of the data sheet's example, 3.12
    T1, T2, T3 = 27504, 26435, -1000
    P1, P2, P3, P4, P5, P6, P7, P8, P9 = (
        *(36477, -10685, 3024, 2855, 140),
        *(-7, 15500, -14600, 6000),
    )
    PRESS, TEMP = 0xF7, 0xFA
    PRESETS = {
        0x88: struct.pack("<HhhHhhhhhhhh", T1, T2, T3, P1, P2, P3, P4, P5, P6, P7, P8, P9),
        0xD0: [0x58],
    }

    def measure(self):
        adc_t = solve(lambda adc: self._t_fine(adc) / 5120, self.celsius, 0, 0xFFFFF)
        t_fine = self._t_fine(adc_t)
        adc_p = solve(lambda adc: self._pressure(adc, t_fine), self.pascals, 0, 0xFFFFF)
        self.put(self.PRESS, (adc_p << 4).to_bytes(3, "big"))
        self.put(self.TEMP, (adc_t << 4).to_bytes(3, "big"))

    def _t_fine(self, adc):
        """5120 times the temperature in °C."""
        var1 = (adc / 16384 - self.T1 / 1024) * self.T2
        var2 = (adc / 131072 - self.T1 / 8192) ** 2 * self.T3
        return var1 + var2

    def _pressure(self, adc, t_fine):
        var1 = t_fine / 2 - 64000
        var2 = var1 * var1 * self.P6 / 32768 + var1 * self.P5 * 2
        var2 = var2 / 4 + self.P4 * 65536
        var1 = (self.P3 * var1 * var1 / 524288 + self.P2 * var1) / 524288
        var1 = (1 + var1 / 32768) * self.P1
        p = (1048576 - adc - var2 / 4096) * 6250 / var1
        return p + (self.P9 * p * p / 2147483648 + p * self.P8 / 32768 + self.P7) / 16


class Dps310(_Barometer):
    """Grove high precision barometer: a DPS310."""

    # a sensor's coefficients, within the ranges of the data sheet, 8.11
    C0, C1, C00, C10, C01, C11, C20, C21, C30 = (
        *(205, -257, 80469, -54769),
        *(-2803, 1226, -10787, 183, -1603),
    )
    PSR, TMP, PRS_CFG, TMP_CFG, MEAS_CFG, FIFO_STS = 0x00, 0x03, 0x06, 0x07, 0x08, 0x0B
    RESET, ID, COEF, COEF_SRCE = 0x0C, 0x0D, 0x10, 0x28
    COEF_RDY, SENSOR_RDY, TMP_RDY, PRS_RDY = 0x80, 0x40, 0x20, 0x10  # of MEAS_CFG
    # by the oversampling in PRS_CFG and TMP_CFG
    SCALE = 524288, 1572864, 3670016, 7864320, 253952, 516096, 1040384, 2088960
    PRESETS = {
        ID: [0x10],
        FIFO_STS: [0x01],  # it is empty
        COEF: ((C0 & 0xFFF) << 12 | C1 & 0xFFF).to_bytes(3, "big")
        + ((C00 & 0xFFFFF) << 20 | C10 & 0xFFFFF).to_bytes(5, "big")
        + struct.pack(">hhhhh", C01, C11, C20, C21, C30),
        COEF_SRCE: [0x80],  # the coefficients are those of the external sensor
    }

    def preset(self):
        super().preset()
        self.registers[self.MEAS_CFG] = self.COEF_RDY | self.SENSOR_RDY

    def written(self, number, byte):
        if number == self.RESET:
            if byte & 0x0F == 0x09:
                self.preset()
        elif number == self.MEAS_CFG:
            ready = self.TMP_RDY | self.PRS_RDY if byte & 0x07 else 0
            self.registers[number] |= self.COEF_RDY | self.SENSOR_RDY | ready
        else:
            super().written(number, byte)

    def measure(self):
        t = (self.celsius - self.C0 / 2) / self.C1
        p_scale = self.SCALE[self.registers[self.PRS_CFG] & 7]
        t_scale = self.SCALE[self.registers[self.TMP_CFG] & 7]
        raw = solve(
            lambda raw: self._pressure(raw / p_scale, t), self.pascals, -2 * p_scale, 2 * p_scale
        )
        self.put(self.PSR, (raw & 0xFFFFFF).to_bytes(3, "big"))
        self.put(self.TMP, (round(t * t_scale) & 0xFFFFFF).to_bytes(3, "big"))

    def _pressure(self, p, t):
        return (
            self.C00
            + p * (self.C10 + p * (self.C20 + p * self.C30))
            + t * self.C01
            + t * p * (self.C11 + p * self.C21)
        )
