"""What carries the bytes, and the evidence of which wire really did."""
