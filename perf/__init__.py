"""Sweep spec -> schedule -> measured records -> statistics."""
