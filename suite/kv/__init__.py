"""The paged KV cache as arithmetic: pure numpy, no input or output."""
