"""Sequences of calls: a model of what memory must hold after each, and how a sequence is tried, made short and told."""
