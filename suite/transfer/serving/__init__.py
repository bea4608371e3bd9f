"""A prefill and a decode server at work: many requests in flight, and what becomes of them when something fails."""
