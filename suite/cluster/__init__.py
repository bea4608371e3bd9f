"""One run on many machines: which world a process was started into, and how its ranks meet."""
