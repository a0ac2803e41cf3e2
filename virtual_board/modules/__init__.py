"""What can be plugged into a connector: a file for each module or family. If it has a data sheet,
the first line names that.

To add one, write a file like tmp2.py, and add its class here, to the imports and to __all__."""

from .als import Als
from .analog import (
    AnalogSensor,
    Joystick,
    LightSensor,
    MoistureSensor,
    PhSensor,
    Potentiometer,
    Thermistor,
)
from .barometers import Bmp180, Bmp280, Dps310
from .bme680 import Bme680
from .climate import DigitalLight, FingerHeartRate, Th02
from .device import I2cDevice, PmodDevice, SpiDevice, UartDevice
from .gestures import Gesture, LightColorProximity
from .grove_adc import GroveAdc
from .haptic import HapticMotor
from .imu import Imu
from .led8 import Led8
from .led_chains import LedBar, LedStick
from .motors import Motor, Servo
from .oled import GroveOled, Oled
from .pin import Actuator, Button, Buzzer, DigitalSensor, Led, LineFinder, Pir, Relay, WaterSensor
from .pmod_adc import Adc
from .pmod_spi import Dac, Dpot, Tc1
from .ranger import UltrasonicRanger
from .registers import RegisterFile
from .tmp2 import Tmp2
from .water_level import WaterLevel

__all__ = [
    "Actuator",
    "Adc",
    "Als",
    "AnalogSensor",
    "Bme680",
    "Bmp180",
    "Bmp280",
    "Button",
    "Buzzer",
    "Dac",
    "DigitalLight",
    "DigitalSensor",
    "Dpot",
    "Dps310",
    "FingerHeartRate",
    "Gesture",
    "GroveAdc",
    "GroveOled",
    "HapticMotor",
    "I2cDevice",
    "Imu",
    "Joystick",
    "Led",
    "Led8",
    "LedBar",
    "LedStick",
    "LightColorProximity",
    "LightSensor",
    "LineFinder",
    "MoistureSensor",
    "Motor",
    "Oled",
    "PhSensor",
    "Pir",
    "PmodDevice",
    "Potentiometer",
    "RegisterFile",
    "Relay",
    "Servo",
    "SpiDevice",
    "Tc1",
    "Th02",
    "Thermistor",
    "Tmp2",
    "UartDevice",
    "UltrasonicRanger",
    "WaterLevel",
    "WaterSensor",
]
