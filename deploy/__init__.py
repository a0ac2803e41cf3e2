"""Brings the tutorial to boards, PCs, containers and hubs; collects and reports a class's work."""

EDITION = "2.0.0"
