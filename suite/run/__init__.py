"""The run folder that all rooms write and read."""
