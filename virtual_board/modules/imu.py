"""Grove IMU 10DOF: an MPU-9250 with its AK8963 (data sheets of TDK InvenSense), and a barometer."""

import struct

from .barometers import Bmp180, Bmp280
from .registers import RegisterFile


def _words(order, *values):
    return struct.pack(order + "h" * len(values), *(min(max(v, -32768), 32767) for v in values))


class Ak8963(RegisterFile):
    """The magnetometer of an Imu."""

    address = 0x0C
    WIA, ST1, HXL, ST2, CNTL1 = 0x00, 0x02, 0x03, 0x09, 0x0A
    PRESETS = {WIA: [0x48]}
    BIT_16 = 0x10  # of CNTL1

    def __init__(self):
        self.microteslas = [20.0, 0.0, -45.0]
        super().__init__()

    def measure(self):
        fine = self.registers[self.CNTL1] & self.BIT_16
        step = 0.15 if fine else 0.6  # microteslas
        self.put(self.ST1, [0x01])  # DRDY
        self.put(self.HXL, _words("<", *(round(one / step) for one in self.microteslas)))
        self.put(self.ST2, [self.BIT_16 if fine else 0])


class Imu(RegisterFile):
    """A Grove IMU 10DOF.

    Args:
        version: 1 has the barometer Bmp180, as pynq's own Grove_IMU wants it; 2 the Bmp280.

    acceleration: of x, y and z, in g, as a list; up is 1
    rotation: in degrees a second, as a list
    celsius: of the chip
    magnetometer: an Ak8963, whose microteslas are a list
    barometer: with celsius and pascals"""

    address = 0x68
    GYRO_CONFIG, ACCEL_CONFIG, ACCEL_XOUT_H = 0x1B, 0x1C, 0x3B
    PWR_MGMT_1, WHO_AM_I = 0x6B, 0x75
    PRESETS = {PWR_MGMT_1: [0x01], WHO_AM_I: [0x71]}
    H_RESET = 0x80  # of PWR_MGMT_1

    def __init__(self, version=1):
        if version not in (1, 2):
            raise ValueError(
                f"version is {version!r}: 1 has the barometer BMP180, and 2 the BMP280."
            )
        self.acceleration, self.rotation, self.celsius = [0.0, 0.0, 1.0], [0.0] * 3, 25.0
        self.magnetometer = Ak8963()
        self.barometer = Bmp180() if version == 1 else Bmp280()
        self.parts = self.magnetometer, self.barometer
        super().__init__()

    def measure(self):
        g = 2 << (self.registers[self.ACCEL_CONFIG] >> 3 & 3)  # full scale
        turn = 250 << (self.registers[self.GYRO_CONFIG] >> 3 & 3)  # full scale, degrees a second
        acceleration = [round(one * 32768 / g) for one in self.acceleration]
        temperature = round((self.celsius - 21) * 333.87)
        rotation = [round(one * 32768 / turn) for one in self.rotation]
        self.put(self.ACCEL_XOUT_H, _words(">", *acceleration, temperature, *rotation))

    def written(self, number, byte):
        if number == self.PWR_MGMT_1 and byte & self.H_RESET:
            self.preset()
        else:
            super().written(number, byte)
