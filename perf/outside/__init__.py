"""What other tools measured, in our units: one module reads one tool's output, `formats` chooses."""

from perf.outside.formats import read_file
from perf.outside.result import OutsideResult, Timing

__all__ = ["OutsideResult", "Timing", "read_file"]
