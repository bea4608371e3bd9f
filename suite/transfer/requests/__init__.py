"""What decides over many requests at once: pure, events in, the new state and orders out. Nothing drives it yet."""
