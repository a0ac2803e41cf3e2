"""Brings the tutorial to boards: to one, to a classroom of them, or by `pynq get-notebooks`."""

EDITION = "2.0.0"
