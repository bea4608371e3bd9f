"""Requirements, implementations under test, verdicts. Knows nothing of numbers."""
