"""Runs -> files for other programs: change-point tools, and simulators that want a measured bandwidth."""
