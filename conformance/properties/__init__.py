"""One test for each requirement, to be run against any implementation."""
