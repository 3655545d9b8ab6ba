"""Timers that survive the end of the process."""
