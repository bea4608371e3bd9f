"""How the files of this room are complained about: as those of every room are."""

from suite.run.complaint import complaint, did_you_mean, dotted, shown

__all__ = ["complaint", "did_you_mean", "dotted", "shown"]
