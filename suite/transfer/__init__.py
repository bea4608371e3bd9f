"""The reference disaggregated transfer: how the KV cache of a prompt goes from prefill to decode.

What is here decides; nothing here starts a process, opens a socket or moves a
byte. Events go in, the new state and the actions to take come out, and time
passes only through the clock values that come with the events.
"""
