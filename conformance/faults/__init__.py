"""Faults on purpose: what can go wrong with a peer, a link, a disk, a device, and what a transport makes of it."""
