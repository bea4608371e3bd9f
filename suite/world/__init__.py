"""Workers: fresh processes, and the supervisor that survives them."""
