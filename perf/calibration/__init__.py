"""How wrong this tool is on this machine: what it makes of things of known speed, through its own runner."""
