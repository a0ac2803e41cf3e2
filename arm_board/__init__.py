"""A 32-bit ARM user land on a PC, as a PYNQ board's: made from Debian's packages and pynq's own."""
