"""Prints which pynq this is, for which kind of device, and how many bytes an address has."""

import struct

import pynq

print(pynq.__version__, type(pynq.Device.active_device).__name__, struct.calcsize("P"))
