"""Two variants measured in one run, launch by launch: the only comparison that may claim a small difference."""
