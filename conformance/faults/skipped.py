"""What cannot be tried here."""

from __future__ import annotations


class Skipped(Exception):
    """A fault that cannot be brought about on this machine, or by this transport, and why."""
