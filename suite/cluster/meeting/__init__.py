"""How the supervisors of a run meet: rank 0 listens, all ranks join, gather to it, and are told what comes of it."""
