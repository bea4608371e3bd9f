"""Two runs apart: which points differ by more than runs of the same code do, and what must not be said."""
