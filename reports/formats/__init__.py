"""The forms of a report: a renderer each, all of the same data."""
