"""Benchmarks of kvgauge itself: what the harness adds to the thing it measures."""
