"""The reference: what a KV-cache transfer is, how it is configured, what carries it."""
