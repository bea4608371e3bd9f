"""Memory that transports move bytes between."""
