"""What a transport does with bytes: cases, the workers that carry them out, and what came of it."""
