"""Goldfish: ask questions about video, from data to time-stamped answers."""

__version__ = "0.1.0"
