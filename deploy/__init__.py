"""Brings the tutorial to boards: to one, to a classroom of them, or by `pynq get-notebooks`."""

EDITION = "1.1.0"
